"""How many large objects are under way: few, half of everything while small ones are left, never none."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from blobmove.core.lanes import LARGE_BYTES, LargeLane
from blobmove.core.units import GIB, MIB


def begun(lane: LargeLane, size: int, places: int = 1000) -> int:
    """How many objects of this size are begun one after the other."""
    number = 0
    while number < 5000 and lane.admits(size, places):
        lane.begin(size)
        number += 1
    return number


def test_giants_go_two_by_two_and_what_is_hardly_large_in_flocks() -> None:
    assert begun(LargeLane(384 * MIB, 384 * MIB), 100 * GIB) == 2
    assert begun(LargeLane(384 * MIB, 384 * MIB), LARGE_BYTES) == 96


def test_while_small_ones_are_left_half_is_theirs() -> None:
    assert begun(LargeLane(384 * MIB, 384 * MIB, small_left=True), LARGE_BYTES) == 48
    assert begun(LargeLane(384 * MIB, 384 * MIB, small_left=True), LARGE_BYTES, places=20) == 10
    assert begun(LargeLane(384 * MIB, 384 * MIB, small_left=True), GIB, places=1) == 1


def test_objects_that_hold_no_memory_are_bounded_by_places_alone() -> None:
    assert begun(LargeLane(384 * MIB, 0, small_left=True), GIB, places=64) == 32


def test_what_ends_makes_room_for_the_next() -> None:
    lane = LargeLane(384 * MIB, 384 * MIB)
    assert begun(lane, 100 * GIB) == 2
    lane.end(100 * GIB)
    assert begun(lane, 100 * GIB) == 1


@given(st.lists(st.integers(LARGE_BYTES, 10 * GIB), max_size=50), st.integers(1, 600), st.booleans())
def test_what_is_held_is_given_back(sizes: list[int], places: int, small_left: bool) -> None:
    lane = LargeLane(384 * MIB, 100 * MIB, small_left)
    assert lane.admits(GIB, places)
    for size in sizes:
        lane.begin(size)
    for size in sizes:
        lane.end(size)
    assert (lane.out, lane.held) == (0, 0)
