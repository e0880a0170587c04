"""Budgets: first come, first served; what is taken is given back, whatever happens; and a rate that holds."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from blobmove.engine.limits import Bandwidth, Budget, Part, Ranked


async def settled() -> None:
    """Let every task run until it waits."""
    for _ in range(10):
        await checkpoint()


class Queue:
    """Tasks that take units and tell in which order they got them."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.got: list[str] = []

    def taker(self, name: str, units: int) -> Callable[[], Coroutine[Any, Any, None]]:
        async def take() -> None:
            await self.budget.take(units)
            self.got.append(name)

        return take


async def test_what_is_free_is_taken_at_once() -> None:
    budget = Budget(lambda: 10)
    await budget.take(4)
    await budget.take(6)
    assert (budget.used, budget.waiting) == (10, 0)
    budget.give_back(4)
    assert budget.used == 6


async def test_who_comes_first_is_served_first_even_if_a_later_one_would_fit() -> None:
    queue = Queue(Budget(lambda: 10))
    await queue.budget.take(8)
    async with anyio.create_task_group() as tasks:
        for name, units in (("large", 5), ("small", 1), ("last", 4)):
            tasks.start_soon(queue.taker(name, units))
            await settled()
        assert (queue.got, queue.budget.waiting) == ([], 3)
        queue.budget.give_back(8)
        await settled()
        assert queue.got == ["large", "small", "last"]
    assert queue.budget.used == 10


async def test_more_than_the_whole_is_let_through_alone() -> None:
    queue = Queue(Budget(lambda: 10))
    await queue.budget.take(1)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(queue.taker("oversize", 50))
        tasks.start_soon(queue.taker("next", 1))
        await settled()
        assert queue.got == []
        queue.budget.give_back(1)
        await settled()
        assert (queue.got, queue.budget.used) == (["oversize"], 50)
        queue.budget.give_back(50)
        await settled()
    assert (queue.got, queue.budget.used) == (["oversize", "next"], 1)


async def test_a_limit_that_changes_counts_from_the_next_look() -> None:
    limit = 2
    queue = Queue(Budget(lambda: limit))
    await queue.budget.take(2)
    async with anyio.create_task_group() as tasks:
        for name in "abc":
            tasks.start_soon(queue.taker(name, 1))
        await settled()
        limit = 4
        queue.budget.give_back(1)
        await settled()
        assert (sorted(queue.got), queue.budget.used) == (["a", "b", "c"], 4)
        limit = 1
        queue.budget.give_back(3)
        tasks.start_soon(queue.taker("d", 1))
        await settled()
        assert "d" not in queue.got
        queue.budget.give_back(1)


async def test_who_gives_up_waiting_takes_nothing_and_lets_the_next_ones_in() -> None:
    queue = Queue(Budget(lambda: 10))
    await queue.budget.take(8)
    async with anyio.create_task_group() as tasks:
        scope = anyio.CancelScope()

        async def impatient() -> None:
            with scope:
                await queue.budget.take(5)

        tasks.start_soon(impatient)
        await settled()
        tasks.start_soon(queue.taker("small", 2))
        await settled()
        assert queue.got == []
        scope.cancel()
        await settled()
        assert queue.got == ["small"]
    assert (queue.budget.used, queue.budget.waiting) == (10, 0)


@pytest.mark.parametrize("granted_first", [True, False])
async def test_a_grant_that_meets_its_cancellation_is_given_back(granted_first: bool) -> None:
    budget = Budget(lambda: 1)
    await budget.take()
    async with anyio.create_task_group() as tasks:
        scope = anyio.CancelScope()

        async def waiter() -> None:
            with scope:
                async with budget.hold():
                    await anyio.sleep_forever()

        tasks.start_soon(waiter)
        await settled()
        for step in (budget.give_back, scope.cancel)[:: 1 if granted_first else -1]:
            step()
        assert budget.used == 1  # granted, but the waiter has not run yet
    assert (budget.used, budget.waiting) == (0, 0)


async def test_what_is_held_is_given_back_after_an_error() -> None:
    budget = Budget(lambda: 3)
    with suppress(RuntimeError):
        async with budget.hold(2):
            assert budget.used == 2
            raise RuntimeError
    assert budget.used == 0


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(anyio, "sleep", self.sleep)

    async def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


async def test_without_a_ceiling_nobody_waits(clock: Clock) -> None:
    bandwidth = Bandwidth(lambda: None)
    for _ in range(5):
        await bandwidth.pay(10**12)
    assert clock.now == 1000.0


