"""One request, tried as often as its kind of failure deserves: the only retry policy there is (design law 5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import SystemRandom
from time import monotonic
from typing import Final, TypeVar

import anyio

from blobmove.core.concurrency import Concurrency
from blobmove.core.errors import Kind, Side, StoreError
from blobmove.core.events import Listener, Throttled, silent
from blobmove.core.pacing import counted_as, pause
from blobmove.engine.limits import Budget, Part, Ranked
from blobmove.engine.stopping import Stop

T = TypeVar("T")
_jitter = SystemRandom().random

_LOAD: Final = (Kind.TRANSIENT, Kind.UNREACHABLE, Kind.THROTTLED)
"""Failures of the service or of the way there; all others are answers like any, as quick as the service is."""

_SHORTEST_SLEEP: Final = 0.001
"""The event loop's clock ticks in milliseconds: a shorter wait is made good by the next request's longer one."""


@dataclass(slots=True)
class Attempts:
    """How often one object was tried; `lost` says that a write may have been done unheard."""

    count: int = 1
    lost: bool = False
    started: float = field(default_factory=monotonic)

    @property
    def seconds(self) -> float:
        """Since the object's first request."""
        return monotonic() - self.started


class Requests:
    """All requests of a run to one side: a limit in flight that adapts, retries, renewed credentials."""

    def __init__(
        self,
        side: Side,
        concurrency: Concurrency,
        renew: Callable[[], Awaitable[None]],
        stop: Stop,
        listener: Listener = silent,
        *,
        jitter: Callable[[], float] = _jitter,
    ) -> None:
        self.side = side
        self.concurrency = concurrency
        self.gate = Budget(lambda: concurrency.slots)
        self._bulk = Part(self.gate, self._bulk_slots)
        self.retried = 0
        self.retries: Counter[str] = Counter()  # the same, by code
        self.last_trouble = ("", 0.0)
        self._told_at = 0.0
        self._renew = renew
        self._listener = listener
        self._stop = stop
        self._jitter = jitter
        self._row = anyio.Lock(fast_acquire=True)

    async def run(
        self, request: Callable[[], Awaitable[T]], attempts: Attempts, *, corrupt: bool = False, bulk: bool = False
    ) -> T:
        """Send until it is answered. Raises the last StoreError when there is no use in another attempt.

        With `corrupt` a checksum refusal is retried too (the bytes are at hand and will be sent again). `bulk` says
        that the time this takes is the time of its body, which tells nothing about the service; such requests leave
        half of the slots to others.
        """
        tries: Counter[Kind] | None = None
        gate: Budget | Ranked = self._bulk.ranked() if bulk else self.gate
        concurrency = self.concurrency
        while True:
            if not gate.take_now():
                await gate.take()
            try:
                if concurrency.pace is not None:
                    await self._wait_in_row()
                sent = monotonic()
                answer = await request()
            except StoreError as error:
                failure = error
            else:
                now = monotonic()
                concurrency.good(now - sent, now, bulk)
                return answer
            finally:
                gate.give_back()
            if failure.kind not in _LOAD:
                now = monotonic()
                concurrency.good(now - sent, now, bulk)
            if tries is None:
                tries = Counter()  # by kind: a token may expire after three lost connections
            tries[failure.kind] += 1
            await self._wait(failure, tries[failure.kind], attempts, corrupt)

    def _bulk_slots(self) -> int:
        """Large bodies leave half of the slots to the others, as far as these want them."""
        slots = self.concurrency.slots
        others = self.gate.used + self.gate.waiting - self._bulk.used
        return max(1, slots - min(slots // 2, others))

    async def _wait_in_row(self) -> None:
        """Wait for this request's turn at the pace the side accepts: one sleeps, the others stand behind it."""
        async with self._row:
            seconds = self.concurrency.delay(monotonic())
            if seconds >= _SHORTEST_SLEEP:
                await anyio.sleep(seconds)

    def _tell(self, code: str, wait: float) -> None:
        """Slow down, and say so: once a second, since a thousand requests may be refused together."""
        now = monotonic()
        news = self.concurrency.busy(now)
        if news or now - self._told_at >= 1.0:
            self._told_at = now
            self._listener(Throttled(self.side.value, code, wait, self.concurrency.slots))

    async def _wait(self, error: StoreError, tries: int, attempts: Attempts, corrupt: bool) -> None:
        if error.kind is Kind.CORRUPT and not corrupt:
            raise error
        wait = pause(error.kind, tries, self._jitter(), error.retry_after)
        if error.kind in _LOAD:
            if self.side is Side.DESTINATION and error.kind is Kind.TRANSIENT:
                attempts.lost = True
            self.last_trouble = (f"{error.status or ''} {error.code}".strip(), monotonic())
        if wait is None or self._stop.is_set():
            raise error  # while a run drains nobody waits: the object stays pending
        attempts.count += 1
        self.retried += 1
        self.retries[counted_as(error.code, self.retries)] += 1
        if error.kind is Kind.THROTTLED:
            self._tell(error.code, wait)
        if error.kind is Kind.EXPIRED:
            await self._renew()
        await self._stop.sleep(wait)


@dataclass(slots=True)
class Counters:
    """What a run has done so far, for the sampler and the summary. Bytes of bodies, not of headers.

    `pulled` objects went from S3 to Azure by themselves, `streamed` ones through here; both in this run.
    """

    bytes_read: int = 0
    bytes_written: int = 0
    bytes_pulled: int = 0
    pulled: int = 0
    streamed: int = 0
    in_flight: int = 0
    settled: int = 0
    bytes_settled: int = 0
    started_at: float = field(default_factory=monotonic)
