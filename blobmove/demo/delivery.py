"""S3 Inventory switched on for the company's bucket, and its report delivered: the emulator has no such job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from blobmove.demo.company import BUCKET, INVENTORY_BUCKET, Company
from blobmove.demo.inventory_report import write_report

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from blobmove.demo.clients import S3Client

PREFIX: Final = "inventory"
CONFIG_ID: Final = "blobmove"
FORMATS: Final = {"parquet": "Parquet", "orc": "ORC", "csv": "CSV"}
FIELDS: Final = (
    "Size", "LastModifiedDate", "ETag", "StorageClass", "IsMultipartUploaded", "EncryptionStatus",
    "IntelligentTieringAccessTier", "ChecksumAlgorithm",
)
"""The optional fields the docs ask for (s3.md section 1.1)."""

_ROWS_PER_FILE: Final = 1200
_ACCOUNT: Final = "111122223333"

INVENTORY_URL: Final = f"s3://{INVENTORY_BUCKET}/{PREFIX}/{BUCKET}/{CONFIG_ID}/"
"""What `blobmove plan --inventory` is given: the newest complete report is taken."""


def switch_on(s3: S3Client, format: str) -> None:
    """Put the inventory configuration on the bucket, as an operator does once (then waits up to 48 hours)."""
    destination = {
        "AccountId": _ACCOUNT, "Bucket": f"arn:aws:s3:::{INVENTORY_BUCKET}", "Format": FORMATS[format],
        "Prefix": PREFIX, "Encryption": {"SSES3": {}},
    }
    s3.put_bucket_inventory_configuration(
        Bucket=BUCKET,
        Id=CONFIG_ID,
        InventoryConfiguration={
            "Id": CONFIG_ID, "IsEnabled": True, "IncludedObjectVersions": "All",
            "Schedule": {"Frequency": "Daily"}, "OptionalFields": list(FIELDS),
            "Destination": {"S3BucketDestination": destination},
        },
    )


def deliver(s3: S3Client, company: Company, format: str, when: datetime) -> tuple[str, int]:
    """Write the report of all versions the bucket lists, as of `when`; the manifest's key and the number of rows."""
    rows = list(_rows(s3, company))

    def put(key: str, content: bytes) -> None:
        s3.put_object(Bucket=INVENTORY_BUCKET, Key=key, Body=content)

    manifest = write_report(
        rows, source_bucket=BUCKET, destination_bucket=INVENTORY_BUCKET, prefix=PREFIX, config_id=CONFIG_ID,
        format=FORMATS[format], when=when, put=put, versions=True, fields=FIELDS, rows_per_file=_ROWS_PER_FILE,
    )
    return manifest, len(rows)


def _rows(s3: S3Client, company: Company) -> Iterator[dict[str, Any]]:
    """One row a version and a delete marker. What a listing does not say is taken from the company."""
    written = {stored.key: stored for stored in (*company.before, *company.after)}
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=BUCKET):
        for version in page.get("Versions", []):
            etag = version["ETag"].strip('"')
            stored = written[version["Key"]]
            yield {
                **_common(version), "is_delete_marker": False, "size": version["Size"], "e_tag": etag,
                "storage_class": version["StorageClass"], "is_multipart_uploaded": "-" in etag,
                "encryption_status": "SSE-S3" if stored.encrypted else "NOT-SSE",
                "intelligent_tiering_access_tier": None, "checksum_algorithm": stored.checksum,
            }
        for marker in page.get("DeleteMarkers", []):
            yield {**_common(marker), "is_delete_marker": True}


def _common(item: dict[str, Any]) -> dict[str, Any]:
    """The null version (written before versioning) has no id in a report."""
    version_id = None if item["VersionId"] == "null" else item["VersionId"]
    return {
        "bucket": BUCKET, "key": item["Key"], "version_id": version_id, "is_latest": item["IsLatest"],
        "last_modified_date": item["LastModified"],
    }
