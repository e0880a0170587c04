"""Refusals held back: what clears them, what stops the run, and who is asked at the end."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from blobmove.core.circuit import HELD_LIMIT, Circuit, Doubt
from blobmove.core.errors import AccessError, Kind, Side
from blobmove.core.events import Event, Stopping
from blobmove.core.model import Outcome, State
from blobmove.engine.stopping import Stop
from blobmove.operations.doubts import Doubts
from blobmove.operations.running import Frame


@dataclass
class Room:
    """Both sides: `ill` ones do not pass a probe; S3 gives objects unless `gives` says no."""

    ill: frozenset[Side] = frozenset()
    gives: bool = False
    circuit: Circuit = field(default_factory=Circuit)
    stop: Stop = field(default_factory=Stop)
    heard: list[Event] = field(default_factory=list)
    asked: list[Side] = field(default_factory=list)
    reads: int = 0
    doubts: Doubts = field(init=False)

    def __post_init__(self) -> None:
        frame = Frame(self.stop, self.heard.append, lambda: 3)
        self.doubts = Doubts(frame, self.circuit, self.probe, self.read)

    async def probe(self, side: Side) -> None:
        self.asked.append(side)
        if side in self.ill:
            raise AccessError("E403-PROBE", "refused")

    async def read(self) -> bool:
        self.reads += 1
        return self.gives

    async def at_the_end(self) -> list[int]:
        return [outcome.transfer_id async for outcomes in self.doubts.at_the_end() for outcome in outcomes]


def refused(row: int, side: Side = Side.SOURCE, kind: Kind = Kind.DENIED) -> Doubt:
    return Doubt(Outcome(row, State.FAILED, "E403"), side, kind, "AccessDenied", "")


def rows(outcomes: list[Outcome]) -> list[int]:
    return [outcome.transfer_id for outcome in outcomes]


MANY = [refused(row) for row in range(HELD_LIMIT)]


async def test_a_refusal_waits_for_the_next_object_that_goes_well() -> None:
    room = Room()
    assert await room.doubts.cleared([refused(1), None]) == []
    assert rows(await room.doubts.cleared([Outcome(2, State.COPIED)])) == [1, 2]


async def test_many_refusals_in_a_row_stop_the_run() -> None:
    room = Room()
    assert await room.doubts.cleared(MANY) == []
    assert room.stop.error is not None
    assert (room.stop.error.code, room.reads) == ("E403-SOURCE", 1)
    assert [type(event) for event in room.heard] == [Stopping]


async def test_many_refusals_stand_where_s3_still_gives_another_object() -> None:
    room = Room(gives=True)
    assert rows(await room.doubts.cleared(MANY)) == list(range(HELD_LIMIT))
    assert not room.stop.is_set()


async def test_many_refusals_of_azure_are_general_whatever_s3_gives() -> None:
    room = Room(gives=True)
    await room.doubts.cleared([refused(row, Side.DESTINATION) for row in range(HELD_LIMIT)])
    assert room.stop.error is not None
    assert (room.stop.error.code, room.reads) == ("E403-DESTINATION", 0)


async def test_what_is_refused_while_the_run_drains_was_not_tried() -> None:
    room = Room()
    room.stop.ask("interrupted", signal=2)
    assert await room.doubts.cleared(MANY) == []
    assert room.circuit.held == []


async def test_at_the_end_a_side_that_is_well_makes_its_refusals_stand() -> None:
    room = Room()
    await room.doubts.cleared([Outcome(1, State.COPIED), refused(2), refused(3, Side.DESTINATION, Kind.THROTTLED)])
    assert await room.at_the_end() == [2, 3]
    assert (room.asked, room.reads, room.stop.is_set()) == ([Side.SOURCE, Side.DESTINATION], 0, False)


async def test_at_the_end_a_side_that_is_not_well_stops_the_run_and_what_is_behind_it_stays_in_doubt() -> None:
    room = Room(ill=frozenset({Side.DESTINATION}))
    await room.doubts.cleared([Outcome(1, State.COPIED), refused(2), refused(3, Side.DESTINATION)])
    assert await room.at_the_end() == [2]
    assert room.stop.error is not None
    assert (room.stop.error.code, rows([doubt.outcome for doubt in room.circuit.held])) == ("E403-PROBE", [3])


@pytest.mark.parametrize("gives", [True, False])
async def test_a_bucket_that_may_be_listed_but_has_given_nothing_is_asked_for_an_object(gives: bool) -> None:
    room = Room(gives=gives)
    await room.doubts.cleared([refused(1)])
    assert await room.at_the_end() == ([1] if gives else [])
    assert (room.reads, room.stop.is_set()) == (1, not gives)


async def test_a_side_that_could_not_be_reached_is_not_cleared_by_its_probe() -> None:
    room = Room(gives=True)
    await room.doubts.cleared([Outcome(1, State.COPIED), refused(2, kind=Kind.UNREACHABLE)])
    assert await room.at_the_end() == []
    assert room.stop.error is not None
    assert room.stop.error.code == "E000-SOURCE"


async def test_a_blob_gone_from_azure_says_nothing_of_s3_where_the_ends_are_not_told_by_the_source() -> None:
    room = Room(circuit=Circuit(by_source=frozenset()))
    assert rows(await room.doubts.cleared([refused(1), Outcome(2, State.GONE)])) == [2]
    assert rows([doubt.outcome for doubt in room.circuit.held]) == [1]
