"""The Rails side of a case: an SQLite file whose rows tell size, type and MD5 of the objects."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from tests.servers.rails_schema import activestorage

_WHEN = "2026-11-22 10:00:00.000000"


def make_database(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        for statement in activestorage("sqlite"):
            connection.execute(statement)
    connection.close()


def add_rows(file: Path, rows: Iterable[tuple[str, int, str]]) -> None:
    """`rows`: key, size in bytes, base64 MD5."""
    statement = (
        'INSERT INTO active_storage_blobs ("key", filename, content_type, metadata, service_name, byte_size, checksum,'
        " created_at) VALUES (?, 'a.bin', 'application/octet-stream', '{}', 'amazon', ?, ?, ?)"
    )
    with sqlite3.connect(file) as connection:
        connection.executemany(statement, ((key, size, md5, _WHEN) for key, size, md5 in rows))
    connection.close()
