"""How values are kept in the checkpoint's columns: small forms in, the same values out."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any, TypeAlias

from blobmove.core.digests import md5_of_etag
from blobmove.core.model import RailsFacts, Transfer

Row: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Setup:
    """Which migration a checkpoint belongs to. `settings` and `sizing` are plain JSON values, never secrets."""

    plan: str
    source: str
    destination: str
    planned_at: str
    settings: dict[str, Any]
    sizing: dict[str, Any]


def etag_in(etag: str | None) -> bytes | str | None:
    """Half the room for the common form: 32 hex digits are kept as 16 bytes."""
    raw = md5_of_etag(etag)
    return raw if raw is not None else etag


def etag_out(stored: bytes | str | None) -> str | None:
    return stored.hex() if isinstance(stored, bytes) else stored


def class_in(storage_class: str) -> str | None:
    return None if storage_class == "STANDARD" else storage_class


TRANSFER_COLUMNS = (
    "o.id, o.key, o.blob_name, o.size, o.etag, o.version_id, o.encryption, o.blob_etag, o.attempts, "
    "r.id, r.service_name, r.size, r.md5, r.sha256, r.content_type"
)


def transfer_out(row: Row) -> Transfer:
    """A Transfer from a row of TRANSFER_COLUMNS."""
    rails = None if row[9] is None else RailsFacts(*row[9:15])
    return Transfer(
        row[0], row[1], row[2] or row[1], row[3], etag_out(row[4]), row[5], row[6], row[7], row[8], rails
    )


def setup_out(row: Row | None) -> Setup | None:
    return None if row is None else Setup(row[0], row[1], row[2], row[3], json.loads(row[4]), json.loads(row[5]))


def read_setup(connection: sqlite3.Connection) -> Setup | None:
    """The setup row, or None before the first plan."""
    return setup_out(connection.execute(
        "SELECT plan, source, destination, planned_at, settings, sizing FROM setup"
    ).fetchone())
