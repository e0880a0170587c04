"""The independent check: what lies on Azure against what lies in S3, and the database against its dump from before.

Uses boto3 and azure-storage-blob only, and its own reading of the rules; every deviation becomes one finding.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import md5
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from azure.storage.blob import BlobProperties, ContainerClient

    from blobmove.demo.clients import S3Client

_READERS: Final = 4
_LARGE: Final = 8 << 20
_READABLE_CLASSES: Final = frozenset(
    {"STANDARD", "STANDARD_IA", "ONEZONE_IA", "REDUCED_REDUNDANCY", "INTELLIGENT_TIERING", "GLACIER_IR"}
)
_CONTENT_HEADERS: Final = (
    ("Content-Type", "ContentType", "content_type"),
    ("Content-Disposition", "ContentDisposition", "content_disposition"),
    ("Content-Encoding", "ContentEncoding", "content_encoding"),
    ("Content-Language", "ContentLanguage", "content_language"),
    ("Cache-Control", "CacheControl", "cache_control"),
)
"""The header, its name in boto3's answer, its name in Azure's content settings."""


@dataclass(slots=True)
class Findings:
    """What the check saw: `problems` is empty when all is as it must be; counts of what was compared, in bytes of one
    side.
    """

    problems: list[str] = field(default_factory=list)
    objects: int = 0
    bytes: int = 0
    rows: int = 0
    flipped: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def problem(self, text: str) -> None:
        with self._lock:
            self.problems.append(text)

    def compared(self, size: int) -> None:
        with self._lock:
            self.objects += 1
            self.bytes += size


@dataclass(frozen=True, slots=True)
class Clouds:
    """The two ends, by the vendors' own clients."""

    s3: S3Client
    bucket: str
    container: ContainerClient


def check_objects(clouds: Clouds, expected: Collection[str], findings: Findings) -> None:
    """Compare every object that must be on Azure byte by byte and header by header, and look for blobs too many.

    `expected` are the keys the company says must arrive; what S3 lists is judged separately by the rules here, and
    the two must agree.
    """
    listed = _must_arrive(clouds)
    for key in sorted(set(expected) ^ set(listed)):
        findings.problem(f"{key!r}: the bucket and the company disagree whether it must arrive")
    blobs = {blob.name: blob for blob in clouds.container.list_blobs(include=["metadata"])}
    for name in sorted(set(blobs) - set(listed)):
        findings.problem(f"{name!r}: on Azure, but should not be")
    for key in sorted(set(listed) - set(blobs)):
        findings.problem(f"{key!r}: not on Azure")
    work = sorted(set(listed) & set(blobs), key=lambda key: -listed[key])
    large = threading.Lock()  # one large object in memory at a time is enough
    with ThreadPoolExecutor(_READERS) as readers:

        def compare(key: str) -> None:
            if listed[key] < _LARGE:
                _compare_object(clouds, key, blobs[key], findings)
                return
            with large:
                _compare_object(clouds, key, blobs[key], findings)

        for result in [readers.submit(compare, key) for key in work]:
            result.result()


def _must_arrive(clouds: Clouds) -> dict[str, int]:
    """Sizes in bytes of the objects of today that Azure can hold, by key."""
    found: dict[str, int] = {}
    for page in clouds.s3.get_paginator("list_objects_v2").paginate(Bucket=clouds.bucket):
        for item in page.get("Contents", []):
            key, size = item["Key"], item["Size"]
            placeholder = size == 0 and key.endswith("/")
            ends_in_dot = any(segment.endswith(".") for segment in key.split("/"))
            if item.get("StorageClass", "STANDARD") in _READABLE_CLASSES and not placeholder and not ends_in_dot:
                found[key] = size
    return found


