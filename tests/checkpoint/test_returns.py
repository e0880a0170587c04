"""The ledger of the way back: what was asked for in a run, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from blobmove.checkpoint.reader import CheckpointReader
from blobmove.checkpoint.returns import ReturnLedger
from blobmove.checkpoint.writer import CheckpointWriter
from blobmove.core.model import ObjectVersion, Outcome, Proof, RailsFacts, State
from blobmove.core.reverse import Done, Wanted
from tests.checkpoint.plans import E1, plan_into

MD5, CRC = b"m" * 16, b"c" * 8
ROW = RailsFacts("0b0c", "azure", 7, MD5, b"s" * 32, None)


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[CheckpointWriter]:
    """A checkpoint with a plan of one object."""
    plan_into(tmp_path / "blobmove.db", [ObjectVersion("old", 7, E1)])
    with CheckpointWriter(tmp_path / "blobmove.db", "copy --reverse") as opened:
        yield opened


def begun(writer: CheckpointWriter, *wanted: Wanted) -> ReturnLedger:
    """A new run that is asked for these."""
    writer.begin_run("plan")
    ledger = ReturnLedger(writer)
    ledger.prepare()
    ledger.ask_for(wanted)
    return ledger


def copied(row: int) -> Outcome:
    return Outcome(row, State.COPIED, size=9, proof=Proof.AZURE_MD5, md5=MD5, crc64=CRC, source_etag="s", blob_etag="b")


def test_what_is_asked_for_is_pending_with_all_that_is_known_of_it(writer: CheckpointWriter) -> None:
    ledger = begun(writer, Wanted("a", 7, ROW), Wanted("b"), Wanted("a", 7, ROW))
    first, second = ledger.pending(-1, 10)
    assert (first.key, first.size, first.rails, first.upload, first.done) == ("a", 7, ROW, None, None)
    assert (second.key, second.size, second.rails) == ("b", None, None)
    assert ledger.pending(first.id, 10) == [second]
    assert ledger.pending(-1, 1) == [first]
    assert (ledger.totals().planned, ledger.totals().planned_bytes) == (2, 7)


def test_totals_are_those_of_the_run_s_own_list_and_always_add_up(writer: CheckpointWriter) -> None:
    ledger = begun(writer, Wanted("a", 7), Wanted("b", 8), Wanted("c", 9))
    a, b, _ = ledger.pending(-1, 10)
    ledger.settle([copied(a.id), Outcome(b.id, State.CONFLICT, "object-differs", notes=("x", "y"))])
    objects = ledger.totals().objects
    assert (objects[State.COPIED], objects[State.CONFLICT], objects[State.PENDING]) == (1, 1, 1)
    assert ledger.tally("reason") == {"object-differs": 1}
    assert ledger.tally("proof") == {"azure-md5": 1}
    assert ledger.tally("note") == {"x": 1, "y": 1}
    assert [(one.key, one.reason) for one in ledger.unwell(5)] == [("b", "object-differs")]
    other = begun(writer, Wanted("c", 9))
    assert (other.totals().planned, other.tally("reason"), other.unwell(5)) == (1, {}, ())


def test_a_later_run_takes_everything_up_again_and_knows_what_was_proven(writer: CheckpointWriter) -> None:
    ledger = begun(writer, Wanted("a", 7), Wanted("b", 8))
    a, b = ledger.pending(-1, 10)
    ledger.settle([copied(a.id), Outcome(b.id, State.FAILED, "E503-SOURCE")])
    again = begun(writer, Wanted("a"), Wanted("b"))
    first, second = again.pending(-1, 10)
    assert first.done == Done(State.COPIED, Proof.AZURE_MD5, MD5, CRC, "s", "b")
    assert (first.size, second.done) == (9, None)
    again.settle([Outcome(first.id, State.CONFLICT, "object-differs")])
    assert begun(writer, Wanted("a")).pending(-1, 1)[0].done is None


def test_an_upload_is_remembered_until_its_blob_is_in_s3(writer: CheckpointWriter) -> None:
    ledger = begun(writer, Wanted("a", 7))
    (a,) = ledger.pending(-1, 10)
    ledger.note_upload(a.id, "up-1")
    again = begun(writer, Wanted("a"))
    assert again.pending(-1, 1)[0].upload == "up-1"
    again.settle([Outcome(a.id, State.FAILED, "E503-SOURCE")])
    assert begun(writer, Wanted("a")).pending(-1, 1)[0].upload == "up-1"
    again.settle([copied(a.id)])
    assert begun(writer, Wanted("a")).pending(-1, 1)[0].upload is None


def test_the_plan_and_its_copy_know_nothing_of_it(writer: CheckpointWriter) -> None:
    with CheckpointReader(writer.path) as reader:
        before = reader.totals(), reader.last_run("copy"), reader.plan_started(), reader.tally("reason")
        ledger = begun(writer, Wanted("old", 7))
        (old,) = ledger.pending(-1, 10)
        ledger.settle([copied(old.id)])
        writer.end_run(0, {})
        assert (reader.totals(), reader.last_run("copy"), reader.plan_started(), reader.tally("reason")) == before
