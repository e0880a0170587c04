"""The budgets of a run: requests in flight per side, bytes in memory, bytes a second. First come, first served."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import anyio

_LOOK_SECONDS: Final = 1.0
"""How long who waits for the rate may sleep before it looks whether the rate has changed."""


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
                self.used -= units  # granted in the same moment as the cancellation
            self._let_in()  # who waited behind may fit where this one did not
            raise

    def give_back(self, units: int = 1) -> None:
        """Free the units and let the next ones in."""
        self.used -= units
        self._let_in()

    def _let_in(self) -> None:
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

    Every body pays after it was moved and waits until what was owed before it is paid, so that the long-run rate is
    exact and one large body does not stall the loop before it starts. The debt is kept in bytes, not in seconds: when
    the rate changes, it is paid at the new one.
    """

    def __init__(self, rate_now: Callable[[], int | None]) -> None:
        self._rate_now = rate_now
        self._owed = 0.0
        self._paid = 0.0
        self._seen_at = time.monotonic()
        self.waiting = 0

    async def pay(self, size: int) -> None:
        """Account for `size` bytes; returns when the rate allows more."""
        self._elapse()
        turn = self._owed
        self._owed += size
        self.waiting += 1
        try:
            while (rate := self._elapse()) and self._paid < turn:  # noqa: ASYNC110 - a clock sends no events
                await anyio.sleep(min(_LOOK_SECONDS, max(0.001, (turn - self._paid) / rate)))
        finally:
            self.waiting -= 1

    def _elapse(self) -> int | None:
        """Pay for the time since the last look; the rate now."""
        now, rate = time.monotonic(), self._rate_now()
        earned = (now - self._seen_at) * rate if rate else self._owed
        self._paid, self._seen_at = min(self._owed, self._paid + earned), now
        return rate
