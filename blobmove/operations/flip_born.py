"""Rows that were born on the new service: they name it, and no batch of the journal has let them.

Their files are not on S3, so no undo touches them; whoever goes back for good must copy them first.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from blobmove.core.errors import UsageError
from blobmove.core.events import Note
from blobmove.core.flip_results import BornResult
from blobmove.core.flipping import UNKNOWN_SIZE
from blobmove.core.frozen import frozen
from blobmove.operations.flip_patience import Patience

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from blobmove.core.flipping import Candidate
    from blobmove.operations.flip_doors import FlipDoors, RowId

PAGE: Final = 5000
EXAMPLES: Final = 10


@frozen
class Born:
    """How many there are, and the first ids."""

    rows: int = 0
    examples: tuple[str, ...] = ()


def find_born(doors: FlipDoors, patience: Patience, service: str) -> Born:
    """Count them. Reads the rows that name `service` once, in flat memory."""
    rows, examples = 0, []
    for row in born_rows(doors, patience, service):
        rows += 1
        if rows <= EXAMPLES:
            examples.append(f"{row.id} {row.key}")
    return Born(rows, tuple(examples))


def born_rows(doors: FlipDoors, patience: Patience, service: str) -> Iterator[Candidate]:
    """They themselves, by primary key."""
    table = doors.reading
    after: RowId | None = None
    while page := patience.ask(lambda: table.candidates(after, PAGE, [service])):  # noqa: B023
        after = page[-1].id
        journaled = doors.journal.journaled([row.id for row in page], service)
        yield from (row for row in page if row.id not in journaled and row.service_name == service)


def write_born(doors: FlipDoors, service: str, path: Path) -> BornResult:
    """Their keys into the file at `path`, in a form that `--keys` reads: one a line, or as JSON (FILE.jsonl).

    Raises UsageError E403-FILE, E400-FILE (a key with a line break needs the JSON form).
    """
    patience = Patience(doors, writing=False)
    patience.meet()
    count = size = 0
    try:
        with path.open("w", encoding="utf-8") as file:
            for row in born_rows(doors, patience, service):
                file.write(_line(row, path) + "\n")
                count, size = count + 1, size + max(0, row.byte_size)
    except OSError as error:
        raise UsageError("E403-FILE", f"{path} cannot be written", cause=error.strerror, hint="--born FILE") from None
    doors.listener(Note(f"{count:,} rows name {service} and are in no flip of the journal"))
    return BornResult(service, count, size, str(path))


def _line(row: Candidate, path: Path) -> str:
    if path.suffix == ".jsonl":
        known = {} if row.byte_size == UNKNOWN_SIZE else {"size": row.byte_size}
        return json.dumps({"key": row.key, **known}, ensure_ascii=False)
    if len(row.key.splitlines()) != 1:
        raise UsageError("E400-FILE", f"the key of row {row.id} holds a line break", hint=f"--born {path.stem}.jsonl")
    return row.key
