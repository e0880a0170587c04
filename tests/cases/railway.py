"""The application's database beside a desk: rows of `active_storage_blobs` as the cases describe them."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from hashlib import md5, sha256
from typing import Any

from tests.acceptance.app_database import AppDatabase
from tests.cases.catalogue import Case
from tests.cases.desk import Desk
from tests.cloud.content import Mod251


@dataclass(frozen=True, slots=True)
class Railway:
    """A Rails 8.1 application on SQLite, named in the desk's DATABASE_URL."""

    app: AppDatabase

    @classmethod
    def beside(cls, desk: Desk, *cases: Case) -> Railway:
        """A new database, with the rows of these cases."""
        rails = cls(AppDatabase.create(desk.folder / "production.sqlite3"))
        desk.environment["DATABASE_URL"] = rails.app.url
        for case in cases:
            rails.add_case(case)
        return rails

    def add_case(self, case: Case) -> None:
        """The row a case describes in `db`."""
        told = case.told["db"]
        self.add(
            case.key, case.size, service=told["service_name"], byte_size=told.get("byte_size", case.size),
            checksum=told.get("checksum", "md5_b64"), content_type=told.get("content_type", "application/pdf"),
            name=told.get("attached_as", "file"),
        )  # fmt: skip

    def add(
        self, key: str, size: int, *, service: str = "amazon", byte_size: int | None = None,
        checksum: str = "md5_b64", content_type: str = "application/pdf", name: str = "file",
    ) -> None:
        """An attached row for an object of `size` bytes. `checksum`: `md5_b64`, `sha256:<base64>`, or other text."""
        body = Mod251(size).read(0, size)
        known = {
            "md5_b64": _base64(md5(body).digest()),
            "sha256:<base64>": f"sha256:{_base64(sha256(body).digest())}",
        }
        self.app.execute(
            "INSERT INTO active_storage_blobs (key, filename, content_type, metadata, service_name, byte_size,"
            " checksum, created_at) VALUES (?, 'f', ?, '{}', ?, ?, ?, '2026-03-01 08:00:00.000000')",
            key, content_type, service, size if byte_size is None else byte_size, known.get(checksum, checksum),
        )  # fmt: skip
        owner = "ActiveStorage::Blob" if name == "preview_image" else "Order"
        self.app.execute(
            "INSERT INTO active_storage_attachments (name, record_type, record_id, blob_id, created_at)"
            " SELECT ?, ?, id, id, created_at FROM active_storage_blobs WHERE key = ?", name, owner, key,
        )  # fmt: skip

    def remove(self, key: str) -> None:
        """The application purges the row."""
        self.app.execute(
            "DELETE FROM active_storage_attachments WHERE blob_id IN"
            " (SELECT id FROM active_storage_blobs WHERE key = ?)", key,
        )  # fmt: skip
        self.app.execute("DELETE FROM active_storage_blobs WHERE key = ?", key)

    def row(self, key: str) -> dict[str, Any]:
        """All columns of a row by name."""
        names = [str(column[1]) for column in self.app.execute("PRAGMA table_info(active_storage_blobs)")]
        (values,) = self.app.execute("SELECT * FROM active_storage_blobs WHERE key = ?", key)
        return dict(zip(names, values, strict=True))

    def services(self) -> dict[str, str]:
        """Key and service name of every row."""
        return self.app.services()


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
