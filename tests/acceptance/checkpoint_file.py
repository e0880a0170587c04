"""The checkpoint file as sqlite3 sees it: what stands in it, told without any code of the product."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

_TABLES: Final = ("setup", "object", "tally", "rails_blob", "flip_run", "flip_batch", "flip_row")
"""All but `run`: that somebody tried is allowed to be noted."""


def rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    """The answer to a question, also while a command writes."""
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=30)) as connection:
        return connection.execute(sql).fetchall()


def dump(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Everything that is recorded, by table."""
    return {table: rows(path, f"SELECT * FROM {table} ORDER BY 1, 2") for table in _TABLES}


def states(path: Path) -> dict[str, int]:
    """Objects by state, counted row by row; empty while there is no plan."""
    if not path.exists():
        return {}
    return {str(state): int(str(n)) for state, n in rows(path, "SELECT state, count(*) FROM object GROUP BY state")}


def files(folder: Path) -> dict[str, bytes]:
    """Name and content of every file."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
