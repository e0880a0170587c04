"""Outcomes become rows by two statements, one for many as planned and a whole one: both must say the same."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from blobmove.checkpoint import settling, writer
from blobmove.checkpoint.counts import Shift
from blobmove.checkpoint.planning import PlanStage
from blobmove.checkpoint.reader import CheckpointReader
from blobmove.checkpoint.settling import NotAsPlannedError
from blobmove.checkpoint.writer import CheckpointWriter
from blobmove.core.model import ObjectVersion, Outcome, Proof, RailsFacts, State, slot
from tests.checkpoint.plans import E1, E2, E3, copied, counted, gather, plan_into, row, rows, settle

MULTIPART = f"{E2}-3"
TOLD = (
    "key, state, reason, detail, attempts, size, etag, proof, md5, crc64, source_etag, blob_etag, content_type, notes,"
    " seconds, verified"
)

OUTCOMES = st.lists(st.builds(
    Outcome,
    transfer_id=st.sampled_from([slot("a"), slot("b"), slot("c"), 12345]),
    state=st.sampled_from(State), reason=st.sampled_from(["", "E500-SOURCE"]), detail=st.sampled_from(["", "text"]),
    attempts=st.integers(1, 3), size=st.sampled_from([None, 10, 11]), proof=st.sampled_from([None, *Proof]),
    md5=st.sampled_from([None, bytes.fromhex(E1), b"m" * 16]), crc64=st.sampled_from([None, b"c" * 8]),
    source_etag=st.sampled_from([None, E1, E3, MULTIPART]), blob_etag=st.sampled_from([None, "0x8D1", "strange"]),
    content_type=st.sampled_from([None, "image/png"]), seconds=st.sampled_from([0.0, 1.25]),
    notes=st.sampled_from([(), ("one",), ("one", "two")]),
), max_size=6)  # fmt: skip
VERSIONS = (ObjectVersion("a", 10, E1), ObjectVersion("b", None, None), ObjectVersion("c", 30, MULTIPART))


ENDS = st.lists(st.builds(
    replace, st.sampled_from([copied("a"), copied("b"), copied("c", MULTIPART)]),
    state=st.sampled_from([State.COPIED, State.COPIED, State.COPIED, State.FAILED]),
    reason=st.sampled_from(["", "", "", "E500-SOURCE"]), notes=st.sampled_from([(), ("one",)]),
    source_etag=st.sampled_from([E1, E1, E1, E3]),
), max_size=5)  # fmt: skip
"""Outcomes as they nearly always are: first ones of planned objects, now and then something else."""


def never(*_: object) -> Shift:
    raise NotAsPlannedError


@given(st.one_of(OUTCOMES, ENDS))
@example([replace(copied("a"), state=State.FAILED, reason="E500-SOURCE"), copied("a")])
@settings(max_examples=60, deadline=None)
def test_the_statement_for_many_records_what_the_whole_one_would(outcomes: list[Outcome]) -> None:
    told = []
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        for name in ("many", "whole"):
            if name == "whole":
                patch.setattr(writer, "settle_as_planned", never)
            path = Path(folder, f"{name}.db")
            plan_into(path, VERSIONS)
            settle(path, *outcomes)
            kept, anew = counted(path)
            assert kept == anew
            told.append(rows(path, TOLD))
    assert told[0] == told[1]


def test_an_ordinary_outcome_takes_the_way_of_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "blobmove.db"
    plan_into(path, VERSIONS)
    monkeypatch.setattr(settling, "_WHOLE", "no statement at all")
    settle(path, replace(copied("a"), notes=("server-side",)))
    assert row(path, "a", "state, md5, blob_etag, notes") == ("copied", bytes.fromhex(E1), "0x8D1", "server-side")


def test_an_outcome_whose_etag_is_no_md5_takes_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "blobmove.db"
    plan_into(path, VERSIONS)
    monkeypatch.setattr(settling, "_WHOLE", "no statement at all")
    settle(path, replace(copied("c", MULTIPART), source_etag=MULTIPART, size=30, md5=b"m" * 16))
    assert row(path, "c", "state, md5, etag") == ("copied", b"m" * 16, MULTIPART)


@pytest.mark.parametrize("number", [1, 9, 61, 311])
def test_many_are_recorded_whatever_their_number(tmp_path: Path, number: int) -> None:
    path, keys = tmp_path / "blobmove.db", [f"key-{one}" for one in range(number)]
    plan_into(path, [ObjectVersion(key, 10, E1) for key in keys])
    settle(path, *(copied(key) for key in keys))
    assert rows(path, "state", "state = 'copied'") == [("copied",)] * number
    kept, anew = counted(path)
    assert kept == anew


def test_one_that_is_not_as_planned_is_recorded_with_all_others_of_its_batch_and_counted_once(tmp_path: Path) -> None:
    path, ends = tmp_path / "blobmove.db", [copied(key) for key in "ab"]
    plan_into(path, [ObjectVersion("a", 10, E1), ObjectVersion("b", 10, E1)])
    with CheckpointWriter(path, "copy") as writer:
        writer.settle(ends[:1])
        writer.settle(ends)
    assert rows(path, "key, state, attempts", "true") == [("a", "copied", 2), ("b", "copied", 1)]
    kept, anew = counted(path)
    assert kept == anew


def test_a_version_other_than_planned_is_not_recorded_as_the_planned_one(tmp_path: Path) -> None:
    path = tmp_path / "blobmove.db"
    plan_into(path, VERSIONS)
    settle(path, replace(copied("a", E3), md5=bytes.fromhex(E3)))
    assert row(path, "a", "etag, source_etag, md5") == (bytes.fromhex(E1), bytes.fromhex(E3), bytes.fromhex(E3))


@pytest.mark.parametrize("outcome", [
    replace(copied("a"), crc64=None), copied("a"), copied("a", E2), replace(copied("a"), md5=b"m" * 16),
    replace(copied("a"), md5=None),
])
def test_the_md5_is_told_as_it_was_however_it_is_kept(tmp_path: Path, outcome: Outcome) -> None:
    path = tmp_path / "blobmove.db"
    plan_into(path, VERSIONS)
    settle(path, outcome)
    assert row(path, "a", "md5") == (outcome.md5,)
    with CheckpointReader(path) as reader:
        assert reader.proven_page(-1, 10)[0].md5 == reader.proven(["a"])["a"].md5 == outcome.md5
        assert reader.proven_by_name(["a"])["a"].md5 == outcome.md5
        (told,) = (record[8] for batch in reader.records() for record in batch if record[0] == "a")
    assert told == (outcome.md5.hex() if outcome.md5 else None)


def test_an_md5_that_is_the_etag_is_not_kept_twice(tmp_path: Path) -> None:
    path = tmp_path / "blobmove.db"
    facts = RailsFacts(1, "amazon", 10, bytes.fromhex(E1), None, "image/png")
    plan_into(path, VERSIONS, rails=[("a", facts, True)])
    settle(path, copied("a"))
    with CheckpointReader(path) as reader:
        assert reader.db.execute("SELECT md5, rails_md5 FROM object_row WHERE id = ?", (slot("a"),)).fetchall() == [
            (b"", b""),
        ]  # fmt: skip
        assert reader.db.execute("SELECT md5 FROM rails_blob").fetchall() == [(bytes.fromhex(E1),)]


def test_what_rails_says_stays_when_another_version_is_planned_without_the_database(tmp_path: Path) -> None:
    path = tmp_path / "blobmove.db"
    facts = RailsFacts(1, "amazon", 10, bytes.fromhex(E1), None, "image/png")
    plan_into(path, VERSIONS, rails=[("a", facts, True)])
    with CheckpointWriter(path, "plan") as writer, PlanStage(writer) as stage:
        gather(stage, [ObjectVersion("a", 12, E2)])
        stage.adopt(plan="plan-2", source="s3://acme", destination="https://acme.blob.core.windows.net/files",
                    planned_at="2026-11-23T03:00:00Z", settings={}, sizing={}, rails=False)
    with CheckpointReader(path) as reader:
        told = {transfer.key: transfer for transfer in reader.pending(-1, 10)}
    assert told["a"].etag == E2
    assert told["a"].rails == facts


def test_rows_of_rails_without_an_object_are_kept_apart_until_their_object_comes(tmp_path: Path) -> None:
    path = tmp_path / "blobmove.db"
    facts = RailsFacts(7, "amazon", 10, b"m" * 16, None, "image/png")
    plan_into(path, VERSIONS, rails=[("a", facts, True), ("lost", replace(facts, id=8), True)])
    with CheckpointReader(path) as reader:
        assert reader.db.execute("SELECT key, id, md5 FROM rails_alone").fetchall() == [("lost", 8, b"m" * 16)]
        assert reader.db.execute("SELECT key, id, service_name FROM rails_blob ORDER BY key").fetchall() == [
            ("a", 7, "amazon"), ("lost", 8, "amazon"),
        ]  # fmt: skip
    plan_into(path, [*VERSIONS, ObjectVersion("lost", 10, E3)], "plan-2", rails=[("lost", replace(facts, id=8), True)])
    with CheckpointReader(path) as reader:
        assert reader.db.execute("SELECT key FROM rails_alone").fetchall() == []
        assert {transfer.key: transfer.rails and transfer.rails.id for transfer in reader.pending(-1, 9)} == {
            "a": None, "b": None, "c": None, "lost": 8,
        }  # fmt: skip


def test_the_log_does_not_grow_with_the_outcomes_while_readers_come_and_go(tmp_path: Path) -> None:
    path = tmp_path / "blobmove.db"
    keys = [f"key-{number:05d}" for number in range(4000)]
    plan_into(path, [ObjectVersion(key, 10, E1) for key in keys])
    log, largest = path.with_name("blobmove.db-wal"), 0
    with CheckpointWriter(path, "copy") as writer, CheckpointReader(path) as reader, CheckpointReader(path) as status:
        for _ in range(8):
            for start in range(0, len(keys), 100):
                writer.settle([copied(key) for key in keys[start:start + 100]])
                reader.pending(-1, 1000)
                status.totals()
                largest = max(largest, log.stat().st_size)
    assert largest < 16 * 1024 * 1024


def test_a_log_that_grew_large_is_cut_when_it_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "blobmove.db"
    plan_into(path, VERSIONS)
    log = path.with_name("blobmove.db-wal")
    with CheckpointWriter(path, "copy") as writer:
        ((limit,),) = writer.db.execute("PRAGMA journal_size_limit").fetchall()
        assert 0 < limit <= 256 * 1024 * 1024
        writer.db.execute("PRAGMA journal_size_limit = 100000")
        with writer.transaction() as db:
            db.execute("UPDATE object_row SET detail = ? WHERE id = ?", ("x" * 8_000_000, slot("a")))
        assert log.stat().st_size > 8_000_000
        for key in ("b", "c"):
            writer.settle([copied(key)])
        assert log.stat().st_size <= 100_000
