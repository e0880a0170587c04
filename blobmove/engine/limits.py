"""The budgets of a run: requests in flight per side, bytes in memory, bytes a second. First come, first served."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Final

import anyio

from blobmove.core.frozen import frozen

_LOOK_SECONDS: Final = 1.0
"""How long who waits for the rate may sleep before it looks whether the rate has changed."""


class Budget:
    """Something of which only `limit()` units are out at a time; the limit may change while it is in use.

    One request larger than the whole limit is let through alone, so that it can end at all.
    """

    def __init__(self, limit: Callable[[], int]) -> None:
        self._limit = limit
        self._waiting: deque[tuple[asyncio.Future[None], int]] = deque()
        self.used = 0

    def take_now(self, units: int = 1) -> bool:
        """Take the units if they are free and nobody waits for any; whether they were taken."""
        used = self.used
        if self._waiting or (used and used + units > self._limit()):
            return False
        self.used = used + units
        return True

    async def take(self, units: int = 1) -> None:
        """Wait until the units are free, and take them."""
        if self.take_now(units):
            return
        # A future of the loop, since every small object waits here about once: an anyio.Event costs five times that.
        turn = (asyncio.get_running_loop().create_future(), units)
        self._waiting.append(turn)
        try:
            await turn[0]
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
        if self._waiting:
            self._let_in()

    def _let_in(self) -> None:
        while self._waiting and self._fits(self._waiting[0][1]):
            turn, wanted = self._waiting.popleft()
            self.used += wanted
            if not turn.done():
                turn.set_result(None)

    def _fits(self, units: int) -> bool:
        return self.used + units <= self._limit() or self.used == 0

    @property
    def waiting(self) -> int:
        """How many wait for units now."""
        return len(self._waiting)

    def hold(self, units: int = 1) -> Hold:
        """`async with budget.hold(n):` takes the units for the body."""
        return Hold(self, units)


class Hold:
    """Units taken at the beginning of a block and given back at its end (a fifth of an `asynccontextmanager`)."""

    __slots__ = ("_budget", "_units")

    def __init__(self, budget: Budget | Ranked, units: int) -> None:
        self._budget = budget
        self._units = units

    async def __aenter__(self) -> None:
        if not self._budget.take_now(self._units):
            await self._budget.take(self._units)

    async def __aexit__(self, *_: object) -> None:
        self._budget.give_back(self._units)


class Part:
    """A part of a budget, with a limit of its own: what is taken from the part is taken from the whole as well.

    Who waits for the part does not stand in the row of the whole, so that others get by. Among those who wait for the
    part a lower rank comes first.
    """

    def __init__(self, whole: Budget, limit: Callable[[], int]) -> None:
        self._whole = whole
        self._limit = limit
        self._waiting: list[tuple[int, int, anyio.Event, int]] = []
        self._number = count()
        self.used = 0

    def ranked(self) -> Ranked:
        """The part as one object sees it: before all objects that ask later."""
        return Ranked(self, next(self._number))

    def take_now(self, units: int) -> bool:
        """Take the units if they are free in both and nobody waits for any; whether they were taken."""
        if self._waiting or not self._fits(units) or not self._whole.take_now(units):
            return False
        self.used += units
        return True

    async def take(self, units: int, rank: int) -> None:
        """Wait until the units are free in both, and take them."""
        if self._waiting or not self._fits(units):
            await self._wait(units, rank)
        else:
            self.used += units
        try:
            await self._whole.take(units)
        except BaseException:
            self._return(units)
            raise

    async def _wait(self, units: int, rank: int) -> None:
        turn = (rank, next(self._number), anyio.Event(), units)
        heappush(self._waiting, turn)
        try:
            await turn[2].wait()
        except BaseException:
            if turn in self._waiting:
                self._waiting.remove(turn)
                heapify(self._waiting)
            else:
                self.used -= units  # granted in the same moment as the cancellation
            self._let_in()
            raise

    def give_back(self, units: int) -> None:
        """Free the units and let the next ones in."""
        self._whole.give_back(units)
        self._return(units)

    def _return(self, units: int) -> None:
        self.used -= units
        self._let_in()

    def _let_in(self) -> None:
        while self._waiting and self._fits(self._waiting[0][3]):
            _, _, event, units = heappop(self._waiting)
            self.used += units
            event.set()

    def _fits(self, units: int) -> bool:
        return self.used + units <= self._limit() or self.used == 0

    @property
    def waiting(self) -> int:
        """How many wait for units of the part now."""
        return len(self._waiting)


@frozen
class Ranked:
    """A part of a budget under one rank; used like a budget."""

    part: Part
    rank: int

    def take_now(self, units: int = 1) -> bool:
        """Take the units if they are free and nobody waits for any; whether they were taken."""
        return self.part.take_now(units)

    async def take(self, units: int = 1) -> None:
        """Wait until the units are free, and take them."""
        await self.part.take(units, self.rank)

    def give_back(self, units: int = 1) -> None:
        """Free the units and let the next ones in."""
        self.part.give_back(units)

    def hold(self, units: int = 1) -> Hold:
        """`async with ranked.hold(n):` takes the units for the body."""
        return Hold(self, units)

    @property
    def used(self) -> int:
        return self.part.used

    @property
    def waiting(self) -> int:
        """How many wait for units of the part now."""
        return self.part.waiting


def _no_rate() -> None:
    return None


class Bandwidth:
    """A ceiling in bytes a second that may change with the time of day (None: no ceiling).

    Every body pays after it was moved and waits until what was owed before it is paid, so that the long-run rate is
    exact and one large body does not stall the loop before it starts. The debt is kept in bytes, not in seconds: when
    the rate changes, it is paid at the new one.
    """

    def __init__(self, rate_now: Callable[[], int | None] | None = None) -> None:
        self.limited = rate_now is not None
        self._rate_now = rate_now or _no_rate
        self._owed = 0.0
        self._paid = 0.0
        self._seen_at = time.monotonic()
        self.waiting = 0

    async def pay(self, size: int) -> None:
        """Account for `size` bytes; returns when the rate allows more. Without need where it is not `limited`."""
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
