"""The story of a checkpoint: what was planned, every run with its version, what is not well in bounded lists."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blobmove import __version__
from blobmove.checkpoint.reader import CheckpointReader
from blobmove.checkpoint.story import LISTED, RUNS, story
from blobmove.checkpoint.writer import CheckpointWriter
from blobmove.core.errors import UsageError
from blobmove.core.model import ObjectVersion, Outcome, RailsFacts, State, slot
from tests.checkpoint.plans import E1, copied, plan_into, settle

KEYS = ["weird key'", *(f"key-{number}" for number in range(LISTED + 5))]
LOST = RailsFacts(1, "amazon", 10, None, None, None)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "blobmove.db"
    rows = [("lost", LOST, True), ("maybe", LOST, None), ("abandoned", LOST, False)]
    plan_into(path, [ObjectVersion(key, 10, E1) for key in KEYS], rails=rows)
    return path


def run(path: Path, command: str, code: int | None, **summary: object) -> None:
    with CheckpointWriter(path, command) as writer:
        writer.begin_run("plan-1")
        if code is not None:
            writer.end_run(code, summary)


def test_every_run_is_told_oldest_first_with_the_version_also_one_that_was_killed(path: Path) -> None:
    run(path, "copy", None)
    run(path, "copy", 0, settled=3)
    with CheckpointReader(path) as reader:
        told = story(reader)
    assert [(one.command, one.exit_code, one.summary["version"]) for one in told.runs] == [
        ("copy", None, __version__), ("copy", 0, __version__)]
    assert (told.run_count, told.runs[1].summary["settled"], told.runs[1].plan) == (2, 3, "plan-1")
    assert told.runs[0].host


def test_of_very_many_runs_the_newest_are_told(path: Path) -> None:
    with CheckpointWriter(path, "verify") as writer, writer.transaction() as db:
        db.executemany("INSERT INTO run (command, plan, started_at, pid, host, summary)"
                       " VALUES ('verify', 'p', ?, 1, 'h', ?)",
                       [(f"{number:04}", json.dumps({"n": number})) for number in range(RUNS + 3)])
    with CheckpointReader(path) as reader:
        told = story(reader)
    assert (told.run_count, len(told.runs)) == (RUNS + 3, RUNS)
    assert [told.runs[0].summary["n"], told.runs[-1].summary["n"]] == [3, RUNS + 2]


def test_what_is_not_well_is_listed_by_state_and_bounded(path: Path) -> None:
    failed = [Outcome(slot(key), State.FAILED, "E403-SOURCE", "no") for key in KEYS[1:LISTED + 3]]
    settle(path, *failed, Outcome(slot(KEYS[0]), State.GONE, "deleted-at-source"))
    with CheckpointReader(path) as reader:
        told = story(reader)
    assert {state: len(found) for state, found in told.unwell.items()} == {State.FAILED: LISTED, State.GONE: 1}
    assert told.unwell[State.GONE][0].key == KEYS[0]
    assert told.totals.objects[State.FAILED] == LISTED + 2


def test_files_that_rails_misses_are_told_and_abandoned_uploads_are_not(path: Path) -> None:
    with CheckpointReader(path) as reader:
        told = story(reader)
    assert (told.missing_count, told.missing_files) == (2, (("lost", "amazon"), ("maybe", "amazon")))


def test_the_last_verification_that_ended_is_told_and_whether_it_still_holds(path: Path) -> None:
    run(path, "copy", 0, settled=1)
    run(path, "verify", 0, identical=1, different=0)
    run(path, "verify", 4, stopped="no access")
    with CheckpointReader(path) as reader:
        told = story(reader)
    assert told.verified is not None
    assert (told.verified.id, told.verified.summary["identical"], told.verify_holds) == (2, 1, False)


def test_the_example_to_check_by_hand_has_a_key_that_a_shell_does_not_mind(path: Path) -> None:
    settle(path, copied(KEYS[0]))
    with CheckpointReader(path) as reader:
        assert story(reader).example is None
    settle(path, copied(KEYS[1]))
    with CheckpointReader(path) as reader:
        assert story(reader).example == (KEYS[1], KEYS[1], 10, E1)


def test_without_a_plan_there_is_no_story(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    with CheckpointWriter(path, "plan", create=True):
        pass
    with CheckpointReader(path) as reader, pytest.raises(UsageError, match="no complete plan"):
        story(reader)
