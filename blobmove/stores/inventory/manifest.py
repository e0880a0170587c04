"""Parse and verify manifest.json, the table of contents of an S3 Inventory report. No I/O."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from blobmove.core.frozen import frozen
from blobmove.stores.inventory.columns import known_columns
from blobmove.stores.inventory.faults import bad_manifest

FORMATS: Final = ("CSV", "ORC", "Parquet")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MD5: Final = re.compile(r"[0-9a-fA-F]{32}")


@frozen
class DataFile:
    """One data file as the manifest names it: key in the destination bucket, bytes, MD5 in lower-case hex."""

    key: str
    size: int
    md5: str


@frozen
class Manifest:
    """One report. `key` is the manifest's own; `created` is when the scan began, in UTC.

    `format` is CSV, ORC or Parquet. `csv_columns` are the columns in order for CSV and empty otherwise: ORC and
    Parquet files carry their own schema, and what the manifest says of it differs between documentation and S3.
    Source: s3.md section 1.3.
    """

    key: str
    source_bucket: str
    destination_bucket: str
    created: datetime
    format: str
    csv_columns: tuple[str, ...]
    files: tuple[DataFile, ...]


def read_manifest(content: bytes, checksum: bytes, key: str) -> Manifest:
    """The manifest whose bytes are `content`, proven by `checksum` (the bytes of manifest.checksum).

    Raises RefusedError E422-MANIFEST when they do not fit, or when a field is missing or makes no sense.
    """
    verify(content, checksum, key)
    return parse(content, key)


def verify(content: bytes, checksum: bytes, key: str) -> None:
    """manifest.checksum is the MD5 of manifest.json in hex, with a newline behind it (33 bytes)."""
    expected = checksum.strip().lower()
    actual = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if expected != actual.encode():
        shown = expected[:64].decode("ascii", "replace")
        raise bad_manifest(key, f"manifest.checksum says MD5 {shown or '(nothing)'}, manifest.json has {actual}")


def parse(content: bytes, key: str) -> Manifest:
    """The fields of manifest.json. Raises RefusedError E422-MANIFEST naming the field that is wrong."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise bad_manifest(key, f"manifest.json is not JSON: {error}") from error
    try:
        return _manifest(document, key)
    except (ValueError, OverflowError) as error:
        raise bad_manifest(key, str(error)) from error


def _manifest(document: object, key: str) -> Manifest:
    if not isinstance(document, dict):
        raise ValueError("manifest.json is not an object")
    file_format = _text(document, "fileFormat")
    if file_format not in FORMATS:
        raise ValueError(f"fileFormat is {file_format!r}, known are {', '.join(FORMATS)}")
    files = document.get("files")
    if not isinstance(files, list):
        raise ValueError("files is missing or no list")
    return Manifest(
        key=key,
        source_bucket=_text(document, "sourceBucket"),
        destination_bucket=_bucket_name(_text(document, "destinationBucket")),
        created=_created(document.get("creationTimestamp")),
        format=file_format,
        csv_columns=_csv_columns(_text(document, "fileSchema")) if file_format == "CSV" else (),
        files=tuple(_data_file(entry, number) for number, entry in enumerate(files)),
    )


def _text(document: dict[str, Any], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} is missing or no text")
    return value


def _bucket_name(arn: str) -> str:
    """`arn:aws:s3:::NAME` in any partition; a bare name is taken as it is."""
    return arn.rsplit(":", 1)[-1]


def _created(value: object) -> datetime:
    """Epoch milliseconds, which S3 writes as text."""
    if not isinstance(value, str | int) or not str(value).isdecimal():
        raise ValueError(f"creationTimestamp is {value!r}, not a count of milliseconds")
    return _EPOCH + timedelta(milliseconds=int(value))


def _csv_columns(schema: str) -> tuple[str, ...]:
    columns = tuple(name.strip() for name in schema.split(","))
    if "key" not in known_columns(columns):
        raise ValueError(f"fileSchema names no Key: {schema}")
    return columns


def _data_file(entry: object, number: int) -> DataFile:
    if not isinstance(entry, dict):
        raise ValueError(f"files[{number}] is not an object")
    size, md5 = entry.get("size"), entry.get("MD5checksum")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise ValueError(f"files[{number}].size is {size!r}, not a count of bytes")
    if not isinstance(md5, str) or not _MD5.fullmatch(md5):
        raise ValueError(f"files[{number}].MD5checksum is {md5!r}, not an MD5 in hex")
    key = entry.get("key")
    if not isinstance(key, str) or not key:
        raise ValueError(f"files[{number}].key is missing or no text")
    return DataFile(key, size, md5.lower())
