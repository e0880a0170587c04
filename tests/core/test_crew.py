"""The decisions of a run on many workers, without any."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blobmove.core.blocks import MIB, cut
from blobmove.core.crew import (
    BATCH_OBJECTS,
    RANGE_BYTES,
    GivenPace,
    SharedPace,
    WorkerFacts,
    batch_objects,
    batches_out,
    difference,
    divided,
    is_spread,
    kept_bytes,
    portions,
    ranges_of,
    room_for,
    seats,
    workers_for,
)

FACTS = WorkerFacts("1.0", "3.11", "2026.8.0", "https://src.s3", "https://a.blob/dst")


def test_workers_that_are_alike_differ_in_nothing() -> None:
    assert difference(FACTS, replace(FACTS)) == ""


def test_a_difference_shows_both_sides() -> None:
    assert difference(FACTS, replace(FACTS, blobmove="0.9", source="")) == (
        "blobmove: 1.0 here, 0.9 there; source: https://src.s3 here, none there"
    )


@given(st.integers(0, 10**10), st.integers(1, 2000))
def test_batches_are_never_larger_than_the_limit_and_shrink_towards_the_end(left: int, places: int) -> None:
    number = batch_objects(left, places)
    assert 1 <= number <= BATCH_OBJECTS
    assert number <= batch_objects(left + 1000, places)


def test_towards_the_end_every_worker_still_gets_something() -> None:
    assert batch_objects(4000, 20) * 20 <= 4000
    assert batch_objects(10**9, 300) == BATCH_OBJECTS


def test_each_worker_has_one_batch_more_than_it_works_on() -> None:
    assert batches_out({"a": 2, "b": 4}) == 8
    assert batches_out({}) == 0


@given(st.integers(1, 1000), st.integers(1, 300), st.sampled_from((1, 8, 32, 256, 1000)),
       st.sampled_from((48 * MIB, RANGE_BYTES)))
def test_ranges_hold_every_block_once_and_in_order(number: int, places: int, block_mib: int, most: int) -> None:
    blocks = cut((number * block_mib * MIB + 1,), block_mib * MIB)
    ranges = ranges_of(blocks, places, most)
    assert [block for one in ranges for block in one] == list(blocks)
    assert all(sum(block.length for block in one) <= max(most, block_mib * MIB) for one in ranges)


@pytest.mark.parametrize(("blocks", "etag", "spread"), [
    (7, "0" * 32, False), (8, "0" * 32, True), (8, None, True),
    (63, "0" * 32 + "-9", False), (64, "0" * 32 + "-9", True),
])
def test_objects_of_many_blocks_are_spread_and_those_in_parts_from_more_on(
    blocks: int, etag: str | None, spread: bool
) -> None:
    assert is_spread(blocks * 32 * MIB, etag, 32 * MIB) is spread


def test_ranges_that_wait_leave_memory_to_all_other_work() -> None:
    bodies = 384 * MIB // 2
    assert 3 * 32 * MIB <= kept_bytes(384 * MIB) < bodies


def test_a_giant_is_cut_into_enough_ranges_for_all() -> None:
    assert len(ranges_of(cut((4096 * MIB,), 32 * MIB), 12)) >= 24
    assert ranges_of((), 4) == []


@given(st.integers(1, 4096), st.integers(0, 500))
def test_a_divided_number_gives_everybody_at_least_one(total: int, number: int) -> None:
    share = divided(total, number)
    assert share >= 1
    assert share * max(1, number) <= max(total, number)


def test_concurrency_is_divided_without_a_rest_and_who_has_nothing_to_do_gets_one() -> None:
    at_work = {"a": True, "b": True, "c": True}
    none = dict.fromkeys(at_work, 1)
    assert seats(8, at_work, none) == {"a": 3, "b": 3, "c": 2}
    assert seats(8, at_work | {"b": False}, none) == {"a": 4, "b": 1, "c": 3}
    assert seats(8, dict.fromkeys(at_work, False), none) == {"a": 3, "b": 3, "c": 2}
    assert seats(2, at_work, none) == {"a": 1, "b": 1, "c": 1}
    assert seats(8, {}, {}) == {}


def test_nobody_gets_more_before_others_have_given_it_back() -> None:
    work, held = {"a": True, "b": False}, {"a": 4, "b": 4}
    first = seats(8, work, held)
    assert first == {"a": 4, "b": 1}
    assert seats(8, work, first) == {"a": 7, "b": 1}


NAMES = st.dictionaries(st.text(min_size=1), st.booleans(), min_size=1, max_size=30)


@given(st.integers(1, 512), st.lists(NAMES, min_size=1, max_size=8))
def test_all_seats_together_are_never_more_than_there_are(total: int, turns: list[dict[str, bool]]) -> None:
    held: dict[str, int] = {}
    for working in turns:
        found = seats(total, working, held)
        assert min(found.values()) >= 1
        assert sum(max(found[name], held.get(name, 1)) for name in found) <= max(
            total, sum(held.get(name, 1) for name in working)
        )
        held = found
    for _ in range(2):
        held = seats(total, working, held)
    assert sum(held.values()) == max(total, len(working))


@given(st.floats(1, 1e9), st.dictionaries(st.text(min_size=1), st.floats(0, 1e6), min_size=1, max_size=50))
def test_portions_add_up_and_nobody_gets_nothing(total: float, wanted: dict[str, float]) -> None:
    found = portions(total, wanted)
    assert sum(found.values()) == pytest.approx(total)
    assert min(found.values()) > 0


def test_portions_follow_what_was_used() -> None:
    found = portions(100.0, {"fast": 300.0, "slow": 100.0})
    assert found["fast"] == pytest.approx(75.0)
    assert portions(100.0, {}) == {}


def test_a_given_pace_obeys_and_learns_nothing() -> None:
    pace = GivenPace(10.0)
    assert not pace.listens()
    assert pace.turn(1.0, 5, 100) == 0.0
    assert (pace.rate, pace.forgotten()) == (10.0, False)
    assert pace.delay(100.0) <= 0.0
    assert pace.delay(100.0) > 0.0


@pytest.mark.parametrize("workers", [2, 10, 100])
@pytest.mark.parametrize("limit", [500.0, 20_000.0])
def test_many_workers_together_find_the_one_limit_of_an_account(workers: int, limit: float) -> None:
    """Each of them alone could send twice what the account takes; they hear each other once a second."""
    shared, chance = SharedPace(), Random(1)
    alone = 2 * limit / workers
    accepted = refused = 0.0
    for second in range(120):
        rate = shared.rate
        sent = workers * alone if rate is None else min(rate, workers * alone)
        good = min(sent, limit * chance.uniform(0.99, 1.01))
        for worker in range(workers):
            shared.hear(1 / workers, part(good, workers, worker), part(sent - good, workers, worker))
        if second >= 20:
            accepted, refused = accepted + good, refused + sent - good
    assert accepted / 100 > 0.9 * limit
    assert refused / accepted < 0.04


def part(total: float, workers: int, worker: int) -> int:
    """One worker's part of a whole number of answers."""
    return (int(total) + worker) // workers


