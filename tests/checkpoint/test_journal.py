"""The journal of the flip: written before, settled after, and enough to find the way back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from blobmove import __version__
from blobmove.checkpoint.journal import FlipJournal, NewBatch, NewRun
from blobmove.checkpoint.schema import SCHEMA

AT = "2026-11-22T03:00:00Z"
RUN = NewRun(AT, "server-1", "mysql://db/acme", ("amazon", "mirror"), "azure", "ops1", "deploy", "bin.7:42")
BACK = NewRun(AT, "server-1", "mysql://db/acme", ("azure",), "amazon", "ops1", "deploy")


def batch(number: int, *ids: int | str, old: str = "amazon", new: str = "azure", undoes: int | None = None) -> NewBatch:
    return NewBatch(number, old, new, ids, "bin.7:99", undoes)


def ids_to_undo(journal: FlipJournal, run: int) -> list[tuple[int | str, ...]]:
    return [one.ids for one in journal.batches_to_undo(run)]


@pytest.fixture(params=[None, ""], ids=["autocommit", "legacy"])
def connection(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(tmp_path / "blobmove.db", isolation_level=request.param)
    connection.executescript(SCHEMA)
    yield connection
    connection.close()


@pytest.fixture
def journal(connection: sqlite3.Connection) -> FlipJournal:
    return FlipJournal(connection)


def test_what_was_written_is_on_disk_for_another_reader_at_once(journal: FlipJournal, tmp_path: Path) -> None:
    run = journal.open_run(RUN)
    journal.write_batches(run, AT, [batch(1, 1, 3), batch(2, "a-uuid", old="mirror")])
    other = sqlite3.connect(tmp_path / "blobmove.db")
    try:
        assert other.execute("SELECT id, batch, old_service, new_service, flipped FROM flip_row").fetchall() == [
            (1, 1, "amazon", "azure", None), (3, 1, "amazon", "azure", None), ("a-uuid", 2, "mirror", "azure", None),
        ]  # fmt: skip
        assert other.execute("SELECT DISTINCT position FROM flip_batch").fetchall() == [("bin.7:99",)]
    finally:
        other.close()


def test_every_commit_is_synced(connection: sqlite3.Connection, journal: FlipJournal) -> None:
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_batch_is_unsettled_until_its_fate_is_known(journal: FlipJournal) -> None:
    run = journal.open_run(RUN)
    journal.write_batches(run, AT, [batch(1, 1, 2)])
    (found,) = journal.unsettled()
    assert (found.run, found.number, found.server, found.old, found.new) == (run, 1, "server-1", "amazon", "azure")
    assert found.ids == (1, 2)
    journal.settle_batch(run, 1, AT, 2, [1])
    assert journal.unsettled() == []
    assert ids_to_undo(journal, run) == [(2,)]


def test_what_became_of_a_batch_reaches_the_disk_with_the_next_one(journal: FlipJournal, tmp_path: Path) -> None:
    run = journal.open_run(RUN)
    journal.write_batches(run, AT, [batch(1, 1, 2)])
    journal.settle_batch(run, 1, AT, 2, [])
    other = sqlite3.connect(tmp_path / "blobmove.db")
    try:
        assert other.execute("SELECT settled_at FROM flip_batch").fetchall() == [(None,)]
        journal.write_batches(run, AT, [batch(2, 3)])
        assert other.execute("SELECT number, settled_at, flipped FROM flip_batch").fetchall() == [
            (1, AT, 2), (2, None, 0),
        ]  # fmt: skip
        assert other.execute("SELECT id, flipped FROM flip_row").fetchall() == [(1, 1), (2, 1), (3, None)]
    finally:
        other.close()


def test_a_batch_of_another_server_after_a_fail_over_is_asked_there(journal: FlipJournal) -> None:
    run = journal.open_run(RUN)
    journal.write_batches(run, AT, [replace(batch(1, 1), server="the standby")])
    assert [one.server for one in journal.unsettled()] == ["the standby"]


def test_a_run_tells_its_story(journal: FlipJournal) -> None:
    run = journal.open_run(RUN)
    journal.write_batches(run, AT, [batch(1, "a-uuid", "b-uuid")])
    journal.settle_batch(run, 1, AT, 2, ["b-uuid"])
    journal.write_batches(run, AT, [batch(2, "c-uuid")])
    journal.close_run(run, AT, {"flipped": 1})
    (told,) = journal.runs()
    assert told == journal.run(run)
    assert (told.from_services, told.to_service, told.position) == (("amazon", "mirror"), "azure", "bin.7:42")
    assert (told.rows, told.flipped, told.unsettled, told.summary) == (3, 1, 1, {"flipped": 1, "version": __version__})
    assert journal.run(99) is None


def test_what_an_undo_has_put_back_is_not_to_be_undone_again(journal: FlipJournal) -> None:
    run = journal.open_run(RUN)
    journal.write_batches(run, AT, [batch(1, 1, 2, 3), batch(2, 4, 5, old="mirror")])
    journal.settle_batch(run, 1, AT, 3, [])
    journal.settle_batch(run, 2, AT, 2, [])
    assert [(one.number, one.old, one.new, one.ids) for one in journal.batches_to_undo(run)] == [
        (1, "amazon", "azure", (1, 2, 3)), (2, "mirror", "azure", (4, 5)),
    ]  # fmt: skip
    back = journal.open_run(replace(BACK, undo_of=run))
    journal.write_batches(back, AT, [batch(1, 1, 2, old="azure", new="amazon", undoes=1)])
    assert journal.count_to_undo(run) == 5
    journal.settle_batch(back, 1, AT, 2, [2])
    assert journal.count_to_undo(run) == 4
    assert ids_to_undo(journal, run) == [(2, 3), (4, 5)]
    again = journal.open_run(replace(BACK, undo_of=run))
    journal.write_batches(again, AT, [batch(1, 2, 3, old="azure", new="amazon", undoes=1)])
    journal.settle_batch(again, 1, AT, 2, [])
    assert ids_to_undo(journal, run) == [(4, 5)]


def test_the_last_run_that_can_be_undone_is_no_undo_and_has_rows_left(journal: FlipJournal) -> None:
    assert journal.last_undoable() is None
    first, second = journal.open_run(RUN), journal.open_run(RUN)
    for run in (first, second):
        journal.write_batches(run, AT, [batch(1, run)])
        journal.settle_batch(run, 1, AT, 1, [])
    back = journal.open_run(replace(BACK, undo_of=second))
    journal.write_batches(back, AT, [batch(1, second, old="azure", new="amazon", undoes=1)])
    journal.settle_batch(back, 1, AT, 1, [])
    last = journal.last_undoable()
    assert last is not None
    assert last.id == first


def test_names_of_earlier_runs_are_remembered_per_target(journal: FlipJournal) -> None:
    journal.open_run(RUN)
    assert journal.services_flipped_before("azure") == ("amazon", "mirror")
    assert journal.services_flipped_before("other") == ()


@pytest.mark.parametrize("ids", [(1, 2, 3, 9), ("a", "b", "c", "z")], ids=["numbers", "texts"])
def test_rows_that_some_batch_let_name_a_service_are_known(journal: FlipJournal, ids: tuple[int | str, ...]) -> None:
    run = journal.open_run(RUN)
    journal.write_batches(run, AT, [batch(1, *ids[:3])])
    assert journal.journaled(ids, "azure") == set(ids[:3])
    journal.settle_batch(run, 1, AT, 3, ids[:1])
    assert journal.journaled(ids, "azure") == set(ids[1:3])
    assert journal.journaled(ids, "amazon") == set()
    assert journal.journaled([], "azure") == set()


def test_a_batch_cannot_be_journaled_twice_and_the_attempt_leaves_nothing(journal: FlipJournal) -> None:
    run = journal.open_run(RUN)
    journal.write_batches(run, AT, [batch(1, 1)])
    with pytest.raises(sqlite3.IntegrityError):
        journal.write_batches(run, AT, [batch(2, 2), batch(1, 3)])
    assert journal.runs()[0].rows == 1
    assert len(journal.unsettled()) == 1


def test_the_way_back_of_a_million_rows_is_found_by_key(connection: sqlite3.Connection, journal: FlipJournal) -> None:
    run = journal.open_run(RUN)
    journal.write_batches(run, AT, [batch(1, 1)])
    journal.settle_batch(run, 1, AT, 1, [])
    journal.flush()
    asked: list[str] = []
    connection.set_trace_callback(asked.append)
    list(journal.batches_to_undo(run))
    journal.unsettled()
    connection.set_trace_callback(None)
    assert len(asked) == 4
    for query in asked:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}")]
        scans = [step for step in plan if step.startswith(("SCAN flip_batch", "SCAN b")) and "INDEX" not in step]
        assert scans == [], plan


def test_ids_of_an_unsigned_bigint_beyond_what_sqlite_stores_are_kept_and_found(journal: FlipJournal) -> None:
    far = 2**63 + 5
    run = journal.open_run(RUN)
    journal.write_batches(run, AT, [batch(1, 7, far), batch(2, far + 1, 2**64 - 1)])
    assert [one.ids for one in journal.unsettled()] == [(7, far), (far + 1, 2**64 - 1)]
    journal.settle_batch(run, 1, AT, 2, [])
    journal.settle_batch(run, 2, AT, 2, [2**64 - 1])
    assert ids_to_undo(journal, run) == [(7, far), (far + 1,)]
    assert journal.journaled([far, far + 1, far + 2, 2**64 - 1], "azure") == {far, far + 1}
