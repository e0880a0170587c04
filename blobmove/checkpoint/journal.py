"""The flip's journal: what each row named before, on disk before the database is asked to change it.

Tables flip_run and flip_batch of `checkpoint.schema`. A batch is one row: writing thousands of ids costs one insert
and one sync. What became of a batch is written together with the next one, so that a batch costs one sync, not two;
a batch without `settled_at` is one whose fate is unknown: the process died before that, and the rows must be asked.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from blobmove import __version__
from blobmove.checkpoint.values import MOST_INTEGER
from blobmove.core.frozen import frozen

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterator, Sequence

RowId = int | str


@frozen
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


@frozen
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


@frozen
class NewBatch:
    """Rows that are to name `new` instead of `old`.

    `position` is where the server's log of changes stood before, None where it may not be read. `undoes` is the
    number of the batch (of the run that is taken back) to which these rows belong. `server` is the one that answers
    after a fail-over, None while it is the run's.
    """

    number: int
    old: str
    new: str
    ids: Sequence[RowId]
    position: str | None = None
    undoes: int | None = None
    server: str | None = None


@frozen
class UnsettledBatch:
    """A batch to ask the database about."""

    run: int
    number: int
    server: str
    old: str
    new: str
    ids: tuple[RowId, ...]


@frozen
class BatchToUndo:
    """Rows of one batch that it flipped from `old` to `new` and no undo has put back, in the batch's order."""

    number: int
    old: str
    new: str
    ids: tuple[RowId, ...]


