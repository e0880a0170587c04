"""The dictionary: a text once, its number in the rows, and what happens when there are too many."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from blobmove.checkpoint import words
from blobmove.checkpoint.reader import CheckpointReader
from blobmove.checkpoint.schema import FIRST_WORD, PROOFS, STATES
from blobmove.checkpoint.writer import CheckpointWriter
from blobmove.core.model import ObjectVersion, Proof, State, slot
from tests.checkpoint.plans import E1, copied, counted, plan_into, row, rows, settle


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "blobmove.db"
    plan_into(path, [ObjectVersion(key, 10, E1, encryption="SSE-S3") for key in "abcd"])
    return path


def content_types(path: Path) -> dict[str, str | None]:
    """As the report tells them."""
    with CheckpointReader(path) as reader:
        return {record[0]: record[13] for batch in reader.records() for record in batch}


def test_every_state_and_proof_has_a_number_of_its_own_below_those_that_are_learnt() -> None:
    numbers = [*STATES.values(), *PROOFS.values()]
    assert (set(STATES), set(PROOFS)) == (set(State), set(Proof))
    assert len(set(numbers)) == len(numbers)
    assert max(numbers) < FIRST_WORD


def test_the_numbers_of_states_and_proofs_never_change() -> None:
    """A checkpoint of last year must be read as it was meant."""
    assert {state.value: number for state, number in STATES.items()} == {
        "pending": 0, "copied": 1, "present": 2, "skipped": 3, "changed": 4, "conflict": 5, "failed": 6, "gone": 7,
        "refused": 8,
    }  # fmt: skip
    assert {proof.value: number for proof, number in PROOFS.items()} == {
        "etag-md5": 20, "crc64nvme": 21, "crc32c": 22, "crc32": 23, "sha256": 24, "sha1": 25, "multipart-etag": 26,
        "composite": 27, "rails-md5": 28, "read-back": 29, "azure-md5": 30,
    }  # fmt: skip


def test_rows_share_one_number_for_one_text_and_the_view_tells_the_text(path: Path) -> None:
    settle(path, copied("a"), copied("b"))
    settle(path, copied("c"))
    with CheckpointReader(path) as reader:
        kept = reader.db.execute("SELECT DISTINCT content_type FROM object_row WHERE state = 1").fetchall()
        assert kept == reader.db.execute("SELECT id FROM word WHERE text = 'image/png'").fetchall()
    assert rows(path, "content_type, encryption", "state = 'copied'") == [("image/png", "SSE-S3")] * 3


def test_a_text_too_many_or_too_long_is_kept_in_its_row(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settle(path, copied("a"))
    with CheckpointReader(path) as reader:
        ((known,),) = reader.db.execute("SELECT count(*) FROM word").fetchall()
    monkeypatch.setattr(words, "MOST", known + 1)
    boundary = f"multipart/form-data; boundary={'x' * 300}"
    types = {"a": "image/png", "b": boundary, "c": "text/plain; n=1", "d": "text/plain; n=2"}
    settle(path, *(replace(copied(key), content_type=kind) for key, kind in types.items()))
    assert content_types(path) == types
    assert dict(rows(path, "key, content_type")) == types
    with CheckpointReader(path) as reader:
        kept = dict(reader.db.execute("SELECT key, typeof(content_type) FROM object_row").fetchall())
    assert kept == {"a": "integer", "b": "text", "c": "integer", "d": "text"}


def test_a_text_of_digits_is_not_taken_for_a_number(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "MOST", 0)
    settle(path, replace(copied("a"), content_type="100"))
    assert content_types(path)["a"] == "100"
    assert row(path, "a", "content_type") == ("100",)


def test_what_was_learnt_in_a_transaction_that_failed_is_learnt_again(path: Path) -> None:
    with CheckpointWriter(path, "copy") as writer:
        broken = replace(copied("a"), content_type="image/avif", detail=object())  # type: ignore[arg-type]
        with pytest.raises(Exception, match="type"):
            writer.settle([broken])
        writer.settle([replace(copied("b"), content_type="image/avif")])
    assert row(path, "b", "content_type") == ("image/avif",)
    kept, anew = counted(path)
    assert kept == anew


def test_a_reader_understands_words_learnt_after_it_began(path: Path) -> None:
    with CheckpointReader(path) as reader:
        assert [transfer.encryption for transfer in reader.pending(-1, 10)] == ["SSE-S3"] * 4
        settle(path, replace(copied("a"), content_type="image/avif"))
        told = {record[0]: record[13] for batch in reader.records() for record in batch}
    assert told["a"] == "image/avif"


def test_a_plan_that_is_refused_leaves_no_words(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with CheckpointReader(path) as reader:
        before = reader.db.execute("SELECT * FROM word").fetchall()
    monkeypatch.setattr("blobmove.checkpoint.planning.slot", lambda key, version=None: slot("a"))
    with pytest.raises(Exception, match="same row"):
        plan_into(path, [ObjectVersion("x", 1, E1, storage_class="GLACIER_IR")], "plan-2")
    with CheckpointReader(path) as reader:
        assert reader.db.execute("SELECT * FROM word").fetchall() == before
