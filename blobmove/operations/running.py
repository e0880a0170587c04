"""The frame of a long run: signals, the time limit, the pause file, and a sample of the counters once a second."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import anyio
from anyio.abc import TaskGroup

from blobmove.core.errors import BlobmoveError, LimitReached
from blobmove.core.events import Listener, Stopping
from blobmove.core.model import UNWELL_STATES, State
from blobmove.core.results import Totals
from blobmove.engine.stopping import Stop

DRAIN_SECONDS: Final = 120.0
"""How long objects in flight may take to end after a stop; then they are aborted, which loses nothing either."""

Effect = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Frame:
    """Runs a body under signals and limits. `in_flight` tells how many objects are being finished."""

    stop: Stop
    listener: Listener
    in_flight: Callable[[], int]
    max_duration: float | None = None
    throttle_file: Path | None = None
    aborted: bool = False

    async def run(self, body: Effect, tick: Effect | None = None) -> None:
        """Run `body`; call `tick` once a second meanwhile. First signal: drain. Second: abort."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._signals, tasks)
            tasks.start_soon(self._drain_limit, tasks)
            if tick is not None:
                tasks.start_soon(self._ticks, tick)
            if self.max_duration is not None:
                tasks.start_soon(self._time_limit, self.max_duration)
            await body()
            tasks.cancel_scope.cancel()

    async def _signals(self, tasks: TaskGroup) -> None:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for number in signals:
                if not self.stop.ask("interrupted", signal=int(number)):
                    self._abort(tasks, int(number))
                else:
                    self.listener(Stopping("interrupted", self.in_flight()))

    async def _drain_limit(self, tasks: TaskGroup) -> None:
        await self.stop.event.wait()
        await anyio.sleep(DRAIN_SECONDS)
        self._abort(tasks, self.stop.signal)

    def _abort(self, tasks: TaskGroup, number: int) -> None:
        self.aborted = True
        self.stop.signal = self.stop.signal or number
        tasks.cancel_scope.cancel()

    async def _time_limit(self, seconds: float) -> None:
        await anyio.sleep(seconds)
        error = LimitReached("E006-DURATION", "the time limit asked for is reached", hint="blobmove copy --resume")
        self.stop_for(error, "time limit (--max-duration)")

    def stop_for(self, error: BlobmoveError, why: str = "") -> None:
        """Drain because of an error, and say why: in its words where no others are given."""
        if self.stop.ask(why or error.message, error=error):
            self.listener(Stopping(self.stop.why, self.in_flight()))

    async def _ticks(self, tick: Effect) -> None:
        while True:
            await anyio.sleep(1.0)
            await tick()

    def paused(self) -> bool:
        """Whether the pause file is there."""
        return self.throttle_file is not None and self.throttle_file.exists()

    @property
    def pauses(self) -> Effect | None:
        """What each object is to wait for: nothing, where no pause file was named."""
        return self.hold if self.throttle_file is not None else None

    async def hold(self) -> None:
        """Wait while the pause file is there, unless the run is to stop."""
        while self.throttle_file is not None and self.paused() and not self.stop.is_set():
            with anyio.move_on_after(1.0):
                await self.stop.event.wait()


def exit_code_of(signal_number: int) -> int:
    """130 after SIGINT, 143 after SIGTERM."""
    return 128 + signal_number


def exit_code(stop: Stop, totals: Totals) -> int:
    """Of a run that moves objects: why it stopped, else whether all is well."""
    if stop.signal:
        return exit_code_of(stop.signal)
    if stop.error is not None:
        return stop.error.exit_code
    return int(any(totals.objects[state] for state in (*UNWELL_STATES, State.PENDING)))