class FlipJournal:
    """Reads and writes the journal through the checkpoint's one writing connection, from one thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._settled: list[tuple[str, str | None, int, int, int]] = []
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

    def write_batches(self, run: int, at: str, batches: Sequence[NewBatch]) -> None:
        """Put the old names of these rows on disk. Only after this returns may the database be asked to change."""
        with self._writing() as connection:
            connection.executemany(
                "INSERT INTO flip_batch (run, number, old_service, new_service, ids, row_count, first_id, last_id,"
                " server, position, undoes, journaled_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [(run, one.number, one.old, one.new, _packed(one.ids), len(one.ids), _least(one.ids), _most(one.ids),
                  one.server, one.position, one.undoes, at) for one in batches],
            )  # fmt: skip

    def settle_batch(self, run: int, number: int, at: str, rows: int, kept: Collection[RowId]) -> None:
        """Note what became of a batch of `rows` rows: all but `kept` name the new service now.

        It reaches the disk with the next batch, with flush() or close_run(); until then the fate counts as unknown.
        """
        self._settled.append((at, _packed(kept) if kept else None, rows - len(kept), run, number))

    def flush(self) -> None:
        """Put on disk what is noted."""
        if self._settled:
            with self._writing():
                pass

    def close_run(self, run: int, at: str, summary: dict[str, Any]) -> None:
        """End a run. A run that was killed has no end: its batches tell what it did."""
        with self._writing() as connection:
            connection.execute(
                "UPDATE flip_run SET finished_at = ?, summary = ? WHERE id = ?",
                (at, json.dumps({**summary, "version": __version__}, ensure_ascii=False), run),
            )

    def unsettled(self) -> list[UnsettledBatch]:
        """The batches whose fate is unknown, oldest first."""
        self.flush()
        batches = self._connection.execute(
            "SELECT b.run, b.number, coalesce(b.server, r.server), b.old_service, b.new_service, b.ids"
            " FROM flip_batch b JOIN flip_run r ON r.id = b.run WHERE b.settled_at IS NULL ORDER BY b.run, b.number"
        )
        return [
            UnsettledBatch(run, number, server, old, new, tuple(json.loads(ids)))
            for run, number, server, old, new, ids in batches.fetchall()
        ]

    def batches_to_undo(self, run: int) -> Iterator[BatchToUndo]:
        """What this run flipped and no undo of it has put back, batch by batch: flat memory."""
        self.flush()
        number = -1
        while (row := self._connection.execute(_NEXT_TO_UNDO, (run, number)).fetchone()) is not None:
            number, old, new, ids, kept = row
            done = _unpacked(kept)
            for back, back_kept in self._connection.execute(_UNDONE, (run, number)).fetchall():
                done |= _unpacked(back) - _unpacked(back_kept)
            left = tuple(one for one in json.loads(ids) if one not in done)
            if left:
                yield BatchToUndo(number, old, new, left)

    def count_to_undo(self, run: int) -> int:
        """How many rows `batches_to_undo` has in all."""
        self.flush()
        (rows,) = self._connection.execute(_COUNT_TO_UNDO, (run, run)).fetchone()
        return int(rows)

    def runs(self) -> list[FlipRun]:
        """All runs, oldest first."""
        self.flush()
        return [self._run(row) for row in self._connection.execute(f"{_RUNS} GROUP BY r.id ORDER BY r.id")]

    def run(self, number: int) -> FlipRun | None:
        """One run, None when there is none of that number."""
        self.flush()
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

    def journaled(self, ids: Sequence[RowId], service: str) -> set[RowId]:
        """Those of `ids` that some batch has let name `service`, or may have."""
        if not ids:
            return set()
        self.flush()
        rows = self._connection.execute(_JOURNALED, (service, _most(ids), _least(ids)))
        wanted = set(ids)
        return {one for batch, kept in rows for one in (_unpacked(batch) - _unpacked(kept)) & wanted}

    def _run(self, row: tuple[Any, ...]) -> FlipRun:
        values = dict(zip(FlipRun.__dataclass_fields__, row, strict=True))
        values["from_services"] = tuple(json.loads(values["from_services"]))
        values["summary"] = None if values["summary"] is None else json.loads(values["summary"])
        return FlipRun(**values)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, whatever transaction mode the connection was opened in; what is noted goes with it."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._connection.executemany(
                "UPDATE flip_batch SET settled_at = ?, kept = ?, flipped = ? WHERE run = ? AND number = ?",
                self._settled,
            )
            yield self._connection
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
        self._settled.clear()


def _packed(ids: Collection[RowId]) -> str:
    return json.dumps(list(ids), ensure_ascii=False, separators=(",", ":"))


def _least(ids: Sequence[RowId]) -> RowId:
    return _held(min(ids))


def _most(ids: Sequence[RowId]) -> RowId:
    return _held(max(ids))


def _held(row_id: RowId) -> RowId:
    """The columns of a batch's ends hold at most MOST_INTEGER: an unsigned bigint beyond it counts as that. Batches out
    there are then looked into although they need not be; none is overlooked."""
    return min(row_id, MOST_INTEGER) if isinstance(row_id, int) else row_id


def _unpacked(ids: str | None) -> set[RowId]:
    return set() if ids is None else set(json.loads(ids))


_NEXT_TO_UNDO = (
    "SELECT number, old_service, new_service, ids, kept FROM flip_batch"
    " WHERE run = ? AND number > ? AND flipped > 0 ORDER BY number LIMIT 1"
)
_UNDONE = (
    "SELECT b.ids, b.kept FROM flip_run r JOIN flip_batch b ON b.run = r.id"
    " WHERE r.undo_of = ? AND b.undoes = ? AND b.settled_at IS NOT NULL"
)
_JOURNALED = (
    "SELECT ids, kept FROM flip_batch WHERE new_service = ? AND first_id <= ? AND last_id >= ?"
)
_COUNT_TO_UNDO = (
    "SELECT (SELECT coalesce(sum(flipped), 0) FROM flip_batch WHERE run = ?)"
    " - (SELECT coalesce(sum(b.flipped), 0) FROM flip_run r JOIN flip_batch b ON b.run = r.id WHERE r.undo_of = ?)"
)
_RUNS = (
    "SELECT r.id, r.started_at, r.finished_at, r.server, r.database, r.from_services, r.to_service, r.undo_of,"
    " r.host, r.operator, r.position, r.summary, coalesce(sum(b.row_count), 0), coalesce(sum(b.flipped), 0),"
    " count(b.run) - count(b.settled_at)"
    " FROM flip_run r LEFT JOIN flip_batch b ON b.run = r.id"
)
