"""Three ways to change a batch of rows: for real with the journal, as a dry run, or written down as SQL."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from blobmove.core.errors import RefusedError, UsageError
from blobmove.core.frozen import frozen
from blobmove.core.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType
    from typing import TextIO

    from blobmove.core.flipping import Pace
    from blobmove.operations.flip_doors import BlobTable, RowId


@frozen
class Wanted:
    """Rows that are to name `new` instead of what each names; `undoes` is the batch that an undo takes back.

    They are as the gate saw them, but those of an undo: nothing but their ids and names is known then.
    """

    rows: Rows
    new: str
    undoes: int | None = None


@dataclass(slots=True)
class Moved:
    """What became of a batch: rows that changed, for other ids the reason, and how long the database took.

    Rows that are neither are left as they are for the next run to look at.
    """

    flipped: int = 0
    refused: dict[RowId, str] = field(default_factory=dict)
    seconds: float = 0.0


class Mover(Protocol):
    """Changes batches of rows, or does as if. Per batch: prepare, then start and finish, or drop.

    With `ahead` the next batch may be prepared between start and finish. `pace` says how many rows a batch may have.
    """

    ahead: bool
    pace: Pace

    def prepare(self, wanted: Wanted) -> None:
        """Put on disk what the way back needs."""
        ...

    def start(self) -> None:
        """Begin to change the rows prepared last."""
        ...

    def finish(self) -> Moved:
        """Wait for what was started."""
        ...

    def drop(self) -> None:
        """Leave what is prepared and not started."""
        ...


class DryMover:
    """Changes nothing: every row that passed the gate would be flipped."""

    ahead = False

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self._rows = 0

    def prepare(self, wanted: Wanted) -> None:
        self._rows = len(wanted.rows)

    def start(self) -> None:
        pass

    def finish(self) -> Moved:
        self.pace.took(self.pace.size, 0.0)  # nothing is locked
        return Moved(self._rows)

    def drop(self) -> None:
        pass


class SqlMover(DryMover):
    """Writes the statements for a DBA, and the way back beside them. Use as a context manager."""

    def __init__(self, pace: Pace, table: BlobTable, path: Path) -> None:
        super().__init__(pace)
        self._table = table
        self.path = path
        self.undo_path = undo_path_of(path)
        self._files: list[TextIO] = []
        self._wanted = Wanted(Rows(), "")

    def __enter__(self) -> SqlMover:
        """Raises RefusedError E409-FILE rather than write over the only way back of statements that were run."""
        for path in (self.path, self.undo_path):
            try:
                self._files.append(path.open("x", encoding="utf-8"))
            except FileExistsError:
                self._remove()
                raise RefusedError(
                    "E409-FILE", f"{path} is there already", cause="it may be the only way back of what was run",
                    hint="--sql with another name; or move both files away",
                ) from None
            except OSError as error:
                self._remove()
                cause = error.strerror or str(error)
                raise UsageError("E403-FILE", f"{path} cannot be written", cause=cause, hint="--sql FILE") from None
        for file in self._files:
            file.writelines(f"{statement};\n" for statement in self._table.script())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """What an error has cut short is of no use to anybody."""
        if kind is not None:
            self._remove()
        for file in self._files:
            file.close()

    def _remove(self) -> None:
        for file in self._files:
            file.close()
            Path(file.name).unlink(missing_ok=True)

    def prepare(self, wanted: Wanted) -> None:
        super().prepare(wanted)
        self._wanted = wanted

    def start(self) -> None:
        """One statement for each old name; each commits by itself, so that locks stay short."""
        there, back = self._files
        new = self._wanted.new
        for old, ids in by_names(self._wanted.rows):
            there.write(self._table.statement(ids, old, new) + "\n")
            back.write(self._table.statement(ids, new, old) + "\n")


def undo_path_of(path: Path) -> Path:
    """Where the way back of the statements in `path` is written: FILE.undo.sql beside FILE.sql."""
    return path.with_name(f"{path.stem}.undo{path.suffix}")


def by_names(rows: Rows) -> Iterator[tuple[str, Sequence[RowId]]]:
    """The ids of a batch by the names that its rows have: one statement each."""
    names = sorted(set(rows.names))
    for old in names:
        yield old, rows.ids if len(names) == 1 else [
            one for one, name in zip(rows.ids, rows.names, strict=True) if name == old
        ]
