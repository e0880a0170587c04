"""Read one CSV data file of a report: gzip, no header, every field quoted, keys URL-encoded.

Source: s3.md section 1.5. Reads by columns, 5,000 rows at a time, because that is twice as fast as by rows.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_plus

from blobmove.stores.inventory.columns import BATCH_ROWS, LARGEST_SIZE, NULL_VERSION, known_columns, to_objects
from blobmove.stores.inventory.faults import bad_data_file

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from pathlib import Path

    from blobmove.core.model import ObjectVersion

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


class _BadLine(ValueError):
    """Line `number` (from 1) of the unpacked file makes no sense."""

    def __init__(self, number: int, why: str) -> None:
        super().__init__(f"line {number}: {why}")


def csv_rows(path: Path, name: str, columns: Sequence[str]) -> Generator[list[ObjectVersion], None, None]:
    """Batches of rows of the file at `path`; `name` is what errors call it, `columns` come from fileSchema.

    Raises RefusedError E422-INVENTORY-FILE for broken gzip, a line with too few or too many columns, and a value
    that makes no sense; it names the line.
    """
    known = known_columns(columns)
    with gzip.open(path, "rt", encoding="utf-8", newline="") as text:
        reader = csv.reader(text, strict=True)
        while True:
            try:
                numbered = [(reader.line_num, row) for row in islice(reader, BATCH_ROWS)]
                # S3 may end a file with blank lines: they arrive as empty rows.
                batch = _objects([(line, row) for line, row in numbered if row], columns, known)
            except _BadLine as error:
                raise bad_data_file(name, str(error)) from error
            except (OSError, EOFError, zlib.error, csv.Error, UnicodeDecodeError) as error:
                raise bad_data_file(name, f"after line {reader.line_num}: {error}") from error
            if batch:
                yield batch
            elif not numbered:
                return


def _objects(
    numbered: list[tuple[int, list[str]]], columns: Sequence[str], known: Mapping[str, int]
) -> list[ObjectVersion]:
    for line, row in numbered:
        if len(row) != len(columns):
            raise _BadLine(line, f"has {len(row)} columns, fileSchema names {len(columns)}")
    if not numbered:
        return []
    lines = [line for line, _ in numbered]
    cells = list(zip(*(row for _, row in numbered), strict=True))
    return to_objects({field: _convert(field, cells[at], lines) for field, at in known.items()})


def _convert(field: str, values: Sequence[str], lines: list[int]) -> list[Any]:
    convert = _CONVERTERS.get(field, _text)
    try:
        return [convert(value) for value in values]
    except (ValueError, KeyError):
        for line, value in zip(lines, values, strict=True):
            try:
                convert(value)
            except (ValueError, KeyError) as error:
                raise _BadLine(line, f"{field} is {value[:100]!r}") from error
        raise


def _key(value: str) -> str:
    """Only the key is URL-encoded: a space is `+`, a plus `%2B`. Strict, since a replaced byte is another key."""
    if "%" in value or "+" in value:
        return unquote_plus(value, errors="strict")
    if not value:
        raise ValueError("a key cannot be empty")
    return value


def _size(value: str) -> int | None:
    if not value:
        return None
    if value.isdigit() and value.isascii() and (size := int(value)) <= LARGEST_SIZE:
        return size
    raise ValueError("not a count of bytes")


def _modified(value: str) -> int | None:
    if not value:
        return None
    moment = datetime.fromisoformat(value)
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // _MILLISECOND


def _text(value: str) -> str | None:
    return value or None


_CONVERTERS: Final[dict[str, Callable[[str], Any]]] = {
    "key": _key,
    "size": _size,
    "modified_ms": _modified,
    "version_id": lambda value: value or NULL_VERSION,
    "storage_class": lambda value: value or "STANDARD",
    "etag": lambda value: value.strip('"') or None,
    "is_latest": {"true": True, "false": False, "": True}.__getitem__,
    "is_delete_marker": {"true": True, "false": False, "": False}.__getitem__,
    "is_multipart": {"true": True, "false": False, "": None}.__getitem__,
}
