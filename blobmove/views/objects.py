"""`report --objects`: one record a planned object as CSV, JSON lines or Parquet, in flat memory."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final

from blobmove.core.errors import UsageError
from blobmove.views.whole_file import complete_or_nothing

FIELDS: Final[Mapping[str, str]] = {
    "key": "text", "version_id": "text", "size": "integer", "state": "text", "reason": "text", "error": "text",
    "attempts": "integer", "proof": "text", "md5": "text", "crc64": "text", "source_etag": "text",
    "blob_name": "text", "blob_etag": "text", "content_type": "text", "storage_class": "text", "rails_id": "text",
    "rails_service": "text", "settled_at": "text", "seconds": "number", "notes": "text",
    "source_modified": "text",
}
"""The columns in their order, and what each holds. Digests are hexadecimal, `settled_at` and `source_modified` are
ISO 8601 in UTC, `size` in bytes; `notes` are separated by commas."""

ENDINGS: Final = (".csv", ".jsonl", ".parquet")
_PAGE: Final = 10_000

Row = Mapping[str, object]


def check_ending(path: Path) -> str:
    """The format a file's name asks for. Raises UsageError (E400-FORMAT) for another one."""
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise UsageError("E400-FORMAT", f"{path} does not say in which format to write",
                         cause=f"the name ends in none of {', '.join(ENDINGS)}",
                         hint=f"--objects {path.with_suffix('.csv')}")
    return ending


def write_objects(path: Path, rows: Iterable[Row]) -> int:
    """Write all rows and return their number; the file appears complete or not at all.

    Rows may leave out fields; digests may be bytes, notes a sequence. Raises OSError and UsageError.
    """
    ending = check_ending(path)
    plain = (_plain(row) for row in rows)
    with complete_or_nothing(path) as draft:
        if ending == ".csv":
            return _write_csv(draft, plain)
        return _write_jsonl(draft, plain) if ending == ".jsonl" else _write_parquet(draft, plain)


def _plain(row: Row) -> dict[str, Any]:
    return {name: _value(row.get(name), kind) for name, kind in FIELDS.items()}


def _value(value: object, kind: str) -> object:
    if value is None or kind != "text":
        return value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list | tuple):
        value = " ".join(map(str, value))
    # A key may hold half a surrogate pair, which no file in UTF-8 can: shown escaped.
    return str(value).encode("utf-8", "backslashreplace").decode()


def _write_csv(path: Path, rows: Iterable[dict[str, Any]]) -> int:
    """All texts are quoted and kept as they are, also those a spreadsheet would take for a formula: this is data."""
    number = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        writer.writerow(FIELDS)
        for row in rows:
            writer.writerow(row.values())
            number += 1
    return number


def _write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> int:
    number = 0
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            number += 1
    return number


def _write_parquet(path: Path, rows: Iterable[dict[str, Any]]) -> int:
    import pyarrow as pa
    from pyarrow import parquet

    types: dict[str, pa.DataType] = {"text": pa.string(), "integer": pa.int64(), "number": pa.float64()}
    schema = pa.schema([(name, types[kind]) for name, kind in FIELDS.items()])
    source, number = iter(rows), 0
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        while page := list(islice(source, _PAGE)):
            writer.write_table(pa.Table.from_pylist(page, schema=schema))
            number += len(page)
    return number