async def test_the_long_run_rate_is_the_one_asked_for(clock: Clock) -> None:
    bandwidth = Bandwidth(lambda: 1000)
    for _ in range(11):
        await bandwidth.pay(500)
    assert clock.now == pytest.approx(1005.0)
    assert bandwidth.waiting == 0


async def test_time_that_was_not_used_is_not_saved_up(clock: Clock) -> None:
    bandwidth = Bandwidth(lambda: 1000)
    await bandwidth.pay(1000)
    clock.now += 3600
    for _ in range(3):
        await bandwidth.pay(1000)
    assert clock.now == pytest.approx(4602.0)


async def test_one_large_body_does_not_wait_for_itself(clock: Clock) -> None:
    bandwidth = Bandwidth(lambda: 1)
    await bandwidth.pay(10**6)
    assert clock.now == 1000.0


async def test_a_debt_made_at_night_is_paid_at_the_rate_of_the_day(clock: Clock) -> None:
    bandwidth = Bandwidth(lambda: 10 if clock.now < 1060 else 100_000)
    await bandwidth.pay(100_000)  # almost three hours at the night's rate
    await bandwidth.pay(1)
    assert 1060 <= clock.now < 1063


async def test_a_ceiling_that_is_lifted_frees_those_who_wait(clock: Clock) -> None:
    bandwidth = Bandwidth(lambda: 10 if clock.now < 1060 else None)
    await bandwidth.pay(100_000)
    await bandwidth.pay(1)
    assert 1060 <= clock.now < 1062
    await bandwidth.pay(10**9)
    assert clock.now < 1062


async def test_who_waits_for_the_rate_is_counted() -> None:
    bandwidth = Bandwidth(lambda: 1)
    await bandwidth.pay(100)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(bandwidth.pay, 1)
        await settled()
        assert bandwidth.waiting == 1
        tasks.cancel_scope.cancel()
    assert bandwidth.waiting == 0


async def test_a_part_is_taken_from_the_whole_and_has_a_limit_of_its_own() -> None:
    whole = Budget(lambda: 100)
    part = Part(whole, lambda: 50)
    one = part.ranked()
    async with one.hold(40):
        assert (whole.used, one.used) == (40, 40)
        assert not one.take_now(20)
        assert whole.take_now(60)
        assert not one.take_now(5)
    assert (whole.used, part.used) == (60, 0)


async def test_who_waits_for_a_part_does_not_stand_in_the_way_of_others() -> None:
    whole = Budget(lambda: 100)
    part = Part(whole, lambda: 50)
    await part.ranked().take(50)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(part.ranked().take, 10)
        await settled()
        assert part.waiting == 1
        assert whole.waiting == 0
        assert whole.take_now(50)
        part.give_back(50)
    assert (whole.used, part.used) == (60, 10)


async def test_who_began_first_is_served_first_whenever_he_asks() -> None:
    part, got = Part(Budget(lambda: 10), lambda: 10), []
    first, second = part.ranked(), part.ranked()
    await first.take(10)

    async def take(name: str, ranked: Ranked) -> None:
        await ranked.take(10)
        got.append(name)
        ranked.give_back(10)

    async with anyio.create_task_group() as tasks:
        for name, ranked in (("second", second), ("second", second), ("first", first)):
            tasks.start_soon(take, name, ranked)
            await settled()
        first.give_back(10)
    assert got == ["first", "second", "second"]
    assert part.used == 0


async def hold_for_ever(ranked: Ranked) -> None:
    async with ranked.hold(30):
        await anyio.sleep_forever()


@pytest.mark.parametrize("waits_for", ["part", "whole", "granted"])
async def test_an_abort_gives_back_what_was_taken_of_a_part(waits_for: str) -> None:
    whole = Budget(lambda: 100)
    part = Part(whole, lambda: 50)
    if waits_for == "whole":
        await whole.take(80)
    else:
        await part.ranked().take(50)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(hold_for_ever, part.ranked())
        await settled()
        if waits_for == "granted":
            part.give_back(50)
        tasks.cancel_scope.cancel()
    if waits_for == "whole":
        whole.give_back(80)
    elif waits_for == "part":
        part.give_back(50)
    assert (whole.used, part.used, part.waiting, whole.waiting) == (0, 0, 0, 0)


async def test_one_block_larger_than_the_part_is_let_through_alone() -> None:
    part = Part(Budget(lambda: 100), lambda: 10)
    await part.ranked().take(30)
    assert part.used == 30
    assert not part.take_now(1)
