"""Reports to read: fabricated on disk by the demo's writer, damaged where a test wants it, and read whole."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from blobmove.core.model import ObjectVersion
from blobmove.demo.inventory_report import write_report
from blobmove.stores.inventory.data_files import rows
from blobmove.stores.inventory.report import Report, find_report, locate
from blobmove.stores.inventory.report_files import FolderFiles

FORMATS = ("CSV", "ORC", "Parquet")
FIELDS = (
    "Size",
    "LastModifiedDate",
    "ETag",
    "StorageClass",
    "IsMultipartUploaded",
    "EncryptionStatus",
    "IntelligentTieringAccessTier",
    "ChecksumAlgorithm",
)
NASTY_KEYS = (
    "plain",
    "a b+c&d=é/%41",
    "dir/",
    "two\nlines",
    'a "quoted" key',
    "a//b",
    "../x",
    "control\x01",
    "comma,semi;",
    "📦",
    "~tilde*star(1)!'",
    " leading and trailing ",
)
CONFIG = "inventory/src/daily"


@dataclass(frozen=True)
class Shape:
    """How a report is to look."""

    format: str = "CSV"
    versions: bool = True
    fields: tuple[str, ...] = FIELDS
    rows_per_file: int = 7
    when: datetime = field(default=datetime(2026, 11, 20, 1, 0, tzinfo=UTC))


def deliver(root: Path, objects: list[dict[str, Any]], shape: Shape | None = None) -> Path:
    """Write a report of `objects` below `root`, as a copy of the destination bucket; the path of its manifest."""
    shape = shape or Shape()
    key = write_report(
        objects,
        source_bucket="src",
        destination_bucket="dest",
        prefix="inventory",
        config_id="daily",
        format=shape.format,
        when=shape.when,
        put=partial(_put, root),
        versions=shape.versions,
        fields=shape.fields,
        rows_per_file=shape.rows_per_file,
    )
    return root / key


def _put(root: Path, key: str, content: bytes) -> None:
    path = root / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def data_files(manifest: Path) -> list[Path]:
    """The data files of a manifest delivered by `deliver`, in order."""
    root = manifest.parents[4]
    return [root / file["key"] for file in json.loads(manifest.read_bytes())["files"]]


def replace_data(manifest: Path, content: bytes, **changes: object) -> None:
    """Other bytes for the first data file, with size and MD5 that fit; `changes` are members of the manifest."""
    data_files(manifest)[0].write_bytes(content)
    document = json.loads(manifest.read_bytes()) | changes
    document["files"][0] |= {"size": len(content), "MD5checksum": hashlib.md5(content).hexdigest()}
    sign(manifest, json.dumps(document).encode())


def sign(manifest: Path, content: bytes) -> None:
    """Write manifest.json and a manifest.checksum that fits."""
    manifest.write_bytes(content)
    manifest.with_name("manifest.checksum").write_text(hashlib.md5(content).hexdigest() + "\n")


async def find(path: Path | str, workdir: Path, bucket: str = "src") -> Report:
    """The local report at `path`."""
    location = locate(str(path))
    assert location.root is not None
    workdir.mkdir(exist_ok=True)
    return await find_report(FolderFiles(location.root), location, bucket, workdir)


async def read(path: Path | str, workdir: Path, bucket: str = "src") -> list[ObjectVersion]:
    """Every row of the local report at `path`; nothing may be left in `workdir`."""
    location = locate(str(path))
    assert location.root is not None
    report = await find(path, workdir, bucket)
    found = [row async for batch in rows(report.manifest, FolderFiles(location.root), workdir) for row in batch]
    assert list(workdir.iterdir()) == []
    return found


def some_objects() -> list[dict[str, Any]]:
    """Twelve nasty keys, an older version without version id, and a delete marker: rows as S3 would report them."""
    objects = [_object(key, number) for number, key in enumerate(NASTY_KEYS)]
    objects.append(_object("plain", 50) | {"version_id": None, "is_latest": False})
    marker = {"key": "withdrawn", "version_id": "marker", "is_latest": True, "is_delete_marker": True}
    return [*objects, marker | {"last_modified_date": datetime(2026, 1, 2, tzinfo=UTC)}]


def _object(key: str, number: int) -> dict[str, Any]:
    return {
        "key": key,
        "version_id": f"v{number}",
        "is_latest": True,
        "is_delete_marker": False,
        "size": number * 1000,
        "last_modified_date": datetime(2025, 3, 1, 12, number, 7, 123_000, tzinfo=UTC),
        "e_tag": hashlib.md5(key.encode()).hexdigest(),
        "storage_class": "STANDARD_IA" if number % 2 else "STANDARD",
        "is_multipart_uploaded": number % 5 == 0,
        "encryption_status": "SSE-S3",
        "intelligent_tiering_access_tier": "ARCHIVE" if number == 3 else None,
        "checksum_algorithm": "CRC64NVME" if number == 4 else None,
    }


def expected(row: dict[str, Any]) -> ObjectVersion:
    """What a row of an All report is to be read as; written down here once more, not taken from the reader."""
    modified = row["last_modified_date"]
    return ObjectVersion(
        key=row["key"],
        size=row.get("size"),
        etag=row.get("e_tag"),
        version_id=row["version_id"] or "null",
        modified_ms=int(modified.timestamp()) * 1000 + modified.microsecond // 1000,
        storage_class=row.get("storage_class") or "STANDARD",
        is_latest=row["is_latest"],
        is_delete_marker=row["is_delete_marker"],
        is_multipart=row.get("is_multipart_uploaded"),
        encryption=row.get("encryption_status"),
        archive_tier=row.get("intelligent_tiering_access_tier"),
        checksum_algorithm=row.get("checksum_algorithm"),
    )
