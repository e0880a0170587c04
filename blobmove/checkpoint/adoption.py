"""Taking gathered rows over into the checkpoint: what is proven stays so, what changed is work again."""

from __future__ import annotations

import sqlite3
from typing import Final

from blobmove.checkpoint.schema import PENDING, PROVEN, STATES
from blobmove.core.model import State


def _same_version(new: str, old: str) -> str:
    """SQL: does the new row speak of the version the old one stands for? By ETag, else by time, else by size."""
    return (
        f"(CASE WHEN {new}.etag IS NOT NULL THEN {new}.etag IS {old}.etag OR {new}.etag IS {old}.source_etag"
        f" ELSE coalesce({new}.modified_ms = {old}.modified_ms, {new}.size = {old}.size, false) END)"
    )


def _word(column: str) -> str:
    """SQL: the number of a text, where the dictionary has it."""
    return f"iif({column} IS NULL, NULL, coalesce((SELECT id FROM word WHERE text = {column}), {column}))"


# A newer plan: what is proven stays proven while S3 holds the same version; another version is work again, and
# keeps the etag of our own blob, the only one that may be overwritten; failures wait for --retry-failed.
_SAME: Final = _same_version("excluded", "o")
_PROVEN: Final = f"o.state IN ({PROVEN})"
_WAITS: Final = (
    f"(o.state IN ({STATES[State.FAILED]}, {STATES[State.CONFLICT]}) AND excluded.state = {PENDING})"
)
_KEEPS: Final = f"({_SAME} AND ({_PROVEN} OR {_WAITS}))"
# Work on another version must not be pinned to the etag or version id of the one before.
_MOVED_ON: Final = f"(o.state = {STATES[State.CHANGED]} OR NOT {_SAME})"
_RAILS: Final = ("rails_id", "rails_service", "rails_size", "rails_md5", "rails_sha256", "rails_type")
_RAILS_KEPT: Final = "rails_md5 = iif(o.rails_md5 = x'' AND excluded.etag IS NOT o.etag, o.etag, o.rails_md5)"
_RAILS_NEW: Final = ", ".join(f"{name} = excluded.{name}" for name in _RAILS)

_INSERT: Final = f"""
INSERT INTO object_row AS o (id, key, version_id, size, etag, modified_ms, class, encryption, algorithm, blob_name,
                             state, reason, {", ".join(_RAILS)})
SELECT l.id, l.key, l.version_id, l.size, l.etag, l.modified_ms, {_word("l.class")}, {_word("l.encryption")},
       {_word("l.algorithm")}, l.blob_name, (SELECT id FROM word WHERE text = l.state), {_word("l.reason")},
       r.id, {_word("r.service_name")}, r.size, iif(r.md5 = l.etag, x'', r.md5), r.sha256, {_word("r.content_type")}
  FROM incoming.listed l LEFT JOIN incoming.rails r ON r.slot = l.id WHERE true ORDER BY l.id
"""
_UPDATE: Final = f"""
ON CONFLICT (id) DO UPDATE SET
       state       = CASE WHEN {_KEEPS} THEN o.state ELSE excluded.state END,
       reason      = CASE WHEN {_KEEPS} THEN o.reason ELSE excluded.reason END,
       detail      = CASE WHEN {_KEEPS} THEN o.detail END,
       proof       = CASE WHEN {_KEEPS} THEN o.proof END,
       md5         = CASE WHEN {_KEEPS} THEN o.md5 END,
       crc64       = CASE WHEN {_KEEPS} THEN o.crc64 END,
       notes       = CASE WHEN {_KEEPS} THEN o.notes END,
       verified    = CASE WHEN {_KEEPS} THEN o.verified END,
       source_etag = CASE WHEN {_KEEPS} THEN o.source_etag END,
       settled_ms  = CASE WHEN {_KEEPS} THEN o.settled_ms END,
       size        = CASE WHEN {_MOVED_ON} THEN excluded.size ELSE coalesce(excluded.size, o.size) END,
       etag        = CASE WHEN {_MOVED_ON} THEN excluded.etag ELSE coalesce(excluded.etag, o.etag) END,
       version_id  = CASE WHEN {_MOVED_ON} THEN excluded.version_id
                          ELSE coalesce(excluded.version_id, o.version_id) END,
       modified_ms = coalesce(excluded.modified_ms, o.modified_ms),
       class       = excluded.class,
       encryption  = coalesce(excluded.encryption, o.encryption),
       algorithm   = coalesce(excluded.algorithm, o.algorithm),
       blob_name   = excluded.blob_name,
"""
_ALONE: Final = """
INSERT INTO rails_alone (slot, key, id, service_name, size, md5, sha256, content_type, attached)
SELECT slot, key, id, service_name, size, md5, sha256, content_type, attached FROM incoming.rails r
 WHERE NOT EXISTS (SELECT 1 FROM object_row o WHERE o.id = r.slot) ORDER BY slot
"""


def adopt_rows(db: sqlite3.Connection, *, rails: bool) -> None:
    """Take over `incoming.listed`, inside the caller's transaction.

    What is known of Rails' rows is replaced only where the database was read this time (`rails`).
    """
    db.execute(f"{_INSERT}{_UPDATE}       {_RAILS_NEW if rails else _RAILS_KEPT}")
    if rails:
        db.execute("DELETE FROM rails_alone")
        db.execute(_ALONE)


def count_change(db: sqlite3.Connection) -> tuple[int, int]:
    """How many of the listed objects are new, and how many stand for another version than before."""
    new, changed = db.execute(
        "SELECT count(*) FILTER (WHERE o.id IS NULL),"
        f" count(*) FILTER (WHERE o.id IS NOT NULL AND NOT {_same_version('l', 'o')})"
        " FROM incoming.listed l LEFT JOIN object_row o ON o.id = l.id"
    ).fetchone()
    return int(new), int(changed)
