"""One request, tried as often as its kind of failure deserves: the only retry policy there is (design law 5)."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import SystemRandom
from typing import TypeVar

from blobmove.core.errors import Kind, Side, StoreError
from blobmove.core.events import Listener, Throttled, silent
from blobmove.core.pacing import Aimd, pause
from blobmove.engine.limits import Budget
from blobmove.engine.stopping import Stop

T = TypeVar("T")
_jitter = SystemRandom().random


@dataclass(slots=True)
class Attempts:
    """How often one object was tried; `lost` says that a write may have been done unheard."""

    count: int = 1
    lost: bool = False


class Requests:
    """All requests of a run to one side: a limit in flight that adapts, retries, renewed credentials."""

    def __init__(
        self,
        side: Side,
        aimd: Aimd,
        renew: Callable[[], Awaitable[None]],
        stop: Stop,
        listener: Listener = silent,
        *,
        jitter: Callable[[], float] = _jitter,
    ) -> None:
        self.side = side
        self.aimd = aimd
        self.gate = Budget(lambda: aimd.slots)
        self.retried = 0
        self.last_trouble = ("", 0.0)
        self._renew = renew
        self._listener = listener
        self._stop = stop
        self._jitter = jitter

    async def run(self, request: Callable[[], Awaitable[T]], attempts: Attempts, *, corrupt: bool = False) -> T:
        """Send until it is answered. Raises the last StoreError when there is no use in another attempt.

        With `corrupt` a checksum refusal is retried too (the bytes are at hand and will be sent again).
        """
        tries: Counter[Kind] = Counter()  # by kind: a token may expire after three lost connections
        while True:
            try:
                async with self.gate.hold():
                    answer = await request()
            except StoreError as error:
                tries[error.kind] += 1
                await self._wait(error, tries[error.kind], attempts, corrupt)
            else:
                self.aimd.good()
                return answer

    async def _wait(self, error: StoreError, tries: int, attempts: Attempts, corrupt: bool) -> None:
        if error.kind is Kind.CORRUPT and not corrupt:
            raise error
        wait = pause(error.kind, tries, self._jitter(), error.retry_after)
        if error.kind in (Kind.TRANSIENT, Kind.UNREACHABLE, Kind.THROTTLED):
            if self.side is Side.DESTINATION and error.kind is Kind.TRANSIENT:
                attempts.lost = True
            self.last_trouble = (f"{error.status or ''} {error.code}".strip(), time.monotonic())
        if wait is None or self._stop.is_set():
            raise error  # while a run drains nobody waits: the object stays pending
        attempts.count += 1
        self.retried += 1
        if error.kind is Kind.THROTTLED and self.aimd.busy(time.monotonic()):
            self._listener(Throttled(self.side.value, error.code, wait, self.aimd.slots))
        if error.kind is Kind.EXPIRED:
            await self._renew()
        await self._stop.sleep(wait)


@dataclass(slots=True)
class Counters:
    """What a run has done so far, for the sampler and the summary. Bytes of bodies, not of headers."""

    bytes_read: int = 0
    bytes_written: int = 0
    in_flight: int = 0
    settled: int = 0
    bytes_settled: int = 0
    started_at: float = field(default_factory=time.monotonic)
