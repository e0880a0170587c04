"""Write an S3 Inventory report as S3 would deliver it: data files, manifest.json, symlink.txt, manifest.checksum.

The layout, the style of manifest.json and the schemas are those of real reports (docs of S3 Inventory, and manifests
that others have published); what differs is the name of the writing library in the footers of ORC and Parquet.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote_plus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa



class Column(NamedTuple):
    """A column of a report: `kind` is text, boolean, integer or time."""

    csv_name: str
    name: str
    kind: str


COLUMNS: Final = (
    Column("Bucket", "bucket", "text"),
    Column("Key", "key", "text"),
    Column("VersionId", "version_id", "text"),
    Column("IsLatest", "is_latest", "boolean"),
    Column("IsDeleteMarker", "is_delete_marker", "boolean"),
    Column("Size", "size", "integer"),
    Column("LastModifiedDate", "last_modified_date", "time"),
    Column("ETag", "e_tag", "text"),
    Column("StorageClass", "storage_class", "text"),
    Column("IsMultipartUploaded", "is_multipart_uploaded", "boolean"),
    Column("ReplicationStatus", "replication_status", "text"),
    Column("EncryptionStatus", "encryption_status", "text"),
    Column("ObjectLockRetainUntilDate", "object_lock_retain_until_date", "time"),
    Column("ObjectLockMode", "object_lock_mode", "text"),
    Column("ObjectLockLegalHoldStatus", "object_lock_legal_hold_status", "text"),
    Column("IntelligentTieringAccessTier", "intelligent_tiering_access_tier", "text"),
    Column("BucketKeyStatus", "bucket_key_status", "text"),
    Column("ChecksumAlgorithm", "checksum_algorithm", "text"),
    Column("ObjectAccessControlList", "object_access_control_list", "text"),
    Column("ObjectOwner", "object_owner", "text"),
)
"""Every column this writer knows, in the order of a real report."""

_REQUIRED: Final = ("Bucket", "Key")
_OF_VERSIONS: Final = ("VersionId", "IsLatest", "IsDeleteMarker")
_SUFFIXES: Final = {"CSV": "csv.gz", "ORC": "orc", "Parquet": "parquet"}
_ORC_TYPES: Final = {"text": "string", "boolean": "boolean", "integer": "bigint", "time": "timestamp"}
_PARQUET_TYPES: Final = {
    "text": ("binary", " (STRING)"),
    "boolean": ("boolean", ""),
    "integer": ("int64", ""),
    "time": ("int64", " (TIMESTAMP(MILLIS,true))"),
}


@dataclass(frozen=True, slots=True)
class _Report:
    """What a report is about; `folder` is `PREFIX/SOURCE/CONFIG-ID`, `stamp` the name of its dated folder."""

    source_bucket: str
    destination_bucket: str
    folder: str
    format: str
    when: datetime
    columns: tuple[Column, ...]

    @property
    def stamp(self) -> str:
        return self.when.strftime("%Y-%m-%dT%H-%MZ")

    def data_key(self, number: int) -> str:
        """The name is a uuid made from the report's own: the same call writes the same report."""
        name = uuid.uuid5(uuid.NAMESPACE_URL, f"s3://{self.destination_bucket}/{self.folder}/{self.stamp}#{number}")
        return f"{self.folder}/data/{name}.{_SUFFIXES[self.format]}"


def write_report(
    rows: Iterable[Mapping[str, Any]],
    *,
    source_bucket: str,
    destination_bucket: str,
    prefix: str,
    config_id: str,
    format: str,
    when: datetime,
    put: Callable[[str, bytes], object],
    versions: bool,
    fields: Sequence[str],
    rows_per_file: int,
) -> str:
    """Deliver a report of `rows` through `put(key, bytes)` and return the key of its manifest.

    `format` is CSV, ORC or Parquet; `when` (aware) the start of the scan; `versions` True for a report of all
    versions; `fields` the optional fields by their names in an inventory configuration (`Size`, `ETag`, ...);
    `rows_per_file` cuts the rows into data files. A row is a mapping from the snake-case column name to str, bool,
    int, an aware datetime, or None. manifest.checksum is put last, as S3 does. Raises ValueError for an unknown
    format or field.
    """
    report = _Report(
        source_bucket=source_bucket,
        destination_bucket=destination_bucket,
        folder="/".join(part for part in (prefix, source_bucket, config_id) if part),
        format=format,
        when=when.astimezone(UTC),
        columns=_columns(versions, fields),
    )
    files = [_put_data_file(report, number, part, put) for number, part in enumerate(_cut(rows, rows_per_file))]
    return _put_manifest(report, files, put)


def _columns(versions: bool, fields: Sequence[str]) -> tuple[Column, ...]:
    chosen = {*_REQUIRED, *(_OF_VERSIONS if versions else ()), *fields}
    unknown = chosen - {column.csv_name for column in COLUMNS}
    if unknown:
        raise ValueError(f"unknown inventory fields: {', '.join(sorted(unknown))}")
    return tuple(column for column in COLUMNS if column.csv_name in chosen)


def _cut(rows: Iterable[Mapping[str, Any]], rows_per_file: int) -> Iterator[list[Mapping[str, Any]]]:
    rest = iter(rows)
    while part := list(islice(rest, rows_per_file)):
        yield part


