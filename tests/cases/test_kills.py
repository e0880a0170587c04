"""Group `fault`, kill -9, and another list after it: nothing is lost, little is done twice, nothing is mixed up."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from functools import partial
from typing import Final

import pytest

from tests.cases.argued import ARGUED
from tests.cases.catalogue import Case, of
from tests.cases.conftest import MakeDesk
from tests.cases.desk import Desk
from tests.cloud.specs import ObjectSpec, Rule, SeriesSpec

SECONDS: Final = 60.0
IN_FLIGHT: Final = 512
"""The most objects that are worked on at once when nobody says otherwise: 256 requests a side."""


def killed(process: subprocess.Popen[bytes], when: Callable[[], bool]) -> None:
    """kill -9 as soon as it is so."""
    try:
        deadline = time.monotonic() + SECONDS
        while not when():
            assert process.poll() is None, f"it ended by itself, with {process.returncode}"
            assert time.monotonic() < deadline, "it has come to nothing"
            time.sleep(0.005)
    finally:
        process.kill()
        process.wait()


def answered(desk: Desk, operation: str) -> int:
    """How many requests Azure has carried out."""
    return desk.cloud.counts().azure.answers.get(operation, {}).get("201", 0)


def enough(desk: Desk, blobs: int) -> bool:
    """Whether Azure has so many small blobs."""
    return answered(desk, "PutBlob") >= blobs


@of("F09")
def test_a_run_of_many_small_objects_is_killed_three_times_and_none_is_written_twice(
    case: Case, make_desk: MakeDesk
) -> None:
    total = int(case.before["objects"])
    desk = make_desk(case.spec())
    series = SeriesSpec(pattern="kill/{n}", count=total - 1, smallest=case.size, largest=case.size)
    desk.cloud.put_series(desk.bucket, series)
    desk.plan()
    desk.cloud.reset_counts()
    for share in (0.2, 0.5, 0.8):
        killed(desk.start("copy", "--resume"), partial(enough, desk, int(share * total)))
    summary = desk.copy()
    assert summary["outcomes"]["copied"] + summary["outcomes"]["present"] == summary["planned"] == total
    answers = desk.cloud.counts().azure.answers["PutBlob"]
    assert answers["201"] == total
    assert sum(answers.values()) - total <= 3 * 2 * IN_FLIGHT, "what was in flight, or not yet recorded, at each kill"
    found = desk.cloud.compare(desk.bucket, desk.container)
    assert (found.identical, found.wrong_md5, found.extra) == (total, [], [])
    desk.holds(case)


@pytest.mark.parametrize("lost", [False, True], ids=["with its checkpoint", "with its checkpoint lost"])
@of("F11")
def test_a_large_object_is_resumed_with_the_blocks_that_are_missing(
    case: Case, lost: bool, make_desk: MakeDesk
) -> None:
    desk = make_desk(case.spec())
    desk.plan()
    rule = desk.cloud.rule(Rule(side="azure", do="hang", operation="PutBlock", nth=(6, 7, 8), seconds=SECONDS))
    words = ("--block-size", "8MiB", "--whole-object-limit", "8MiB")
    killed(desk.start("copy", "--resume", *words), lambda: answered(desk, "PutBlock") == 5)
    desk.cloud.drop_rule(rule)
    if lost:
        for file in desk.folder.glob("blobmove.db*"):
            file.unlink()
        desk.plan()
    summary = desk.copy(*words)
    assert summary["requests"]["azure"]["PutBlock"] == 3, "the blocks that were in flight"
    assert len(desk.holds(case).blocks) == 8
    assert desk.ended(case)["proof"] == "etag-md5"


@of("V09")
def test_after_a_kill_another_list_is_adopted_or_refused_and_never_mixed_in(case: Case, make_desk: MakeDesk) -> None:
    assert case.id in ARGUED
    assert case.outcome == "refused"
    desk = make_desk(*(ObjectSpec(key=f"inv/{number}", size=10) for number in range(30)))
    stranger = make_desk(ObjectSpec(key="inv/0", size=99))
    desk.plan("--inventory", str(desk.deliver("CSV")))
    rule = desk.cloud.rule(Rule(side="azure", do="hang", operation="PutBlob", nth=(*range(11, 31),), seconds=SECONDS))
    killed(desk.start("copy", "--resume"), lambda: answered(desk, "PutBlob") == 10)
    desk.cloud.drop_rule(rule)
    listed = desk.rows("SELECT key, etag FROM object ORDER BY id")
    for words, code in (
        (("--inventory", str(stranger.deliver("CSV"))), None),
        (("--source", stranger.source, "--list"), "E409-CHECKPOINT"),
        (("--destination", stranger.destination, "--list"), "E409-CHECKPOINT"),
    ):
        refused = desk.run("plan", *words, "--json", expect=3).document
        assert refused["type"] == "error"
        assert code in (None, refused["code"])
    assert desk.rows("SELECT key, etag FROM object ORDER BY id") == listed
    desk.put(ObjectSpec(key="inv/new", size=10))
    assert desk.plan("--inventory", str(desk.deliver("Parquet")))["change"] == {
        "previous": desk.rows("SELECT plan FROM run WHERE command = 'copy'")[0][0], "new": 1, "changed": 0,
    }  # fmt: skip
    summary = desk.copy()
    assert summary["outcomes"]["copied"] + summary["outcomes"]["present"] == summary["planned"] == 31
    found = desk.cloud.compare(desk.bucket, desk.container)
    assert (found.identical, found.extra, found.wrong_md5) == (31, [], [])
