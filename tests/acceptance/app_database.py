"""A Rails application's SQLite database, as far as ActiveStorage goes."""

from __future__ import annotations

import base64
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from hashlib import md5
from typing import TYPE_CHECKING

from tests.servers.rails_schema import activestorage

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class AppDatabase:
    """`url` is what stands in DATABASE_URL."""

    path: Path

    @classmethod
    def create(cls, path: Path, rails: str = "8.1") -> AppDatabase:
        database = cls(path)
        for statement in activestorage("sqlite", rails):
            database.execute(statement)
        return database

    @property
    def url(self) -> str:
        return f"sqlite3:{self.path}"

    def execute(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            return connection.execute(sql, values).fetchall()

    def add(self, key: str, content: bytes, service: str = "amazon", *, attached: bool = True) -> None:
        """A blob row as Rails writes it when `content` is uploaded."""
        checksum = base64.b64encode(md5(content).digest()).decode()
        self.execute(
            "INSERT INTO active_storage_blobs (key, filename, content_type, service_name, byte_size, checksum,"
            " created_at) VALUES (?, 'file', 'application/pdf', ?, ?, ?, '2026-03-01 08:00:00.000000')",
            key, service, len(content), checksum,
        )  # fmt: skip
        if attached:
            self.execute(
                "INSERT INTO active_storage_attachments (name, record_type, record_id, blob_id, created_at)"
                " SELECT 'file', 'Order', id, id, created_at FROM active_storage_blobs WHERE key = ?",
                key,
            )

    def services(self) -> dict[str, str]:
        """Key and service name of every row."""
        return {str(key): str(name) for key, name in self.execute("SELECT key, service_name FROM active_storage_blobs")}

    def dump(self) -> list[str]:
        with closing(sqlite3.connect(self.path)) as connection:
            return list(connection.iterdump())