def _put_data_file(
    report: _Report, number: int, rows: list[Mapping[str, Any]], put: Callable[[str, bytes], object]
) -> dict[str, Any]:
    encode = {"CSV": _csv_file, "ORC": _orc_file, "Parquet": _parquet_file}.get(report.format)
    if encode is None:
        raise ValueError(f"unknown inventory format: {report.format}")
    content, key = encode(report, rows), report.data_key(number)
    put(key, content)
    return {"key": key, "size": len(content), "MD5checksum": hashlib.md5(content).hexdigest()}


def _put_manifest(report: _Report, files: list[dict[str, Any]], put: Callable[[str, bytes], object]) -> str:
    links = "\n".join(f"s3://{report.destination_bucket}/{file['key']}" for file in files)
    put(f"{report.folder}/hive/dt={report.when:%Y-%m-%d-%H-%M}/symlink.txt", links.encode())
    content = _manifest(report, files).encode()
    put(f"{report.folder}/{report.stamp}/manifest.json", content)
    put(f"{report.folder}/{report.stamp}/manifest.checksum", f"{hashlib.md5(content).hexdigest()}\n".encode())
    return f"{report.folder}/{report.stamp}/manifest.json"


def _manifest(report: _Report, files: list[dict[str, Any]]) -> str:
    """The style of the Java library that S3 uses: blanks around the colons, `[ {` and `}, {` on one line."""
    head = {
        "sourceBucket": report.source_bucket,
        "destinationBucket": f"arn:aws:s3:::{report.destination_bucket}",
        "version": "2016-11-30",
        "creationTimestamp": str(int(report.when.timestamp() * 1000)),
        "fileFormat": report.format,
        "fileSchema": _file_schema(report),
    }
    lines = [f"  {json.dumps(name)} : {json.dumps(value, ensure_ascii=False)}" for name, value in head.items()]
    lines.append(f'  "files" : [ {", ".join(map(_manifest_file, files))} ]')
    return "{\n" + ",\n".join(lines) + "\n}"


def _manifest_file(file: dict[str, Any]) -> str:
    members = (f"    {json.dumps(name)} : {json.dumps(value, ensure_ascii=False)}" for name, value in file.items())
    return "{\n" + ",\n".join(members) + "\n  }"


def _file_schema(report: _Report) -> str:
    if report.format == "CSV":
        return ", ".join(column.csv_name for column in report.columns)
    if report.format == "ORC":
        return f"struct<{','.join(f'{column.name}:{_ORC_TYPES[column.kind]}' for column in report.columns)}>"
    return "message s3.inventory {" + "".join(map(_parquet_definition, report.columns)) + "}"


def _parquet_definition(column: Column) -> str:
    stored, annotation = _PARQUET_TYPES[column.kind]
    rule = "required" if column.csv_name in _REQUIRED else "optional"
    return f"  {rule} {stored} {column.name}{annotation};"


def _cell(report: _Report, row: Mapping[str, Any], column: Column) -> Any:  # noqa: ANN401  # text, number, time
    return report.source_bucket if column.name == "bucket" else row.get(column.name)


def _csv_file(report: _Report, rows: list[Mapping[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    for row in rows:
        writer.writerow([_csv_text(column, _cell(report, row, column)) for column in report.columns])
    packed = io.BytesIO()
    # No name and no time in the gzip header, so that the same rows are the same bytes.
    with gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as stream:
        stream.write(text.getvalue().encode())
    return packed.getvalue()


def _csv_text(column: Column, value: Any) -> str:  # noqa: ANN401  # text, number, time
    if value is None:
        return ""
    if column.name == "key":
        return quote_plus(value, safe="/*-._")
    if column.kind == "boolean":
        return "true" if value else "false"
    if column.kind == "time":
        moment = value.astimezone(UTC)
        return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
    return str(value)


def _orc_file(report: _Report, rows: list[Mapping[str, Any]]) -> bytes:
    from pyarrow import orc

    packed = io.BytesIO()
    orc.write_table(_table(report, rows, zone=None), packed, compression="ZLIB")
    return packed.getvalue()


def _parquet_file(report: _Report, rows: list[Mapping[str, Any]]) -> bytes:
    from pyarrow import parquet

    packed = io.BytesIO()
    table = _table(report, rows, zone="UTC")
    parquet.write_table(table, packed, compression="snappy", store_schema=False, version="2.6")
    return packed.getvalue()


def _table(report: _Report, rows: list[Mapping[str, Any]], zone: str | None) -> pa.Table:
    """ORC times have no zone and mean UTC; Parquet times have one. pyarrow turns aware times into UTC for both."""
    import pyarrow as pa

    kinds = {"text": pa.string(), "boolean": pa.bool_(), "integer": pa.int64(), "time": pa.timestamp("ms", tz=zone)}
    schema = pa.schema(
        [pa.field(column.name, kinds[column.kind], column.csv_name not in _REQUIRED) for column in report.columns]
    )
    cells = {column.name: [_cell(report, row, column) for row in rows] for column in report.columns}
    return pa.table({field.name: pa.array(cells[field.name], field.type) for field in schema}, schema=schema)
