"""Changing rows for real: journal, synced; UPDATE, compare-and-set; journal. In this order no old value is lost.

The UPDATE of one batch may run in a thread of its own while the next batch is read, judged and journaled; never is
more than one batch ahead, and never an UPDATE sent whose old values are not on disk. A batch that is longer than the
pace allows by the time its turn comes is changed by several UPDATEs.

Once a connection was lost and made again, the rows of each batch are read again over the connection that will change
them, and only those that are there as the gate saw them are changed: after a fail-over an id may be that of another
file. This lasts until the end of the run: it takes no trust in what rows were read before, where, or by which name a
server calls itself.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from blobmove.checkpoint.journal import NewBatch
from blobmove.core.events import Note
from blobmove.core.flipping import DatabaseTrouble, Trouble
from blobmove.core.rows import Rows
from blobmove.operations.flip_movers import Moved, Wanted, by_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

    from blobmove.core.flipping import Candidate, Pace
    from blobmove.operations.flip_doors import FlipDoors, RowId
    from blobmove.operations.flip_patience import Patience

TRIES_ROW: Final = 3
"""Tries at a single row that stays locked, before it is left out: one must not stop the rest.

Several rows that meet a lock are halved at once: to wait for it again would keep the application from all that come
before it, again; a single row keeps it from nothing.
"""

POSITION_SECONDS: Final = 0.25
"""The position in the journal is a place from which on a change will be found: it need not be asked for each batch,
where the question would wait for the page that is being read."""


@dataclass(slots=True)
class _Part:
    """How the first try at some rows of a batch has ended: rows changed, or the trouble; and how long it took."""

    ids: list[RowId]
    changed: int | DatabaseTrouble
    seconds: float


_Answer = list[list[_Part]]
"""The parts of each batch that was started."""


class JournalMover:
    """The mover of a real run. Use as a context manager: leaving it waits for an UPDATE that is under way."""

    def __init__(self, doors: FlipDoors, patience: Patience, reading: Patience, run: int, pace: Pace) -> None:
        self.pace = pace
        self._doors = doors
        self._patience = patience
        self._reading = reading
        self._run = run
        self._home = patience.server
        self._number = 0
        self._position: str | None = None
        self._asked: tuple[float, int] | None = None
        self._prepared: list[NewBatch] = []
        self._started: list[NewBatch] = []
        self._wanted = self._judged = Wanted(Rows(), "")
        self._answer: Future[_Answer] | _Answer = []
        self._thread = ThreadPoolExecutor(1, "flip") if doors.reader is not None else None
        self.ahead = self._thread is not None

    def __enter__(self) -> JournalMover:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._thread is not None:
            self._thread.shutdown()

    def prepare(self, wanted: Wanted) -> None:
        position, server = self._stands(), self._patience.server
        elsewhere = None if server == self._home else server
        self._prepared, self._wanted = [], wanted
        for old, ids in by_names(wanted.rows):
            self._number += 1
            self._prepared.append(NewBatch(self._number, old, wanted.new, ids, position, wanted.undoes, elsewhere))
        self._doors.journal.write_batches(self._run, self._doors.now(), self._prepared)

    def drop(self) -> None:
        for batch in self._prepared:
            self._doors.journal.settle_batch(self._run, batch.number, self._doors.now(), len(batch.ids), batch.ids)
        self._prepared = []

    def start(self) -> None:
        self._started, self._prepared = self._prepared, []
        self._judged = self._wanted
        self._answer = []
        self._answer = self._try() if self._thread is None else self._thread.submit(self._try)

    def _try(self) -> _Answer:
        """One try at each part, without patience: in its thread nothing is said, waited for or written."""
        return [list(self._try_parts(batch)) for batch in self._started]

    def _try_parts(self, batch: NewBatch) -> Iterator[_Part]:
        clock, start = self._doors.clock, 0
        while start < len(batch.ids):
            ids = list(batch.ids[start : start + self.pace.size])
            start += len(ids)
            began = clock()
            try:
                part = _Part(ids, self._change(batch, ids), clock() - began)
            except DatabaseTrouble as trouble:
                part = _Part(ids, trouble, clock() - began)
            else:
                self.pace.took(len(ids), part.seconds)
            yield part

    def _change(self, batch: NewBatch, ids: list[RowId]) -> int:
        """Rows changed by one UPDATE. A connection is never replaced within a try: what is read here is what it is
        sent to."""
        table = self._doors.table
        if self._in_doubt():
            there, seen = {row.id: row for row in table.rows(ids)}, self._seen()
            ids = [one for one in ids if one in there and _is_as_seen(there[one], seen)]
        return table.flip(ids, batch.old, batch.new) if ids else 0

    def _in_doubt(self) -> bool:
        """Whether rows may be others, on the server that we write to now, than those that were judged."""
        return self._patience.unsure or self._reading.unsure

    def _seen(self) -> dict[RowId, Candidate | None]:
        """The rows of the batch under way as the gate saw them; None for those of an undo, of which it saw none."""
        return {row.id: row if self._judged.undoes is None else None for row in self._judged.rows}

    def finish(self) -> Moved:
        """Raises what Patience raises; the batch is then unsettled and the next run asks the rows."""
        answer = self._answer.result() if isinstance(self._answer, Future) else self._answer
        moved = Moved()
        for batch, parts in zip(self._started, answer, strict=True):
            locked: set[RowId] = set()
            changed = sum(self._finish_part(batch, part, locked) for part in parts)
            moved.seconds += sum(part.seconds for part in parts)
            kept = [] if changed == len(batch.ids) else self._look(batch, locked, moved)
            moved.flipped += len(batch.ids) - len(kept)
            self._doors.journal.settle_batch(self._run, batch.number, self._doors.now(), len(batch.ids), kept)
        return moved

    def _finish_part(self, batch: NewBatch, part: _Part, locked: set[RowId]) -> int:
        if not isinstance(part.changed, DatabaseTrouble):
            return part.changed
        began = self._doors.clock()
        changed = self._insist(batch, part.ids, locked, part.changed)
        part.seconds += self._doors.clock() - began
        self.pace.took(len(part.ids), part.seconds)
        return changed

    def _insist(
        self, batch: NewBatch, ids: list[RowId], locked: set[RowId], first: DatabaseTrouble | None = None
    ) -> int:
        """Rows changed. A part that meets a lock is halved until only the locked rows themselves are left over."""
        try:
            return self._patience.ask(lambda: self._change(batch, ids), 1 if len(ids) > 1 else TRIES_ROW, first)
        except DatabaseTrouble as trouble:
            if trouble.trouble is not Trouble.BUSY:
                raise
            if len(ids) == 1 or self._doors.stop():
                locked.update(ids)
                return 0
            self._patience.pause(trouble)
        half = len(ids) // 2
        return sum(self._insist(batch, part, locked) for part in (ids[:half], ids[half:]))

    def _look(self, batch: NewBatch, locked: set[RowId], moved: Moved) -> list[RowId]:
        """Fewer rows changed than were meant: read them again, and tell why of those that did not.

        Purged or changed by someone else is no error. Of another file's row nothing is told but that it is left.
        """
        current, others = self._patience.ask(lambda: self._present(batch))
        kept = [one for one in batch.ids if one in others or current[one] != batch.new]
        for one in kept:
            if one in others:
                continue
            if current[one] is None:
                moved.refused[one] = "purged"
            else:
                moved.refused[one] = "locked" if one in locked else "changed-meanwhile"
        if others:
            told = f"{len(others):,} of the rows read before the connection was lost are not the same on this server"
            self._doors.listener(Note(f"{told} ({min(others)}, ...): left for the next run"))
        return kept

    def _present(self, batch: NewBatch) -> tuple[dict[RowId, str | None], set[RowId]]:
        """What the rows of a batch name now, None for one that is gone; and those that are not the rows we judged."""
        if not self._in_doubt():
            return self._doors.table.current(batch.ids), set()
        seen = self._seen()
        rows = [row for row in self._doors.table.rows(batch.ids) if row.id in seen]
        current: dict[RowId, str | None] = dict.fromkeys(batch.ids)
        current.update((row.id, row.service_name) for row in rows)
        return current, {row.id for row in rows if not _is_as_seen(row, seen)}

    def _stands(self) -> str | None:
        """Where the server's log stood at most POSITION_SECONDS before this batch; after a loss it is asked anew. A
        user who may not ask is asked once only."""
        if self._asked is not None and self._position is None:
            return None
        now, losses = self._doors.clock(), self._patience.losses + self._reading.losses
        if self._asked is None or now - self._asked[0] >= POSITION_SECONDS or losses != self._asked[1]:
            self._position = self._reading.ask(self._doors.reading.position)
            self._asked = now, self._patience.losses + self._reading.losses
        return self._position


def _is_as_seen(row: Candidate, seen: Mapping[RowId, Candidate | None]) -> bool:
    """What the gate looked at, but for the name: that one the UPDATE compares."""
    before = seen[row.id]
    return before is None or before == row._replace(service_name=before.service_name)
