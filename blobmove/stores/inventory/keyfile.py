"""Read `--keys FILE`: a list of keys that somebody else made, in one of three forms.

    FILE          one key a line, UTF-8, exactly as S3 knows it (`-`: the same from standard input)
    FILE.csv      S3 Batch Operations: bucket,key[,versionId], keys URL-encoded (s3.md section 1.8)
    FILE.jsonl    one JSON object a line: key, and where known size, etag, version_id

Blank lines are skipped. A bad line is an error with its number: half a list is not a plan.
"""

from __future__ import annotations

import csv
import json
import sys
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_plus

from blobmove.core.errors import UsageError
from blobmove.core.model import ObjectVersion
from blobmove.stores.inventory.columns import BATCH_ROWS, LARGEST_SIZE

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from pathlib import Path
    from typing import BinaryIO

_LONGEST_KEY: Final = 1024
"""Bytes of UTF-8: S3's limit."""

_BOM: Final = b"\xef\xbb\xbf"


def key_batches(path: Path | None, bucket: str) -> Generator[list[ObjectVersion], None, None]:
    """Batches of at most 5,000 objects named by the file at `path` (None: standard input).

    `size` and `etag` are None unless a .jsonl line says them; a version in a .csv or .jsonl line is kept as
    `version_id`. Raises UsageError: E404-KEYS (no such file, or not readable), E422-KEYS (a bad line, or a .csv
    line of another bucket than `bucket`).
    """
    name = "standard input" if path is None else str(path)
    with _opened(path, name) as stream:
        objects = _objects(_without_mark(stream), path.suffix.lower() if path else "", bucket)
        while batch := _next_batch(objects, name):
            yield batch


class _BadLine(ValueError):
    def __init__(self, number: int, why: str) -> None:
        super().__init__(f"line {number}: {why}")


def _next_batch(objects: Iterator[ObjectVersion], name: str) -> list[ObjectVersion]:
    try:
        return list(islice(objects, BATCH_ROWS))
    except _BadLine as error:
        raise UsageError(
            "E422-KEYS",
            f"the key file {name} has a line that makes no sense",
            cause=str(error),
            hint="one key a line; FILE.csv: bucket,key[,versionId] with URL-encoded keys; FILE.jsonl: "
            '{"key": "...", "size": 123}',
        ) from error


@contextmanager
def _opened(path: Path | None, name: str) -> Iterator[BinaryIO]:
    if path is None:
        yield sys.stdin.buffer
        return
    try:
        stream = path.open("rb")
    except OSError as error:
        raise UsageError(
            "E404-KEYS", f"the key file {name} cannot be read", cause=error.strerror, hint="--keys FILE, or --keys -"
        ) from error
    with stream:
        yield stream


def _without_mark(stream: BinaryIO) -> Iterator[bytes]:
    """Lines end at `\\n` and nowhere else; a byte order mark some editors write is not part of the first key."""
    for line in islice(stream, 1):
        yield line.removeprefix(_BOM)
    yield from stream


def _objects(lines: Iterable[bytes], suffix: str, bucket: str) -> Iterator[ObjectVersion]:
    if suffix == ".csv":
        return _batch_operations(lines, bucket)
    return _json_lines(lines) if suffix == ".jsonl" else _plain_lines(lines)


def _plain_lines(lines: Iterable[bytes]) -> Iterator[ObjectVersion]:
    for number, text in _decoded(lines):
        if text.endswith("\r"):
            raise _BadLine(number, "ends in a carriage return: save the file with Unix line ends, or as .jsonl")
        if text:
            yield ObjectVersion(_key(number, text))


def _batch_operations(lines: Iterable[bytes], bucket: str) -> Iterator[ObjectVersion]:
    reader = csv.reader((f"{text}\n" for _, text in _decoded(lines)), strict=True)
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise _BadLine(reader.line_num, str(error)) from error
        if row is None:
            return
        if row:
            yield _batch_row(reader.line_num, row, bucket)


def _batch_row(number: int, row: list[str], bucket: str) -> ObjectVersion:
    if len(row) not in (2, 3):
        raise _BadLine(number, f"has {len(row)} columns, not bucket,key or bucket,key,versionId")
    if row[0] != bucket:
        raise _BadLine(number, f"is of the bucket {row[0][:100]!r}, the plan is for {bucket!r}")
    try:
        key = unquote_plus(row[1], errors="strict")
    except UnicodeDecodeError as error:
        raise _BadLine(number, f"the key {row[1][:100]!r} is not UTF-8 when decoded") from error
    return ObjectVersion(_key(number, key), version_id=(row[2] or None) if len(row) == 3 else None)


def _json_lines(lines: Iterable[bytes]) -> Iterator[ObjectVersion]:
    for number, text in _decoded(lines):
        if not text.strip():
            continue
        try:
            record = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise _BadLine(number, f"is not JSON: {error}") from error
        if not isinstance(record, dict):
            raise _BadLine(number, "is not a JSON object")
        yield _json_object(number, record)


def _json_object(number: int, record: dict[str, Any]) -> ObjectVersion:
    key, size = record.get("key"), record.get("size")
    if not isinstance(key, str):
        raise _BadLine(number, "has no key")
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= LARGEST_SIZE):
        raise _BadLine(number, f"size is {size!r}, not a count of bytes")
    etag, version_id = (_optional_text(number, record, name) for name in ("etag", "version_id"))
    return ObjectVersion(_key(number, key), size, etag.strip('"') if etag else None, version_id)


def _optional_text(number: int, record: dict[str, Any], name: str) -> str | None:
    value = record.get(name)
    if value is not None and not isinstance(value, str):
        raise _BadLine(number, f"{name} is {value!r}, not text")
    return value or None


def _decoded(lines: Iterable[bytes]) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(lines, start=1):
        try:
            yield number, line.removesuffix(b"\n").decode()
        except UnicodeDecodeError as error:
            raise _BadLine(number, f"is not UTF-8: {error.reason} at byte {error.start + 1}") from error


def _key(number: int, key: str) -> str:
    try:
        length = len(key.encode())
    except UnicodeEncodeError as error:
        raise _BadLine(number, f"the key holds half a character: {error.reason}") from error
    if not 1 <= length <= _LONGEST_KEY:
        raise _BadLine(number, f"the key has {length} bytes, S3 allows 1 to {_LONGEST_KEY}")
    return key
