"""A run as one worker sees it: what it answers at once, and what a pulse does."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from blobmove.cluster.payloads import Share, Terms, Turn
from blobmove.cluster.ranges import KEPT_SECONDS, Kept, stage
from blobmove.cluster.session import Session
from blobmove.engine.carried import Carried, Md5State
from blobmove.engine.limits import Budget, Part
from blobmove.engine.requests import Attempts
from tests.cluster.hands import BODY, S3, STAGING, bench_with

TICKET = replace(STAGING, ticket="t-1")


@pytest.fixture
def s3() -> S3:
    return S3()


@pytest.fixture
def session(s3: S3) -> Session:
    """With open doors, and room for the whole object."""
    bench = bench_with(s3)
    whole = cast(Budget, bench.memory)
    return Session(cast(Terms, None), "w", _bench=bench, _kept=Kept(Part(whole, lambda: 900), clock=lambda: 0.0))


async def staged(session: Session) -> Turn:
    """The turn of a range that the session has staged."""
    assert session._kept is not None
    sums = await stage(session.bench, session._kept, TICKET, Attempts())
    return Turn(TICKET, Carried(part=Md5State()), sums.crc64)


async def test_a_turn_beside_the_tasks_takes_what_is_kept_and_reads_nothing(session: Session, s3: S3) -> None:
    turn = await staged(session)
    read = s3.readings
    report = await session.turn_if_kept(turn)
    assert report is not None
    assert report.carried is not None
    assert (report.carried.at, s3.readings) == (len(BODY), read)


async def test_it_answers_at_once_that_it_keeps_nothing_and_the_task_reads_it_again(session: Session, s3: S3) -> None:
    turn = await staged(session)
    session.forget("t-1")
    read = s3.readings
    assert await session.turn_if_kept(turn) is None
    assert s3.readings == read, "an answer is waited for for seconds only: what takes longer is a task"
    report = await session.turn(turn)
    assert report.carried is not None
    assert (report.carried.at, s3.readings) == (len(BODY), 2 * read)


async def test_a_pulse_lets_go_of_what_no_turn_has_come_for(session: Session) -> None:
    turn, now = await staged(session), 0.0
    assert session._kept is not None
    session._kept.clock = lambda: now
    session.obey(Share())
    assert session._kept.holds(turn.staging)
    now = KEPT_SECONDS + 1
    session.obey(Share())
    assert not session._kept.holds(turn.staging)
    assert session.bench.memory.used == 0
