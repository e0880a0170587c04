"""The budgets of a run: requests in flight per side, bytes in memory, bytes a second. First come, first served."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio


class Budget:
    """Something of which only `limit()` units are out at a time; the limit may change while it is in use.

    One request larger than the whole limit is let through alone, so that it can end at all.
    """

    def __init__(self, limit: Callable[[], int]) -> None:
        self._limit = limit
        self._waiting: deque[tuple[anyio.Event, int]] = deque()
        self.used = 0

    async def take(self, units: int = 1) -> None:
        """Wait until the units are free, and take them."""
        if not self._waiting and self._fits(units):
            self.used += units
            return
        turn = (anyio.Event(), units)
        self._waiting.append(turn)
        try:
            await turn[0].wait()
        except BaseException:
            if turn in self._waiting:
                self._waiting.remove(turn)
            else:
                self.give_back(units)  # granted in the same moment as the cancellation
            raise

    def give_back(self, units: int = 1) -> None:
        """Free the units and let the next ones in."""
        self.used -= units
        while self._waiting and self._fits(self._waiting[0][1]):
            event, wanted = self._waiting.popleft()
            self.used += wanted
            event.set()

    def _fits(self, units: int) -> bool:
        return self.used + units <= self._limit() or self.used == 0

    @property
    def waiting(self) -> int:
        """How many wait for units now."""
        return len(self._waiting)

    @asynccontextmanager
    async def hold(self, units: int = 1) -> AsyncIterator[None]:
        await self.take(units)
        try:
            yield
        finally:
            self.give_back(units)


class Bandwidth:
    """A ceiling in bytes a second that may change with the time of day (None: no ceiling).

    Every body pays after it was moved and waits for its debt, so that the long-run rate is exact and one large
    body does not stall the loop before it starts.
    """

    def __init__(self, rate_now: Callable[[], int | None]) -> None:
        self._rate_now = rate_now
        self._free_at = 0.0
        self.waiting = 0

    async def pay(self, size: int) -> None:
        """Account for `size` bytes; returns when the rate allows more."""
        rate = self._rate_now()
        if not rate:
            return
        now = time.monotonic()
        self._free_at = max(self._free_at, now) + size / rate
        delay = self._free_at - size / rate - now
        if delay > 0:
            self.waiting += 1
            try:
                await anyio.sleep(delay)
            finally:
                self.waiting -= 1
