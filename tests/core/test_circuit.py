"""The circuit: one refused object fails alone, everything refused stops the run and fails nothing."""

from __future__ import annotations

import pytest

from blobmove.core.circuit import HELD_LIMIT, Circuit, Doubt
from blobmove.core.errors import Kind, Side
from blobmove.core.model import Outcome, State


def doubt(number: int, side: Side = Side.SOURCE, kind: Kind = Kind.DENIED) -> Doubt:
    return Doubt(Outcome(number, State.FAILED, f"E403-{side.upper()}"), side, kind, "AccessDenied", "no")


def ids(outcomes: list[Outcome]) -> list[int]:
    return [outcome.transfer_id for outcome in outcomes]


def test_a_single_refusal_among_successes_is_that_objects_failure() -> None:
    circuit = Circuit()
    assert ids(circuit.settled(Outcome(1, State.COPIED))) == [1]
    assert not circuit.doubted(doubt(2))
    freed = circuit.settled(Outcome(3, State.COPIED))
    assert [(outcome.transfer_id, outcome.state) for outcome in freed] == [(2, State.FAILED), (3, State.COPIED)]
    assert circuit.held == []
    assert not circuit.open


def test_many_ends_without_doubt_tell_which_sides_have_answered_as_each_of_them_would() -> None:
    for states in ({State.COPIED}, {State.GONE}, {State.FAILED}, {State.GONE, State.FAILED, State.PRESENT}):
        together, singly = Circuit(), Circuit()
        assert together.all_settled(states)
        for number, state in enumerate(states):
            singly.settled(Outcome(number, state))
        assert together.answered == singly.answered


def test_where_failures_are_held_each_end_is_looked_at() -> None:
    circuit = Circuit()
    circuit.doubted(doubt(1, Side.DESTINATION))
    assert not circuit.all_settled({State.COPIED})
    assert circuit.answered == set()


def test_an_end_that_the_destination_alone_has_told_of_shows_that_it_works_and_nothing_of_the_source() -> None:
    circuit = Circuit(by_source=frozenset(), by_destination=frozenset({State.GONE}))
    circuit.settled(Outcome(1, State.GONE))
    assert circuit.answered == {Side.DESTINATION}
    assert Circuit().by_destination == frozenset()


def test_when_everything_is_refused_the_run_stops_and_nothing_is_marked_failed() -> None:
    circuit = Circuit()
    stops = [circuit.doubted(doubt(number)) for number in range(HELD_LIMIT)]
    assert stops == [False] * (HELD_LIMIT - 1) + [True]
    assert circuit.open
    assert len(circuit.held) == HELD_LIMIT


def test_once_open_it_stays_open() -> None:
    circuit = Circuit()
    for number in range(HELD_LIMIT):
        circuit.doubted(doubt(number))
    assert circuit.doubted(doubt(99, Side.DESTINATION))


def test_refusals_of_the_two_sides_are_counted_apart() -> None:
    circuit = Circuit()
    for number in range(HELD_LIMIT - 1):
        assert not circuit.doubted(doubt(number, Side.SOURCE))
        assert not circuit.doubted(doubt(100 + number, Side.DESTINATION))
    assert circuit.sides() == (Side.SOURCE, Side.DESTINATION)


@pytest.mark.parametrize("state", [State.COPIED, State.PRESENT, State.CONFLICT])
def test_an_answer_of_both_sides_releases_both(state: State) -> None:
    circuit = Circuit()
    circuit.doubted(doubt(1, Side.SOURCE))
    circuit.doubted(doubt(2, Side.DESTINATION))
    assert ids(circuit.settled(Outcome(3, state))) == [1, 2, 3]


@pytest.mark.parametrize("state", [State.CHANGED, State.GONE])
def test_an_answer_of_the_source_releases_only_its_own(state: State) -> None:
    circuit = Circuit()
    circuit.doubted(doubt(1, Side.SOURCE))
    circuit.doubted(doubt(2, Side.DESTINATION))
    assert ids(circuit.settled(Outcome(3, state))) == [1, 3]
    assert circuit.sides() == (Side.DESTINATION,)


@pytest.mark.parametrize("state", [State.FAILED, State.REFUSED, State.SKIPPED])
def test_an_object_that_ended_without_a_good_answer_releases_nobody(state: State) -> None:
    circuit = Circuit()
    circuit.doubted(doubt(1))
    assert ids(circuit.settled(Outcome(3, state))) == [3]
    assert len(circuit.held) == 1


def test_a_success_between_refusals_starts_the_count_anew() -> None:
    circuit = Circuit()
    for number in range(5 * HELD_LIMIT):
        assert not circuit.doubted(doubt(number))
        if number % 10 == 9:
            circuit.settled(Outcome(1000 + number, State.COPIED))


def test_a_denial_is_in_doubt_until_its_side_has_given_something() -> None:
    circuit = Circuit()
    circuit.doubted(doubt(1, kind=Kind.TRANSIENT))
    assert circuit.unproven(Side.SOURCE) is None, "no denial"
    circuit.doubted(doubt(2))
    assert circuit.unproven(Side.SOURCE) == doubt(2)
    assert circuit.unproven(Side.DESTINATION) is None
    circuit.settled(Outcome(3, State.GONE))
    circuit.doubted(doubt(4))
    assert circuit.unproven(Side.SOURCE) is None, "it has answered for another object"


def test_a_probe_that_goes_well_releases_its_side() -> None:
    circuit = Circuit()
    circuit.doubted(doubt(1, Side.SOURCE))
    circuit.doubted(doubt(2, Side.DESTINATION))
    assert ids(circuit.release(Side.DESTINATION)) == [2]
    assert circuit.sides() == (Side.SOURCE,)
    assert circuit.release(Side.DESTINATION) == []
