"""The story of a checkpoint: what was planned, every run with its version, what is not well in bounded lists."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from blobmove import __version__
from blobmove.checkpoint.journal import FlipJournal, FlipRun, NewRun
from blobmove.checkpoint.reader import CheckpointReader
from blobmove.checkpoint.story import LISTED, RUNS, Doubt, story
from blobmove.checkpoint.values import Setup
from blobmove.checkpoint.writer import CheckpointWriter
from blobmove.core.errors import RefusedError, UsageError
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
    assert (told.unfinished and told.unfinished.id, told.doubts) == (3, (Doubt.UNFINISHED,))


VERIFIED = {"identical": 1, "different": 0, "sample": 100}


@pytest.mark.parametrize(("runs", "verified", "doubts"), [
    ([], None, [Doubt.NEVER]),
    ([("verify", 130, VERIFIED)], None, [Doubt.NEVER, Doubt.UNFINISHED]),
    ([("verify", 0, VERIFIED)], 1, []),
    ([("verify", 0, VERIFIED), ("verify", 130, VERIFIED)], 1, [Doubt.UNFINISHED]),
    ([("verify", 143, VERIFIED), ("verify", 0, VERIFIED)], 2, []),
    ([("verify", 5, VERIFIED)], 1, [Doubt.DIFFERENT]),
    ([("verify", 1, VERIFIED | {"unreadable": 2})], 1, [Doubt.UNREADABLE]),
    ([("verify", 5, VERIFIED | {"unreadable": 2})], 1, [Doubt.DIFFERENT, Doubt.UNREADABLE]),
    ([("verify", 0, VERIFIED | {"sample": 10.0})], 1, [Doubt.SAMPLE]),
    ([("verify", 0, VERIFIED), ("copy", 0, {"settled": 0})], 1, []),
    ([("verify", 0, VERIFIED), ("copy", 0, {"settled": 2})], 1, [Doubt.COPIED]),
    ([("verify", 0, VERIFIED), ("copy", None, {})], 1, [Doubt.COPIED]),
    ([("verify", 0, VERIFIED | {"sample": 1}), ("copy", 0, {"settled": 2}), ("verify", None, {})], 1,
     [Doubt.SAMPLE, Doubt.COPIED, Doubt.UNFINISHED]),
])
def test_every_doubt_about_the_second_look_has_its_reason_and_only_that(
    path: Path, runs: list[tuple[str, int | None, dict[str, object]]], verified: int | None, doubts: list[Doubt]
) -> None:
    for command, code, summary in runs:
        run(path, command, code, **summary)
    with CheckpointReader(path) as reader:
        told = story(reader)
    assert (told.verified and told.verified.id, list(told.doubts)) == (verified, doubts)
    assert told.verify_holds is not bool(doubts)


def test_a_run_is_running_while_its_process_holds_the_checkpoint_and_not_afterwards(path: Path) -> None:
    run(path, "verify", None)
    with CheckpointWriter(path, "copy") as writer, CheckpointReader(path) as reader:
        assert story(reader).running is None, "another process than that of the last run"
        number = writer.begin_run("plan-1")
        assert story(reader).running == number
        writer.end_run(0, {})
        assert story(reader).running is None
        writer.begin_run("plan-1")
    with CheckpointReader(path) as reader:
        assert story(reader).running is None


def test_a_flip_is_running_while_a_flip_holds_the_checkpoint(path: Path) -> None:
    new = NewRun("2026-11-22T10:00:00Z", "srv", "mysql://db/acme", ("amazon",), "azure", "ops1", "deploy")
    with CheckpointWriter(path, "flip-service") as writer, CheckpointReader(path) as reader:
        assert story(reader).running_flip is None
        journal = FlipJournal(writer.db)
        number = journal.open_run(new)
        assert story(reader).running_flip == number
        journal.close_run(number, "2026-11-22T10:01:00Z", {})
        assert story(reader).running_flip is None
        journal.open_run(new)
    with CheckpointWriter(path, "copy"), CheckpointReader(path) as reader:
        assert story(reader).running_flip is None


def test_the_story_is_of_one_moment_though_another_process_writes(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile(reader: CheckpointReader) -> Setup:
        writer.begin_run("plan-1")
        writer.settle([copied(KEYS[1])])
        return setup(reader)

    setup = CheckpointReader.setup
    with CheckpointWriter(path, "copy") as writer, CheckpointReader(path) as reader:
        with monkeypatch.context() as patched:
            patched.setattr(CheckpointReader, "setup", meanwhile)
            told = story(reader)
        assert (told.runs, told.totals.objects[State.COPIED], told.example) == ((), 0, None)
        told = story(reader)
    assert (len(told.runs), told.totals.objects[State.COPIED]) == (1, 1)


def test_a_damaged_journal_is_told_in_the_operator_s_words(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_journal: FlipJournal) -> list[FlipRun]:
        error = sqlite3.DatabaseError("database disk image is malformed")
        error.sqlite_errorname = "SQLITE_CORRUPT"
        raise error

    monkeypatch.setattr(FlipJournal, "runs", broken)
    with CheckpointReader(path) as reader:
        with pytest.raises(RefusedError) as caught:
            story(reader)
        assert caught.value.code == "E422-CHECKPOINT"
        assert not reader.db.in_transaction


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
