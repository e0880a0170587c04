"""Somebody at a desk of their own: a bucket, a container, a folder, and the real commands, run in this process."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest

from blobmove.cli.app import main
from blobmove.demo.inventory_report import write_report
from tests.acceptance.commands import Run
from tests.cases.catalogue import STATES, Case
from tests.cloud.control import Cloud
from tests.cloud.facts import StoredBlob
from tests.cloud.specs import ObjectSpec

FIELDS: Final = ("Size", "LastModifiedDate", "ETag", "StorageClass", "IsMultipartUploaded", "EncryptionStatus",
                 "IntelligentTieringAccessTier", "ChecksumAlgorithm")
_UNWELL: Final = ("refused", "changed", "conflict", "failed", "pending")
_STATUS: Final = {None: "SSE-S3", "aws:kms": "SSE-KMS", "aws:kms:dsse": "DSSE-KMS", "SSE-C": "SSE-C"}
_TIERS: Final = {"ARCHIVE_ACCESS": "ARCHIVE", "DEEP_ARCHIVE_ACCESS": "DEEP_ARCHIVE"}
_numbers = count(1)

Record = dict[str, Any]


@dataclass(slots=True)
class Desk:
    """One migration. `environment` is all the commands see of blobmove's, Amazon's and Microsoft's variables."""

    cloud: Cloud
    folder: Path
    bucket: str
    container: str
    environment: dict[str, str]
    stored: dict[str, ObjectSpec] = field(default_factory=dict)

    @classmethod
    def create(cls, cloud: Cloud, folder: Path, *specs: ObjectSpec, versioned: bool = False) -> Desk:
        """A new bucket with these objects, an empty container, an empty folder."""
        name = f"case-{next(_numbers)}"
        cloud.bucket(name, versioned=versioned)
        cloud.container(name)
        home = folder / name
        home.mkdir()
        nowhere = {variable: str(home / "none") for variable in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")}
        desk = cls(cloud, home, name, name, {**cloud.environment(), **nowhere, "AWS_EC2_METADATA_DISABLED": "true"})
        desk.put(*specs)
        return desk

    # What lies at both ends.

    @property
    def source(self) -> str:
        return f"s3://{self.bucket}"

    @property
    def destination(self) -> str:
        return self.cloud.destination(self.container)

    def put(self, *specs: ObjectSpec) -> None:
        """Store objects; the newest of a key counts."""
        if specs:
            self.cloud.put(self.bucket, *specs)
        self.stored.update((spec.key, spec) for spec in specs)

    def blob(self, name: str) -> StoredBlob | None:
        """The blob of this name as Azure holds it, None where nothing is committed."""
        found = self.cloud.blob(self.container, name)
        return found if found is not None and found.committed else None

    # The commands.

    def run(self, *words: str, expect: int | None = 0) -> Run:
        """`blobmove WORDS` in this process, in the desk's folder and environment; ends with `expect`."""
        out, err = io.StringIO(), io.StringIO()
        with self._seated(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(words)
        run = Run(words, code, out.getvalue(), err.getvalue())
        told = f"blobmove {' '.join(words)} ended with {code}, not {expect}:\n{run.out[-3000:]}\n{run.err[-3000:]}"
        assert expect is None or code == expect, told
        return run

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """`blobmove WORDS` as a process of its own, to be killed."""
        environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self.folder), **self.environment}
        return subprocess.Popen(
            [sys.executable, "-m", "blobmove", *words], cwd=self.folder, env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    @contextlib.contextmanager
    def _seated(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            for name in list(os.environ):
                if name.startswith(("AWS_", "AZURE_", "BLOBMOVE_", "DATABASE_URL", "SSL_CERT_FILE")):
                    patch.delenv(name)
            for name, value in self.environment.items():
                patch.setenv(name, value)
            patch.chdir(self.folder)
            yield

    def plan(self, *words: str, expect: int = 0) -> dict[str, Any]:
        """`plan --json`, from a listing unless another list is named."""
        listed = words if {"--inventory", "--list", "--keys"} & {*words} else ("--list", *words)
        ends = ("--source", self.source, "--destination", self.destination)
        return self.run("plan", *ends, *listed, "--json", expect=expect).document

    def copy(self, *words: str, expect: int = 0) -> dict[str, Any]:
        """`copy --resume --json`: its summary, held against what must be true of every run."""
        summary = self.run("copy", "--resume", "--json", *words, expect=expect).summary
        outcomes = summary["outcomes"]
        assert summary["planned"] == sum(outcomes.values())
        report = self.report()
        assert len(report) == summary["planned"]
        for state, number in outcomes.items():
            assert number == sum(record["state"] == state for record in report)
        unwell = any(outcomes[state] for state in _UNWELL)
        assert bool(expect) == unwell, "the exit code says whether all is well"
        for record in report:
            assert record["state"] in ("copied", "present", "pending") or record["reason"], record
        return dict(summary)

    def verify(self, *words: str, expect: int = 0) -> dict[str, Any]:
        """`verify --json`."""
        return self.run("verify", "--json", *words, expect=expect).document

    def report(self) -> list[Record]:
        """`report --objects`: one record for every planned object and version."""
        self.run("report", "--objects", "objects.jsonl")
        lines = (self.folder / "objects.jsonl").read_text(encoding="utf-8").split("\n")
        found = [json.loads(line) for line in lines if line]
        assert len({(record["key"], record["version_id"]) for record in found}) == len(found)
        return found

    def records(self) -> dict[str, Record]:
        """The records of current objects by key."""
        return {str(record["key"]): record for record in self.report() if record["reason"] != "old-version"}

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The answer of the checkpoint file to a question."""
        with contextlib.closing(sqlite3.connect(self.folder / "blobmove.db")) as connection:
            return connection.execute(sql).fetchall()

    # The inventory.

    def deliver(self, file_format: str = "CSV", *, fields: tuple[str, ...] = FIELDS, versions: bool = False) -> Path:
        """A report of the bucket as it is now, in a folder; its manifest."""
        root = self.folder / f"inventory-{next(_numbers)}"

        def put(key: str, body: bytes) -> None:
            (root / key).parent.mkdir(parents=True, exist_ok=True)
            (root / key).write_bytes(body)

        manifest = write_report(
            self._report_rows(versions=versions), source_bucket=self.bucket, destination_bucket="reports", prefix="",
            config_id="daily", format=file_format, when=datetime.now(UTC), put=put, versions=versions, fields=fields,
            rows_per_file=25,
        )  # fmt: skip
        return root / manifest

    def _report_rows(self, *, versions: bool) -> list[dict[str, Any]]:
        rows = []
        for one in self.cloud.objects(self.bucket):
            spec = self.stored[one.key]
            if not (versions or (one.latest and not one.marker)):
                continue
            rows.append({
                "key": one.key, "version_id": None if one.version_id == "null" else one.version_id,
                "is_latest": one.latest, "is_delete_marker": one.marker, "size": one.size, "e_tag": one.etag,
                "last_modified_date": datetime.fromtimestamp(one.modified, UTC), "storage_class": one.storage_class,
                "is_multipart_uploaded": bool(spec.parts), "encryption_status": _STATUS[spec.encryption],
                "intelligent_tiering_access_tier": _TIERS.get(spec.archive_status or ""),
                "checksum_algorithm": spec.checksum,
            })
        return rows

    # What every test asks.

    def ended(self, case: Case, records: Mapping[str, Record] | None = None) -> Record:
        """The record of the case's object, in a state that the case's outcome allows."""
        record = (self.records() if records is None else records)[case.key]
        assert record["state"] in STATES[case.outcome], record
        if "with_note" in case.outcome and record["state"] == "copied":
            assert record["notes"], record
        return record

    def holds(self, case: Case, blob: StoredBlob | None = None) -> StoredBlob:
        """The case's blob: right size, right bytes, and their MD5 stored with it."""
        blob = blob or self.blob(case.key)
        assert blob is not None, f"there is no blob {case.key!r}"
        assert blob.committed
        assert (blob.size, blob.md5, blob.content_md5) == (case.size, case.md5, case.md5)
        return blob