def _compare_object(clouds: Clouds, key: str, blob: BlobProperties, findings: Findings) -> None:
    try:
        there = clouds.s3.get_object(Bucket=clouds.bucket, Key=key)
        original: bytes = there["Body"].read()
        # decompress=False: the client library would otherwise hand out something else than what is stored
        copy = clouds.container.download_blob(key, max_concurrency=1, decompress=False).readall()
    except Exception as error:  # whatever stops the comparison is a finding, not a crash of the check
        findings.problem(f"{key!r}: cannot be read: {type(error).__name__}")
        return
    if original != copy:
        findings.problem(f"{key!r}: bytes differ ({len(original)} in S3, {len(copy)} on Azure)")
    _compare_md5(key, original, blob, findings)
    _compare_headers(key, there, blob, findings)
    wanted, found = azure_metadata(there["Metadata"]), dict(blob.metadata or {})
    if wanted != found:
        findings.problem(f"{key!r}: metadata should be {wanted}, is {found}")
    findings.compared(len(original))


def _compare_md5(key: str, original: bytes, blob: BlobProperties, findings: Findings) -> None:
    stored = blob.content_settings.content_md5
    if not stored:
        findings.problem(f"{key!r}: no Content-MD5 is stored with the blob")
    elif bytes(stored) != md5(original, usedforsecurity=False).digest():
        findings.problem(f"{key!r}: the Content-MD5 stored with the blob is not that of the bytes")


def _compare_headers(key: str, there: Mapping[str, Any], blob: BlobProperties, findings: Findings) -> None:
    for header, s3_name, azure_name in _CONTENT_HEADERS:
        wanted, found = there.get(s3_name), getattr(blob.content_settings, azure_name)
        if (wanted or None) != (found or None):
            findings.problem(f"{key!r}: {header} should be {wanted!r}, is {found!r}")


def azure_metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    """S3's user metadata as it must stand on Azure, which takes identifiers only (azure-blob.md section 3.4).

    `printed-by: x` becomes the pair `rename_printed_by: x` and `rename_key_printed_by: printed-by`.
    """
    result: dict[str, str] = {}
    for name, value in metadata.items():
        if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            result[name] = value
        else:
            safe = re.sub(r"[^A-Za-z0-9_]", "_", name)
            result[f"rename_{safe}"] = value
            result[f"rename_key_{safe}"] = name
    return result


Dump = dict[str, tuple[list[str], list[tuple[object, ...]]]]
"""Columns and rows (in the order of their rowid) of every table; under "sqlite_master" the schema."""


def check_rows(before: Dump, after: Dump, flip: FlipRule, findings: Findings) -> None:
    """Compare every row of every table; only `service_name` may differ, and it must where the flip rule says so."""
    for table in sorted(set(before) | set(after)):
        if table == "active_storage_blobs" and table in before and table in after:
            _check_blob_rows(before[table], after[table], flip, findings)
        elif before.get(table) != after.get(table):
            findings.problem(f"table {table}: changed")
        else:
            findings.rows += len(after[table][1])


@dataclass(frozen=True, slots=True)
class FlipRule:
    """Which rows must name `to` at the end: those that named one of `from_services` and whose key is in `arrived`."""

    from_services: frozenset[str]
    to: str
    arrived: frozenset[str]

    def service(self, key: str, service: str) -> str:
        return self.to if service in self.from_services and key in self.arrived else service


def _check_blob_rows(
    before: tuple[list[str], list[tuple[object, ...]]],
    after: tuple[list[str], list[tuple[object, ...]]],
    flip: FlipRule,
    findings: Findings,
) -> None:
    (columns, old_rows), (columns_now, new_rows) = before, after
    if columns != columns_now or len(old_rows) != len(new_rows):
        findings.problem("active_storage_blobs: columns or number of rows changed")
        return
    key_at, service_at = columns.index("key"), columns.index("service_name")
    for old, new in zip(old_rows, new_rows, strict=True):
        wanted = list(old)
        wanted[service_at] = flip.service(str(old[key_at]), str(old[service_at]))
        findings.rows += 1
        findings.flipped += wanted[service_at] != old[service_at]
        for column, should, is_now in zip(columns, wanted, new, strict=True):
            if should != is_now:
                findings.problem(f"blob row {old[0]}: {column} should be {should!r}, is {is_now!r}")


def services(dump: Dump) -> dict[str, int]:
    """Rows of active_storage_blobs by service name, most first."""
    columns, rows = dump["active_storage_blobs"]
    at = columns.index("service_name")
    return dict(Counter(str(row[at]) for row in rows).most_common())
