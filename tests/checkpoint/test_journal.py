"""The journal of the flip: written before, settled after, and enough to find the way back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from blobmove.checkpoint.journal import FlipJournal, NewRun
from blobmove.checkpoint.schema import SCHEMA

AT = "2026-11-22T03:00:00Z"
RUN = NewRun(AT, "server-1", "mysql://db/acme", ("amazon", "mirror"), "azure", "ops1", "deploy", "bin.7:42")


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
    journal.write_batch(run, 1, AT, [(1, "amazon"), (2, "mirror")])
    other = sqlite3.connect(tmp_path / "blobmove.db")
    try:
        assert other.execute("SELECT id, old_service, flipped FROM flip_row").fetchall() == [
            (1, "amazon", None), (2, "mirror", None),
        ]  # fmt: skip
    finally:
        other.close()


def test_every_commit_is_synced(connection: sqlite3.Connection, journal: FlipJournal) -> None:
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_batch_is_unsettled_until_its_fate_is_known(journal: FlipJournal) -> None:
    run = journal.open_run(RUN)
    journal.write_batch(run, 1, AT, [(1, "amazon"), (2, "mirror")])
    (batch,) = journal.unsettled()
    assert (batch.run, batch.number, batch.server) == (run, 1, "server-1")
    assert batch.rows == ((1, "amazon", "azure"), (2, "mirror", "azure"))
    journal.settle_batch(run, 1, AT, [2])
    assert journal.unsettled() == []
    assert journal.rows_to_undo(run) == [(2, "mirror")]


def test_a_run_tells_its_story(journal: FlipJournal) -> None:
    run = journal.open_run(RUN)
    journal.write_batch(run, 1, AT, [("a-uuid", "amazon"), ("b-uuid", "amazon")])
    journal.settle_batch(run, 1, AT, ["a-uuid"])
    journal.write_batch(run, 2, AT, [("c-uuid", "amazon")])
    journal.close_run(run, AT, {"flipped": 1})
    (told,) = journal.runs()
    assert told == journal.run(run)
    assert (told.from_services, told.to_service, told.position) == (("amazon", "mirror"), "azure", "bin.7:42")
    assert (told.rows, told.flipped, told.unsettled, told.summary) == (3, 1, 1, {"flipped": 1})
    assert journal.run(99) is None


def test_rows_to_undo_come_in_pages_and_leave_out_what_an_undo_has_put_back(journal: FlipJournal) -> None:
    run = journal.open_run(RUN)
    journal.write_batch(run, 1, AT, [(number, "amazon") for number in range(1, 6)])
    journal.settle_batch(run, 1, AT, range(1, 6))
    assert journal.rows_to_undo(run, None, 2) == [(1, "amazon"), (2, "amazon")]
    assert journal.rows_to_undo(run, 2, 2) == [(3, "amazon"), (4, "amazon")]
    back = journal.open_run(NewRun(AT, "server-1", "mysql://db/acme", ("azure",), "amazon", "", "", undo_of=run))
    journal.write_batch(back, 1, AT, [(1, "azure"), (2, "azure")])
    assert journal.unsettled()[0].rows == ((1, "azure", "amazon"), (2, "azure", "amazon"))
    journal.settle_batch(back, 1, AT, [1])
    assert journal.count_to_undo(run) == 4
    assert journal.rows_to_undo(run)[0] == (2, "amazon")


def test_the_last_run_that_can_be_undone_is_no_undo_and_has_rows_left(journal: FlipJournal) -> None:
    assert journal.last_undoable() is None
    first, second = journal.open_run(RUN), journal.open_run(RUN)
    for run in (first, second):
        journal.write_batch(run, 1, AT, [(run, "amazon")])
        journal.settle_batch(run, 1, AT, [run])
    back = journal.open_run(NewRun(AT, "server-1", "mysql://db/acme", ("azure",), "amazon", "", "", undo_of=second))
    journal.write_batch(back, 1, AT, [(second, "azure")])
    journal.settle_batch(back, 1, AT, [second])
    last = journal.last_undoable()
    assert last is not None
    assert last.id == first


def test_names_of_earlier_runs_are_remembered_per_target(journal: FlipJournal) -> None:
    journal.open_run(RUN)
    assert journal.services_flipped_before("azure") == ("amazon", "mirror")
    assert journal.services_flipped_before("other") == ()


def test_a_row_cannot_be_journaled_twice_in_a_run_and_the_attempt_leaves_nothing(journal: FlipJournal) -> None:
    run = journal.open_run(RUN)
    journal.write_batch(run, 1, AT, [(1, "amazon")])
    with pytest.raises(sqlite3.IntegrityError):
        journal.write_batch(run, 2, AT, [(2, "amazon"), (1, "mirror")])
    assert journal.runs()[0].rows == 1
    assert len(journal.unsettled()) == 1


def test_the_way_back_of_a_million_rows_is_found_by_key(connection: sqlite3.Connection, journal: FlipJournal) -> None:
    asked: list[str] = []
    connection.set_trace_callback(asked.append)
    journal.count_to_undo(1)
    journal.rows_to_undo(1, 5)
    connection.set_trace_callback(None)
    assert len(asked) == 2
    for query in asked:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}")]
        assert any("SEARCH done USING PRIMARY KEY (run=? AND id=?)" in step for step in plan)
        assert not any(step.startswith(("SCAN f", "SCAN done")) for step in plan)
