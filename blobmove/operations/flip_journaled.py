"""Changing rows for real: journal, synced; UPDATE, compare-and-set; journal. In this order no old value is lost.

The UPDATE of one batch may run in a thread of its own while the next batch is read, judged and journaled; never is
more than one batch ahead, and never an UPDATE sent whose old values are not on disk.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from blobmove.checkpoint.journal import NewBatch
from blobmove.core.flipping import DatabaseTrouble, Trouble
from blobmove.operations.flip_movers import Change, Moved, by_names

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from blobmove.operations.flip_doors import FlipDoors, RowId
    from blobmove.operations.flip_patience import Patience

TRIES_BATCH: Final = 3
TRIES_PART: Final = 2
"""Tries at a batch that meets locks before it is halved, and at each half: one locked row must not stop the rest."""


@dataclass(slots=True)
class _Answer:
    """How the first try at each part of a batch ended: rows changed, or the trouble; and how long it took."""

    parts: list[int | DatabaseTrouble] = field(default_factory=list)
    seconds: float = 0.0


class JournalMover:
    """The mover of a real run. Use as a context manager: leaving it waits for an UPDATE that is under way."""

    def __init__(self, doors: FlipDoors, patience: Patience, reading: Patience, run: int) -> None:
        self._doors = doors
        self._patience = patience
        self._reading = reading
        self._run = run
        self._home = patience.server
        self._number = 0
        self._tells_position = True
        self._prepared: list[NewBatch] = []
        self._started: list[NewBatch] = []
        self._answer: Future[_Answer] | _Answer = _Answer()
        self._thread = ThreadPoolExecutor(1, "flip") if doors.reader is not None else None
        self.ahead = self._thread is not None

    def __enter__(self) -> JournalMover:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._thread is not None:
            self._thread.shutdown()

    def prepare(self, changes: Sequence[Change]) -> None:
        position, server = self._position(), self._patience.server
        elsewhere = None if server == self._home else server
        self._prepared = []
        for old, new, ids in by_names(changes):
            self._number += 1
            self._prepared.append(NewBatch(self._number, old, new, ids, position, changes[0].undoes, elsewhere))
        self._doors.journal.write_batches(self._run, self._doors.now(), self._prepared)

    def drop(self) -> None:
        for batch in self._prepared:
            self._doors.journal.settle_batch(self._run, batch.number, self._doors.now(), len(batch.ids), batch.ids)
        self._prepared = []

    def start(self) -> None:
        self._started, self._prepared = self._prepared, []
        self._answer = _Answer()
        self._answer = self._try() if self._thread is None else self._thread.submit(self._try)

    def _try(self) -> _Answer:
        """One try at each part, without patience: in its thread nothing is said, waited for or written."""
        answer, clock = _Answer(), self._doors.clock
        began = clock()
        for batch in self._started:
            try:
                answer.parts.append(self._doors.table.flip(batch.ids, batch.old, batch.new))
            except DatabaseTrouble as trouble:
                answer.parts.append(trouble)
        answer.seconds = clock() - began
        return answer

    def finish(self) -> Moved:
        """Raises what Patience raises; the batch is then unsettled and the next run asks the rows."""
        answer = self._answer.result() if isinstance(self._answer, Future) else self._answer
        moved = Moved(seconds=answer.seconds)
        for batch, part in zip(self._started, answer.parts, strict=True):
            locked: set[RowId] = set()
            changed = part
            if isinstance(changed, DatabaseTrouble):
                began = self._doors.clock()
                changed = self._insist(batch, list(batch.ids), locked, TRIES_BATCH, changed)
                moved.seconds += self._doors.clock() - began
            kept = [] if changed == len(batch.ids) else self._look(batch, locked, moved)
            moved.flipped += len(batch.ids) - len(kept)
            self._doors.journal.settle_batch(self._run, batch.number, self._doors.now(), len(batch.ids), kept)
        return moved

    def _insist(
        self, batch: NewBatch, ids: list[RowId], locked: set[RowId], tries: int, first: DatabaseTrouble | None = None
    ) -> int:
        """Rows changed. A part that stays locked is halved until only the locked rows themselves are left over."""
        try:
            return self._patience.ask(lambda: self._doors.table.flip(ids, batch.old, batch.new), tries, first)
        except DatabaseTrouble as trouble:
            if trouble.trouble is not Trouble.BUSY:
                raise
            if len(ids) == 1 or self._doors.stop():
                locked.update(ids)
                return 0
        half = len(ids) // 2
        return sum(self._insist(batch, part, locked, TRIES_PART) for part in (ids[:half], ids[half:]))

    def _look(self, batch: NewBatch, locked: set[RowId], moved: Moved) -> list[RowId]:
        """Fewer rows changed than were meant: read them again, and tell why of those that did not.

        Purged or changed by someone else is no error.
        """
        current = self._patience.ask(lambda: self._doors.table.current(batch.ids))
        kept = [one for one in batch.ids if current[one] != batch.new]
        for one in kept:
            if current[one] is None:
                moved.refused[one] = "purged"
            else:
                moved.refused[one] = "locked" if one in locked else "changed-meanwhile"
        return kept

    def _position(self) -> str | None:
        """Where the server's log stands before this batch; a user who may not ask is asked once only."""
        if not self._tells_position:
            return None
        position = self._reading.ask(self._doors.reading.position)
        self._tells_position = position is not None
        return position
