"""The one flag that ends a run: asked for once, seen by everybody."""

from __future__ import annotations

from dataclasses import dataclass, field

import anyio

from blobmove.core.errors import BlobmoveError


@dataclass(slots=True)
class Stop:
    """Why a run ends before its work is done. Set once; later reasons are ignored."""

    error: BlobmoveError | None = None
    why: str = ""
    signal: int = 0
    asked: bool = False
    event: anyio.Event = field(default_factory=anyio.Event)

    def ask(self, why: str, *, error: BlobmoveError | None = None, signal: int = 0) -> bool:
        """Ask the run to end; False if it was asked before."""
        if self.asked:
            return False
        self.asked, self.why, self.error, self.signal = True, why, error, signal
        self.event.set()
        return True

    def is_set(self) -> bool:
        return self.asked  # every object looks several times; the event is for those who wait

    async def sleep(self, seconds: float) -> None:
        """Sleep, but not beyond the moment the run is asked to end."""
        with anyio.move_on_after(seconds):
            await self.event.wait()
