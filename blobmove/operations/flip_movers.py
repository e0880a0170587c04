"""Three ways to change a batch of rows: for real with the journal, as a dry run, or written down as SQL."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from blobmove.core.errors import UsageError
from blobmove.core.flipping import DatabaseTrouble, Trouble

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import TextIO

    from blobmove.operations.flip_doors import BlobTable, FlipDoors, RowId
    from blobmove.operations.flip_patience import Patience

TRIES_BATCH: Final = 3
TRIES_PART: Final = 2
"""Tries at a batch that meets locks before it is halved, and at each half: one locked row must not stop the rest."""


@dataclass(frozen=True, slots=True)
class Change:
    """One row that is to name `new` instead of `old`."""

    id: RowId
    key: str
    old: str
    new: str


@dataclass(slots=True)
class Moved:
    """What became of a batch: ids that changed, and for each other id the reason."""

    flipped: list[RowId] = field(default_factory=list)
    refused: dict[RowId, str] = field(default_factory=dict)


class Mover(Protocol):
    """Changes a batch of rows, or does as if."""

    def move(self, changes: Sequence[Change]) -> Moved: ...


class DryMover:
    """Changes nothing: every row that passed the gate would be flipped."""

    def move(self, changes: Sequence[Change]) -> Moved:
        return Moved([change.id for change in changes])


class JournalMover:
    """Journal, synced; UPDATE, compare-and-set; journal. In this order, so that a crash loses no old value."""

    def __init__(self, doors: FlipDoors, patience: Patience, run: int) -> None:
        self._doors = doors
        self._patience = patience
        self._run = run
        self._number = 0

    def move(self, changes: Sequence[Change]) -> Moved:
        """One batch. Raises what Patience raises; the batch is then unsettled and the next run asks the rows."""
        journal, now = self._doors.journal, self._doors.now
        self._number += 1
        journal.write_batch(self._run, self._number, now(), [(change.id, change.old) for change in changes])
        locked: set[RowId] = set()
        changed = 0
        for (old, new), group in groupby(sorted(changes, key=_names), key=_names):
            changed += self._flip([change.id for change in group], old, new, locked, TRIES_BATCH)
        moved = Moved([change.id for change in changes]) if changed == len(changes) else self._look(changes, locked)
        journal.settle_batch(self._run, self._number, now(), moved.flipped)
        return moved

    def _flip(self, ids: list[RowId], old: str, new: str, locked: set[RowId], tries: int) -> int:
        """Rows changed. A part that stays locked is halved until only the locked rows themselves are left over."""
        try:
            return self._patience.ask(lambda: self._doors.table.flip(ids, old, new), tries)
        except DatabaseTrouble as trouble:
            if trouble.trouble is not Trouble.BUSY:
                raise
            if len(ids) == 1 or self._doors.stop():
                locked.update(ids)
                return 0
        half = len(ids) // 2
        return sum(self._flip(part, old, new, locked, TRIES_PART) for part in (ids[:half], ids[half:]))

    def _look(self, changes: Sequence[Change], locked: set[RowId]) -> Moved:
        """Fewer rows changed than were meant: read them again. Purged or changed by someone is no error."""
        current = self._patience.ask(lambda: self._doors.table.current([change.id for change in changes]))
        moved = Moved()
        for change in changes:
            name = current[change.id]
            if name == change.new:
                moved.flipped.append(change.id)
            elif name is None:
                moved.refused[change.id] = "purged"
            else:
                moved.refused[change.id] = "locked" if change.id in locked else "changed-meanwhile"
        return moved


class SqlMover:
    """Writes the statements for a DBA, and the way back beside them. Use as a context manager."""

    def __init__(self, table: BlobTable, path: Path) -> None:
        self._table = table
        self.path = path
        self.undo_path = path.with_name(f"{path.stem}.undo{path.suffix}")
        self._files: list[TextIO] = []

    def __enter__(self) -> SqlMover:
        try:
            for path in (self.path, self.undo_path):
                self._files.append(path.open("w", encoding="utf-8"))
        except OSError as error:
            self._close()
            cause = error.strerror or str(error)
            raise UsageError("E403-FILE", f"{self.path} cannot be written", cause=cause, hint="--sql FILE") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        for file in self._files:
            file.close()

    def move(self, changes: Sequence[Change]) -> Moved:
        """One statement for each old name; each commits by itself, so that locks stay short."""
        there, back = self._files
        for (old, new), group in groupby(sorted(changes, key=_names), key=_names):
            ids = [change.id for change in group]
            there.write(self._table.statement(ids, old, new) + "\n")
            back.write(self._table.statement(ids, new, old) + "\n")
        return Moved([change.id for change in changes])


def _names(change: Change) -> tuple[str, str]:
    return change.old, change.new