def test_a_limit_that_is_lifted_is_found_again() -> None:
    shared = SharedPace()
    for second in range(240):
        limit = 1000.0 if second < 60 else 4000.0
        sent = 8000.0 if shared.rate is None else min(shared.rate, 8000.0)
        shared.hear(1.0, int(min(sent, limit)), int(max(0.0, sent - limit)))
    assert shared.rate is not None
    assert shared.rate > 3000


def test_a_pace_that_nobody_needs_any_more_is_forgotten() -> None:
    shared = SharedPace()
    shared.hear(1.0, 1000, 10)
    assert shared.rate is not None
    for _ in range(600):
        shared.hear(1.0, 10, 0)
    assert shared.rate is None


def test_without_refusals_there_is_no_pace() -> None:
    shared = SharedPace()
    for _ in range(50):
        shared.hear(1.0, 5000, 0)
    assert shared.rate is None


@pytest.mark.parametrize(("objects", "size", "hours", "expected"), [
    (0, 0, 1.0, 1),
    (1_000_000, 10**9, 1.0, 1),
    (1_000_000_000, 10**13, 24.0, 12),
    (1000, 500 * 10**12, 24.0, 16),
])
def test_how_many_workers_a_time_needs(objects: int, size: int, hours: float, expected: int) -> None:
    assert workers_for(objects, size, hours) == expected


@pytest.mark.parametrize(("processes", "machine", "room"), [
    (1, None, 384), (1, 256, 384), (2, 16_384, 512), (16, 65_536, 4096), (16, 4096, 2048), (16, 512, 384),
    (16, None, 4096),
])
def test_workers_of_one_machine_have_room_for_blocks_of_full_size_as_long_as_it_has(
    processes: int, machine: int | None, room: int
) -> None:
    assert room_for(processes, None if machine is None else machine * MIB) == room * MIB
