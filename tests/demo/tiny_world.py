"""A tiny company, moved by hand: every property is taken from the recipe, none from what the check believes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import md5
from typing import TYPE_CHECKING

from azure.storage.blob import ContentSettings

from blobmove.demo.check import Clouds, Findings, FlipRule, check_objects, check_rows
from blobmove.demo.clients import container_client, s3_client
from blobmove.demo.company import BUCKET, CONTAINER, Company, StoredObject
from blobmove.demo.company_database import write_database
from blobmove.demo.dump import dump

if TYPE_CHECKING:
    from pathlib import Path

    from blobmove.demo.check import Dump

RENAMED = {
    "order-id": "order_id",
    "order-number": "order_number",
    "invoice-number": "invoice_number",
    "printed-by": "printed_by",
    "made-by": "made_by",
    "2nd-copy": "2nd_copy",
}
"""The company's metadata names that Azure refuses, and what stands for them after `rename_` and `rename_key_`."""


@dataclass(slots=True)
class TinyWorld:
    """Both ends and the database; `before` is its dump from before the migration."""

    company: Company
    s3_url: str
    azure_url: str
    database: Path
    before: Dump = field(default_factory=dict)

    def migrate(self) -> None:
        container = container_client(self.azure_url, CONTAINER)
        container.create_container()
        for stored in self.company.must_arrive().values():
            self.put(stored)
        write_database(self.company, self.database)
        self.before = dump(self.database)
        with self.sql() as database:
            database.executemany(
                "UPDATE active_storage_blobs SET service_name = 'azure' WHERE key = ? AND service_name <> 'local'",
                [(key,) for key in self.company.must_arrive()],
            )

    def put(self, stored: StoredObject, body: bytes | None = None) -> None:
        """Write the blob as it must be, or with another body."""
        content = stored.content.read() if body is None else body
        headers = stored.headers
        settings = ContentSettings(
            content_type=headers.get("Content-Type", "binary/octet-stream"),
            content_disposition=headers.get("Content-Disposition"),
            content_encoding=headers.get("Content-Encoding"),
            content_language=headers.get("Content-Language"),
            cache_control=headers.get("Cache-Control"),
            content_md5=bytearray(md5(content).digest()),
        )
        metadata: dict[str, str] = {}
        for name, value in stored.metadata.items():
            if name in RENAMED:
                metadata |= {f"rename_{RENAMED[name]}": value, f"rename_key_{RENAMED[name]}": name}
            else:
                metadata[name] = value
        container_client(self.azure_url, CONTAINER).upload_blob(
            stored.key, content, overwrite=True, content_settings=settings, metadata=metadata
        )

    def check_objects(self) -> Findings:
        findings = Findings()
        clouds = Clouds(s3_client(self.s3_url), BUCKET, container_client(self.azure_url, CONTAINER))
        check_objects(clouds, self.company.must_arrive(), findings)
        return findings

    def check_rows(self) -> Findings:
        findings = Findings()
        arrived = frozenset(self.company.must_arrive())
        rule = FlipRule(frozenset({"amazon", "mirror"}), "azure", arrived)
        check_rows(self.before, dump(self.database), rule, findings)
        return findings

    def sql(self) -> _Transaction:
        return _Transaction(self.database)


class _Transaction:
    """A connection that commits and closes when its block ends."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path)

    def __enter__(self) -> sqlite3.Connection:
        return self._connection

    def __exit__(self, *_: object) -> None:
        with closing(self._connection):
            self._connection.commit()
