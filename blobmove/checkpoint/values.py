"""How values are kept in the checkpoint's columns: small forms in, the same values out."""

from __future__ import annotations

import json
import sqlite3
from binascii import b2a_base64
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from blobmove.checkpoint.schema import RAILS_MD5
from blobmove.checkpoint.words import Words
from blobmove.core.digests import md5_of_etag
from blobmove.core.frozen import frozen
from blobmove.core.model import RailsFacts, Transfer

if TYPE_CHECKING:
    from blobmove.core.rows import ProvenRows

Row: TypeAlias = tuple[Any, ...]

MOST_INTEGER: Final = 2**63 - 1
"""The largest that SQLite stores; ids of MySQL's unsigned bigint go twice as far."""


@frozen
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
    if etag is None or len(etag) != 32:
        return etag
    return md5_of_etag(etag) or etag


def etag_out(stored: bytes | str | None) -> str | None:
    return stored.hex() if isinstance(stored, bytes) else stored


def blob_etag_in(etag: str | None) -> int | str | None:
    """Half the room for the form Azure gives, `0x8DE2A7C4B5F1D30`: the number it spells, where it spells it exactly."""
    if etag is None or len(etag) > 17 or not etag.startswith("0x"):
        return etag
    try:
        number = int(etag, 16)
    except ValueError:
        return etag
    return number if f"0x{number:X}" == etag else etag


def blob_etag_out(stored: int | str | None) -> str | None:
    return f"0x{stored:X}" if isinstance(stored, int) else stored


def class_in(storage_class: str) -> str | None:
    return None if storage_class == "STANDARD" else storage_class


TRANSFER_COLUMNS: Final = (
    "o.id, o.key, o.blob_name, o.size, o.etag, o.version_id, o.encryption, o.blob_etag, o.attempts, "
    f"o.rails_id, o.rails_service, o.rails_size, {RAILS_MD5}, o.rails_sha256, o.rails_type"
)


def transfer_out(row: Row, words: Words) -> Transfer:
    """A Transfer from a row of TRANSFER_COLUMNS."""
    number, key, name, size, etag, version, encryption, own, attempts, rails, service, rails_size, md5, sha, kind = row
    texts = words.texts
    facts = None if rails is None else RailsFacts(rails, texts[service] or "", rails_size, md5, sha, texts[kind])
    return Transfer(
        number, key, name or key, size, etag.hex() if type(etag) is bytes else etag, version, texts[encryption],
        None if own is None else blob_etag_out(own), attempts, facts,
    )


def proven_rows_out(row: Row) -> ProvenRows:
    """From so many keys, zero bytes between them; their sizes; their MD5s with two zero bytes between each.

    Nothing where they do not add up (a key may hold a zero byte): whoever finds no answer here asks row by row.
    """
    from blobmove.core.rows import ProvenRows  # the nouns of one command

    count, keys, sizes, md5s = row
    if not count or keys.count("\0") != count - 1 or len(md5s) != count * 18 - 2:
        return ProvenRows()
    # 16 bytes and two of zero are 24 letters, the first 22 of them those of the 16 bytes alone; then comes "==".
    letters = bytearray(b2a_base64(md5s + b"\0\0", newline=False))
    letters[22::24] = letters[23::24] = b"=" * count
    return ProvenRows(count, keys, sizes, letters.decode("ascii"))


def setup_out(row: Row | None) -> Setup | None:
    return None if row is None else Setup(row[0], row[1], row[2], row[3], json.loads(row[4]), json.loads(row[5]))


def read_setup(connection: sqlite3.Connection) -> Setup | None:
    """The setup row, or None before the first plan."""
    return setup_out(connection.execute(
        "SELECT plan, source, destination, planned_at, settings, sizing FROM setup"
    ).fetchone())
