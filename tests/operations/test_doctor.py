"""The looks of `doctor`: side by side, in their order, each bounded, and none keeps the process from ending."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio import to_thread

from blobmove.core.diagnosis import Area, Finding, Level
from blobmove.core.errors import AccessError, Kind, Side, StoreError
from blobmove.operations import doctor
from blobmove.operations.doctor import Look, Tell, aside, bounded, side_by_side, tell_aside

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

pytestmark = pytest.mark.anyio


def fine(text: str) -> Finding:
    return Finding(Area.SOURCE, "x", Level.OK, text)


def look(at: Callable[[Tell], Awaitable[None]], seconds: float = 60.0) -> Look:
    return Look(Area.SOURCE, "bucket", at, seconds)


async def test_all_are_taken_at_once_and_told_in_their_order() -> None:
    first_waits = anyio.Event()
    found: list[Finding] = []

    async def first(tell: Tell) -> None:
        await first_waits.wait()
        tell(fine("first"))

    async def second(tell: Tell) -> None:
        tell(fine("second"))
        first_waits.set()

    assert await side_by_side([look(first), look(second)], found.append)
    assert [finding.text for finding in found] == ["first", "second"]


async def test_silence_is_a_finding_and_what_was_told_before_is_kept() -> None:
    found: list[Finding] = []

    async def at(tell: Tell) -> None:
        tell(fine("reachable"))
        await anyio.sleep_forever()

    assert not await bounded(look(at, 0.05), found.append)
    assert [(finding.text, finding.code) for finding in found] == [
        ("reachable", ""), ("no answer within 0.1 s", "E408-DOCTOR")]


async def test_an_error_of_one_look_leaves_the_others_alone() -> None:
    found: list[Finding] = []

    async def refused(_tell: Tell) -> None:
        raise AccessError("E403-SOURCE", "S3 refused access", cause="AccessDenied", hint="ask for s3:ListBucket")

    async def well(tell: Tell) -> None:
        tell(fine("well"))

    assert not await side_by_side([look(refused), look(well)], found.append)
    assert [(one.code, one.exit_code, one.cause, one.hint) for one in found] == [
        ("E403-SOURCE", 4, "AccessDenied", "ask for s3:ListBucket"), ("", 0, "", "")]


async def test_a_hiccup_is_tried_once_more_and_a_refusal_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PAUSE_SECONDS", 0.0)
    asked: list[Kind] = []
    found: list[Finding] = []

    async def at(tell: Tell, kind: Kind) -> None:
        asked.append(kind)
        if len(asked) != 2:
            raise StoreError(Side.DESTINATION, kind, "ServerBusy", status=503)
        tell(fine("in the end"))

    assert await bounded(look(lambda tell: at(tell, Kind.THROTTLED)), found.append)
    assert [finding.text for finding in found] == ["in the end"]
    assert not await bounded(look(lambda tell: at(tell, Kind.STOP_ACCESS)), found.append)
    assert asked == [Kind.THROTTLED, Kind.THROTTLED, Kind.STOP_ACCESS]
    assert (found[-1].code, found[-1].exit_code) == ("E403-DESTINATION", 4)
    assert "copy --resume" not in found[-1].hint, "nothing was going on that could be resumed"


async def test_what_blocks_answers_or_fails_from_a_thread_of_its_own() -> None:
    assert await aside(lambda: threading.current_thread().daemon)
    with pytest.raises(ZeroDivisionError):
        await aside(lambda: 1 // 0)


async def test_what_a_thread_found_before_it_failed_is_kept() -> None:
    found: list[Finding] = []

    def body() -> Iterator[Finding]:
        yield fine("first")
        raise AccessError("E403-TABLE", "no more")

    assert not await bounded(look(lambda tell: tell_aside(body, tell)), found.append)
    assert [(finding.text, finding.code) for finding in found] == [("first", ""), ("no more", "E403-TABLE")]


async def test_what_a_thread_found_before_it_went_silent_is_kept_and_nothing_after_it() -> None:
    found: list[Finding] = []
    go, gone = threading.Event(), threading.Event()

    def body() -> Iterator[Finding]:
        yield fine("first")
        go.wait(60)
        try:
            yield fine("too late")
        finally:
            gone.set()

    assert not await bounded(look(lambda tell: tell_aside(body, tell), 0.5), found.append)
    go.set()
    assert await to_thread.run_sync(gone.wait, 60)
    assert [(finding.text, finding.code) for finding in found] == [
        ("first", ""), ("no answer within 0.5 s", "E408-DOCTOR")]


async def test_what_was_found_side_by_side_is_kept_where_all_together_took_too_long() -> None:
    found: list[Finding] = []

    async def finds_and_sleeps(tell: Tell) -> None:
        tell(fine("found"))
        await anyio.sleep_forever()

    async def both(tell: Tell) -> None:
        await side_by_side([look(finds_and_sleeps), look(finds_and_sleeps)], tell)

    assert not await bounded(look(both, 0.1), found.append)
    assert [finding.text for finding in found[:-1]] == ["found", "found"]


def test_a_database_that_blocks_for_ever_does_not_keep_the_process() -> None:
    code = ("import anyio, time\n"
            "from blobmove.operations.doctor import aside\n"
            "async def main():\n"
            "    with anyio.move_on_after(0.2):\n"
            "        await aside(lambda: time.sleep(3600))\n"
            "anyio.run(main)\n")
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
    assert time.monotonic() - started < 110
