"""A database read whole, so that it can be compared with itself of another day."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from blobmove.demo.check import Dump


def dump(path: Path) -> Dump:
    """Columns and rows of every table of the SQLite file, the schema among them; opened read-only."""
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {table: _read(database, table) for table in ("sqlite_master", *tables)}


def _read(database: sqlite3.Connection, table: str) -> tuple[list[str], list[tuple[object, ...]]]:
    cursor = database.execute(f'SELECT * FROM "{table}" ORDER BY rowid')
    return [column[0] for column in cursor.description], cursor.fetchall()
