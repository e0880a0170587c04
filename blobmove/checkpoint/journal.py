"""The flip's journal: what each row named before, on disk before the database is asked to change it.

Tables flip_run, flip_batch and flip_row of `checkpoint.schema`. Every method that writes is one transaction,
synced when it returns (`synchronous=FULL`). A batch without `settled_at` is one whose fate is unknown: the
process died between writing it here and hearing the database's answer.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterator, Sequence

RowId = int | str


@dataclass(frozen=True, slots=True)
class NewRun:
    """What is known when a flip begins. Times are ISO 8601 in UTC; no text holds a secret."""

    started_at: str
    server: str
    database: str
    from_services: tuple[str, ...]
    to_service: str
    host: str
    operator: str
    position: str | None = None
    undo_of: int | None = None


@dataclass(frozen=True, slots=True)
class FlipRun:
    """One run as the journal tells it: rows journaled, rows flipped, batches whose fate is unknown."""

    id: int
    started_at: str
    finished_at: str | None
    server: str
    database: str
    from_services: tuple[str, ...]
    to_service: str
    undo_of: int | None
    host: str
    operator: str
    position: str | None
    summary: dict[str, Any] | None
    rows: int
    flipped: int
    unsettled: int


@dataclass(frozen=True, slots=True)
class UnsettledBatch:
    """A batch to ask the database about: (id, old name, new name) of each row."""

    run: int
    number: int
    server: str
    rows: tuple[tuple[RowId, str, str], ...]


class FlipJournal:
    """Reads and writes the journal through the checkpoint's one writing connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        if not connection.in_transaction:
            connection.execute("PRAGMA synchronous = FULL")

    def open_run(self, run: NewRun) -> int:
        """Begin a run; its number."""
        with self._writing() as connection:
            cursor = connection.execute(
                "INSERT INTO flip_run (started_at, server, database, from_services, to_service, undo_of, host,"
                " operator, position) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (run.started_at, run.server, run.database, json.dumps(run.from_services), run.to_service,
                 run.undo_of, run.host, run.operator, run.position),
            )  # fmt: skip
            return int(cursor.lastrowid or 0)

    def write_batch(self, run: int, number: int, at: str, rows: Sequence[tuple[RowId, str]]) -> None:
        """Put the old names of these rows on disk. Only after this returns may the database be asked to change."""
        with self._writing() as connection:
            batch = (run, number, at)
            connection.execute("INSERT INTO flip_batch (run, number, journaled_at) VALUES (?, ?, ?)", batch)
            connection.executemany(
                "INSERT INTO flip_row (run, id, batch, old_service) VALUES (?, ?, ?, ?)",
                ((run, row_id, number, old) for row_id, old in rows),
            )

    def settle_batch(self, run: int, number: int, at: str, flipped: Collection[RowId]) -> None:
        """Record what became of a batch: `flipped` name the new service now, its other rows were not changed."""
        with self._writing() as connection:
            connection.execute("UPDATE flip_row SET flipped = 0 WHERE run = ? AND batch = ?", (run, number))
            connection.executemany(
                "UPDATE flip_row SET flipped = 1 WHERE run = ? AND id = ?", ((run, row_id) for row_id in flipped)
            )
            connection.execute("UPDATE flip_batch SET settled_at = ? WHERE run = ? AND number = ?", (at, run, number))

    def close_run(self, run: int, at: str, summary: dict[str, Any]) -> None:
        """End a run. A run that was killed has no end: its batches tell what it did."""
        with self._writing() as connection:
            connection.execute(
                "UPDATE flip_run SET finished_at = ?, summary = ? WHERE id = ?",
                (at, json.dumps(summary, ensure_ascii=False), run),
            )

    def unsettled(self) -> list[UnsettledBatch]:
        """The batches whose fate is unknown, oldest first."""
        batches = self._connection.execute(
            "SELECT b.run, b.number, r.server FROM flip_batch b JOIN flip_run r ON r.id = b.run"
            " WHERE b.settled_at IS NULL ORDER BY b.run, b.number"
        ).fetchall()
        return [UnsettledBatch(run, number, server, self._changes(run, number)) for run, number, server in batches]

    def rows_to_undo(self, run: int, after: RowId | None = None, limit: int = 1000) -> list[tuple[RowId, str]]:
        """(id, old name) of the next rows that this run flipped and no undo of it has put back, by id."""
        beyond, values = ("", ()) if after is None else (" AND f.id > ?", (after,))
        rows = self._connection.execute(
            f"SELECT f.id, f.old_service FROM flip_row f {_NOT_YET_UNDONE}{beyond} ORDER BY f.id LIMIT ?",
            (run, *values, limit),
        )
        return [(row_id, old) for row_id, old in rows]

    def count_to_undo(self, run: int) -> int:
        """How many rows `rows_to_undo` has in all."""
        (rows,) = self._connection.execute(f"SELECT count(*) FROM flip_row f {_NOT_YET_UNDONE}", (run,)).fetchone()
        return int(rows)

    def runs(self) -> list[FlipRun]:
        """All runs, oldest first."""
        return [self._run(row) for row in self._connection.execute(f"{_RUNS} GROUP BY r.id ORDER BY r.id")]

    def run(self, number: int) -> FlipRun | None:
        """One run, None when there is none of that number."""
        row = self._connection.execute(f"{_RUNS} WHERE r.id = ? GROUP BY r.id", (number,)).fetchone()
        return None if row is None else self._run(row)

    def last_undoable(self) -> FlipRun | None:
        """The newest run that is not itself an undo and has rows left to put back."""
        candidates = [run for run in self.runs() if run.undo_of is None and run.flipped]
        return next((run for run in reversed(candidates) if self.count_to_undo(run.id)), None)

    def services_flipped_before(self, to_service: str) -> tuple[str, ...]:
        """Names from which earlier runs flipped to `to_service`: known names although no row may carry them now."""
        rows = self._connection.execute(
            "SELECT from_services FROM flip_run WHERE to_service = ? AND undo_of IS NULL ORDER BY id", (to_service,)
        )
        return tuple(dict.fromkeys(name for (names,) in rows for name in json.loads(names)))

    def _changes(self, run: int, number: int) -> tuple[tuple[RowId, str, str], ...]:
        """An undo's rows go back to what the run it undoes had found, so their new names are read from there."""
        rows = self._connection.execute(
            "SELECT f.id, f.old_service, CASE WHEN r.undo_of IS NULL THEN r.to_service ELSE u.old_service END"
            " FROM flip_row f JOIN flip_run r ON r.id = f.run"
            " LEFT JOIN flip_row u ON u.run = r.undo_of AND u.id = f.id"
            " WHERE f.run = ? AND f.batch = ? ORDER BY f.id",
            (run, number),
        )
        return tuple((row_id, old, new) for row_id, old, new in rows)

    def _run(self, row: tuple[Any, ...]) -> FlipRun:
        values = dict(zip(FlipRun.__dataclass_fields__, row, strict=True))
        values["from_services"] = tuple(json.loads(values["from_services"]))
        values["summary"] = None if values["summary"] is None else json.loads(values["summary"])
        return FlipRun(**values)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, whatever transaction mode the connection was opened in."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")


_NOT_YET_UNDONE = (
    "WHERE f.run = ? AND f.flipped = 1 AND NOT EXISTS ("
    " SELECT 1 FROM flip_run back CROSS JOIN flip_row done ON done.run = back.id"  # CROSS: few runs first, then a key
    " WHERE back.undo_of = f.run AND done.id = f.id AND done.flipped = 1)"
)
_RUNS = (
    "SELECT r.id, r.started_at, r.finished_at, r.server, r.database, r.from_services, r.to_service, r.undo_of,"
    " r.host, r.operator, r.position, r.summary, count(f.id), coalesce(sum(f.flipped), 0),"
    " (SELECT count(*) FROM flip_batch b WHERE b.run = r.id AND b.settled_at IS NULL)"
    " FROM flip_run r LEFT JOIN flip_row f ON f.run = r.id"
)
