"""A bucket, a container, and somebody in front of a terminal: what an acceptance test needs to tell a story."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import md5, shake_128
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from azure.storage.blob import BlobBlock

from blobmove.demo.clients import container_client, s3_client
from blobmove.demo.delivery import FIELDS
from blobmove.demo.inventory_report import write_report
from tests.acceptance.app_database import AppDatabase
from tests.acceptance.checkpoint_file import states
from tests.acceptance.commands import Process, Run, Terminal, clean_environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from azure.storage.blob import ContainerClient

    from blobmove.demo.clients import S3Client
    from tests.acceptance.forks import Forks

_numbers = count(1)

HEADERS: Final = {
    "ContentType": "content_type", "ContentDisposition": "content_disposition", "ContentEncoding": "content_encoding",
    "ContentLanguage": "content_language", "CacheControl": "cache_control",
}
"""S3's names of the headers that are kept, and the SDK's names of them on Azure."""

SMALL_BLOCKS: Final = ("--block-size", "64KiB", "--whole-object-limit", "128KiB")
"""So that an object of a megabyte counts as large."""


def noise(label: str, size: int) -> bytes:
    """`size` bytes that depend on `label` alone."""
    return shake_128(label.encode()).digest(size)


@dataclass(slots=True)
class World:
    """One bucket and one container of their own on the shared servers, and a folder to type commands in."""

    terminal: Terminal
    s3: S3Client
    s3_url: str
    azure_url: str
    bucket: str
    container: str

    @classmethod
    def create(cls, folder: Path, s3_url: str, azure_url: str, forks: Forks | None = None) -> World:
        """A new bucket; the container is left to be made by the first plan. See Terminal for `forks`."""
        desk = folder / "desk"
        desk.mkdir()
        name = f"acceptance-{next(_numbers)}"
        terminal = Terminal(desk, clean_environment(desk, s3_url, azure_url), forks)
        world = cls(terminal, s3_client(s3_url), s3_url, azure_url, name, name)
        world.create_bucket(name)
        return world

    # The two ends.

    @property
    def source(self) -> str:
        return f"s3://{self.bucket}"

    @property
    def destination(self) -> str:
        return f"{self.azure_url}/{self.container}"

    @property
    def blobs(self) -> ContainerClient:
        return container_client(self.azure_url, self.container)

    def create_bucket(self, name: str) -> None:
        self.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})

    # What lies in the bucket.

    def put(self, key: str, body: bytes, **headers: Any) -> bytes:  # noqa: ANN401 - boto3's own arguments
        """Write an object with boto3's arguments (`ContentType`, `Metadata`, ...); the body again."""
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, **headers)
        return body

    def put_many(self, number: int, size: int = 100, prefix: str = "files/") -> list[str]:
        """So many small objects, each with a body of its own; their keys."""
        keys = [f"{prefix}{index:03d}.pdf" for index in range(number)]
        for key in keys:
            self.put(key, noise(key, size), ContentType="application/pdf")
        return keys

    def put_parts(self, key: str, sizes: Sequence[int], **headers: Any) -> bytes:  # noqa: ANN401
        """Write an object in parts of these sizes; the whole body."""
        body, start, parts = noise(key, sum(sizes)), 0, []
        upload = self.s3.create_multipart_upload(Bucket=self.bucket, Key=key, **headers)["UploadId"]
        for number, size in enumerate(sizes, start=1):
            part = self.s3.upload_part(
                Bucket=self.bucket, Key=key, UploadId=upload, PartNumber=number, Body=body[start : start + size]
            )
            parts.append({"PartNumber": number, "ETag": part["ETag"]})
            start += size
        self.s3.complete_multipart_upload(
            Bucket=self.bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts}
        )
        return body

    def delete(self, key: str) -> None:
        self.s3.delete_object(Bucket=self.bucket, Key=key)

    def switch_on_versions(self) -> None:
        self.s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"})

    def restore(self, key: str) -> None:
        """Bring an archived object back for a day; moto needs no hours for it."""
        self.s3.restore_object(Bucket=self.bucket, Key=key, RestoreRequest={"Days": 1})

    def deliver_inventory(self, file_format: str, *, versions: bool = True, rows_per_file: int = 5) -> str:
        """Let a report be delivered into a bucket of its own; its manifest's address."""
        target = f"{self.bucket}-inventory"
        self.create_bucket(target)
        manifest = write_report(
            self.inventory_rows(versions=versions), source_bucket=self.bucket, destination_bucket=target,
            prefix="inventory", config_id="daily", format=file_format, when=datetime(2026, 11, 20, 1, tzinfo=UTC),
            put=lambda key, body: self.s3.put_object(Bucket=target, Key=key, Body=body), versions=versions,
            fields=FIELDS, rows_per_file=rows_per_file,
        )  # fmt: skip
        return f"s3://{target}/{manifest}"

    def write_inventory(self, folder: Path, file_format: str) -> Path:
        """The same into a local folder; its manifest."""

        def put(key: str, body: bytes) -> None:
            (folder / key).parent.mkdir(parents=True, exist_ok=True)
            (folder / key).write_bytes(body)

        manifest = write_report(
            self.inventory_rows(versions=True), source_bucket=self.bucket, destination_bucket="anywhere",
            prefix="", config_id="daily", format=file_format, when=datetime(2026, 11, 20, 1, tzinfo=UTC), put=put,
            versions=True, fields=FIELDS, rows_per_file=5,
        )  # fmt: skip
        return folder / manifest

    def inventory_rows(self, *, versions: bool) -> list[dict[str, Any]]:
        """What a report of this moment says of the bucket."""
        told = self.s3.list_object_versions(Bucket=self.bucket)
        found = [self._version_row(item) for item in told.get("Versions", []) if versions or item["IsLatest"]]
        if versions:
            found += [{**_row(item), "is_delete_marker": True} for item in told.get("DeleteMarkers", [])]
        return found

    def _version_row(self, item: dict[str, Any]) -> dict[str, Any]:
        etag = item["ETag"].strip('"')
        return {
            **_row(item), "is_delete_marker": False, "size": item["Size"], "e_tag": etag,
            "storage_class": item["StorageClass"], "is_multipart_uploaded": "-" in etag,
            "encryption_status": "SSE-S3",
        }

    # The commands.

    @property
    def desk(self) -> Path:
        return self.terminal.folder

    @property
    def checkpoint(self) -> Path:
        return self.desk / "blobmove.db"

    def run(self, *words: str, expect: int | None = 0, **how: Any) -> Run:  # noqa: ANN401 - see Terminal.run
        return self.terminal.run(*words, expect=expect, **how)

    def start(self, *words: str, **how: Any) -> Process:  # noqa: ANN401 - see Terminal.start
        return self.terminal.start(*words, **how)

    def plan(self, *words: str, expect: int = 0, **how: Any) -> Run:  # noqa: ANN401
        """`plan --json` of this bucket into this container; lists the bucket unless told otherwise."""
        listed = words if {"--inventory", "--list", "--keys"} & {*words} else ("--list", *words)
        ends = ("--source", self.source, "--destination", self.destination, "--create-container")
        return self.run("plan", *ends, *listed, "--json", expect=expect, **how)

    def replan(self, *words: str) -> Run:
        """`plan --json` with nothing said that the checkpoint knows."""
        return self.run("plan", "--json", *words)

    def copy(self, *words: str, expect: int | None = 0, **how: Any) -> dict[str, Any]:  # noqa: ANN401
        """`copy --resume --json`; its summary, whose outcomes add up."""
        summary = self.run("copy", "--resume", "--json", *words, expect=expect, **how).summary
        assert summary["planned"] == sum(summary["outcomes"].values())
        return summary

    def outcomes(self, *words: str, expect: int | None = 0) -> dict[str, int]:
        """`copy`: how many objects ended how, those of which there are any."""
        return counted(self.copy(*words, expect=expect))

    def settled(self) -> int:
        """Objects that are no longer pending, as the file on disk says."""
        found = states(self.checkpoint)
        return sum(found.values()) - found.get("pending", 0)

    def database(self, rails: str = "8.1") -> AppDatabase:
        """A new database beside the desk, named in DATABASE_URL from now on."""
        app = AppDatabase.create(self.desk.parent / f"production-{next(_numbers)}.sqlite3", rails)
        self.terminal.environment["DATABASE_URL"] = app.url
        return app

    # What lies in the container.

    def body(self, name: str) -> bytes:
        """A blob's bytes as they are stored."""
        return bytes(self.blobs.download_blob(name, decompress=False).readall())

    def put_blob(self, name: str, body: bytes) -> None:
        """Somebody else writes a blob in one request: Azure computes its MD5."""
        self.blobs.upload_blob(name, body, overwrite=True)

    def put_blob_without_md5(self, name: str, body: bytes) -> None:
        """Somebody else writes a blob in blocks, as AzCopy does: it has no Content-MD5."""
        client = self.blobs.get_blob_client(name)
        client.stage_block("YQ==", body)
        client.commit_block_list([BlobBlock("YQ==")])

    def assert_moved(self, *keys: str) -> None:
        """These objects are on Azure under their own names, byte for byte, with headers, metadata and MD5."""
        for key in keys:
            self.assert_same(key, key)

    def assert_same(self, key: str, name: str, version_id: str | None = None) -> None:
        pinned = {"VersionId": version_id} if version_id else {}
        stored = self.s3.get_object(Bucket=self.bucket, Key=key, **pinned)
        content = stored["Body"].read()
        assert self.body(name) == content, f"{name}: other bytes"
        properties = self.blobs.get_blob_client(name).get_blob_properties()
        settings = properties.content_settings
        assert bytes(settings.content_md5 or b"") == md5(content).digest(), f"{name}: Content-MD5"
        for of_s3, of_azure in HEADERS.items():
            assert settings[of_azure] == stored.get(of_s3), f"{name}: {of_s3}"
        assert properties.metadata == renamed(stored["Metadata"]), f"{name}: metadata"


def renamed(metadata: Mapping[str, str]) -> dict[str, str]:
    """What Azure must show for S3's metadata: a name it refuses becomes a pair."""
    found: dict[str, str] = {}
    for name, value in metadata.items():
        plain = re.sub(r"[^A-Za-z0-9_]", "_", name)
        if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            found[name] = value
        else:
            found |= {f"rename_{plain}": value, f"rename_key_{plain}": name}
    return found


def counted(summary: Mapping[str, Any]) -> dict[str, int]:
    """The outcomes of a summary of which there are any."""
    return {name: number for name, number in summary["outcomes"].items() if number}


def _row(item: dict[str, Any]) -> dict[str, Any]:
    return {
        "key": item["Key"], "version_id": None if item["VersionId"] == "null" else item["VersionId"],
        "is_latest": item["IsLatest"], "last_modified_date": item["LastModified"],
    }
