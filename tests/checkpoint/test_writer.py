"""The writer: outcomes and verifications as rows, runs that tell how they ended."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from blobmove import __version__
from blobmove.checkpoint.reader import CheckpointReader
from blobmove.checkpoint.writer import CheckpointWriter
from blobmove.core.model import ObjectVersion, Outcome, Proof, State, slot
from tests.checkpoint.plans import E1, E2, copied, counted, plan_into, row, rows, settle

A = ObjectVersion("a", 10, E1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "blobmove.db"
    plan_into(path, [A, ObjectVersion("b", None, None), ObjectVersion("c", 30, storage_class="GLACIER")])
    return path


def test_an_outcome_is_a_row(path: Path) -> None:
    with CheckpointWriter(path, "copy", clock=lambda: 1_795_000_000.5) as writer:
        writer.settle([Outcome(
            slot("a"), State.COPIED, attempts=2, size=10, proof=Proof.ETAG_MD5, md5=b"m" * 16, crc64=b"c" * 8,
            source_etag=E1, blob_etag="0x8D1", content_type="image/png", seconds=0.123456, notes=("one", "two"),
        )])  # fmt: skip
    assert row(path, "a", "state, reason, detail, attempts, proof, md5, crc64, blob_etag, content_type, notes,"
                          " settled_ms, seconds, source_etag") == (
        "copied", None, None, 2, "etag-md5", b"m" * 16, b"c" * 8, "0x8D1", "image/png", "one,two",
        1_795_000_000_500, 0.1235, None,
    )  # fmt: skip


def test_what_the_plan_did_not_know_is_learnt(path: Path) -> None:
    settle(path, copied("b", E2))
    assert row(path, "b", "size, etag, source_etag") == (10, bytes.fromhex(E2), bytes.fromhex(E2))


def test_another_version_than_planned_is_told_apart(path: Path) -> None:
    settle(path, copied("a", f"{E2}-3"))
    assert row(path, "a", "etag, source_etag") == (bytes.fromhex(E1), f"{E2}-3")


def test_attempts_of_all_runs_add_up_and_our_own_blob_is_remembered(path: Path) -> None:
    settle(path, copied("a", blob_etag="0x8D1"))
    settle(path, Outcome(slot("a"), State.FAILED, "E500-SOURCE", attempts=7))
    assert row(path, "a", "attempts, blob_etag, state") == (8, "0x8D1", "failed")


def test_a_new_outcome_waits_for_a_new_verification(path: Path) -> None:
    settle(path, copied("a"))
    with CheckpointWriter(path, "verify") as writer:
        run = writer.begin_run("plan-1")
        writer.mark_verified([slot("a")], [slot("b")])
    assert rows(path, "verified", "state <> 'skipped'") == [(run,), (-run,)]
    settle(path, copied("a"))
    assert row(path, "a", "verified") == (None,)


def test_an_outcome_that_comes_twice_is_counted_once(path: Path) -> None:
    many = [Outcome(number, State.COPIED) for number in range(450)]
    settle(path, copied("a"), *many, copied("a"))
    kept, anew = counted(path)
    assert kept == anew


def test_what_can_be_tried_again_is_reopened_and_nothing_else(path: Path) -> None:
    settle(path, Outcome(slot("a"), State.CONFLICT, "destination-differs"), copied("b"))
    with CheckpointWriter(path, "copy") as writer:
        assert writer.reopen() == 2
        assert writer.reopen() == 0
    assert rows(path, "key, state, reason") == [("a", "pending", None), ("b", "copied", None), ("c", "pending", None)]


def test_what_verify_found_different_is_reopened_and_what_it_found_identical_is_not(path: Path) -> None:
    settle(path, copied("a"), copied("b"))
    with CheckpointWriter(path, "verify") as writer:
        writer.begin_run("plan-1")
        writer.mark_verified([slot("a")], [slot("b")])
    with CheckpointWriter(path, "copy") as writer:
        writer.reopen()
    assert rows(path, "key, state, proof", "key <> 'c'") == [("a", "copied", "etag-md5"), ("b", "pending", None)]
    kept, anew = counted(path)
    assert kept == anew


def test_a_run_tells_when_it_began_and_how_it_ended(path: Path) -> None:
    moments = iter((1_795_000_000.0, 1_795_000_060.0))
    with CheckpointWriter(path, "copy", clock=lambda: next(moments)) as writer:
        run = writer.begin_run("plan-1")
        writer.note_run({"rate": 5})
        with CheckpointReader(path) as reader:
            told = reader.last_run("copy")
            assert told is not None
            assert (told.id, told.started_at, told.finished_at, told.pid) == (
                run, "2026-11-18T11:06:40Z", None, os.getpid(),
            )
            assert (told.exit_code, told.summary) == (None, {"rate": 5, "version": __version__})
        writer.end_run(130, {"settled": 3})
    with CheckpointReader(path) as reader:
        told = reader.last_run("copy")
        assert told is not None
        assert (told.finished_at, told.exit_code, told.summary) == (
            "2026-11-18T11:07:40Z", 130, {"settled": 3, "version": __version__})
        assert reader.last_run("verify") is None


def test_a_run_that_ends_well_leaves_one_file_and_its_lock(path: Path) -> None:
    settle(path, copied("a"))
    assert {name.name for name in path.parent.iterdir()} == {"blobmove.db", "blobmove.db-lock"}
