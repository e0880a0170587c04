"""ActiveStorage's tables as Rails makes them, per database and version.

Source: activestorage/db/migrate/20170806125915_create_active_storage_tables.rb at v6.0, v6.1 and v7.1 to v8.1, in
the SQL that ActiveRecord's adapters make of it.
"""

from __future__ import annotations

RAILS = ("6.0", "6.1", "8.1")
"""6.0: no service_name yet. 6.1: checksum NOT NULL, datetime without fractions. 7.1 to 8.1 are all alike."""


def activestorage(kind: str, rails: str = "8.1", key_type: str = "bigint", *, unique_key: bool = True) -> list[str]:
    """The statements that make the tables. `kind`: sqlite, mariadb, mysql, postgresql; `key_type`: bigint, uuid.

    `unique_key=False` leaves out the unique index on `key`, with which a case-insensitive collation would not take
    two keys that differ by case only.
    """
    words = {"sqlite": _SQLITE, "postgresql": _POSTGRESQL}.get(kind, _MYSQL)
    key, text, when = words["key"], words["text"], words["datetime" if rails >= "7.1" else "old datetime"]
    own_id, other_id = words[f"{key_type} primary"], words[f"{key_type} reference"]
    service = "" if rails < "6.1" else f"service_name {text} NOT NULL, "
    checksum = "NULL" if rails >= "7.1" else "NOT NULL"
    blobs = (
        f"CREATE TABLE active_storage_blobs (id {own_id}, {key} {text} NOT NULL, filename {text} NOT NULL,"
        f" content_type {text} NULL, metadata text NULL, {service}byte_size bigint NOT NULL,"
        f" checksum {text} {checksum}, created_at {when} NOT NULL)"
    )
    attachments = (
        f"CREATE TABLE active_storage_attachments (id {own_id}, name {text} NOT NULL, record_type {text} NOT NULL,"
        f" record_id {other_id} NOT NULL, blob_id {other_id} NOT NULL, created_at {when} NOT NULL)"
    )
    index = f"CREATE UNIQUE INDEX index_active_storage_blobs_on_key ON active_storage_blobs ({key})"
    return [blobs, attachments, index] if unique_key else [blobs, attachments]


_SQLITE = {
    "key": '"key"', "text": "varchar", "datetime": "datetime(6)", "old datetime": "datetime",
    "bigint primary": "integer PRIMARY KEY AUTOINCREMENT NOT NULL", "bigint reference": "integer",
    "uuid primary": "varchar NOT NULL PRIMARY KEY", "uuid reference": "varchar",
}  # fmt: skip
_MYSQL = {
    "key": "`key`", "text": "varchar(255)", "datetime": "datetime(6)", "old datetime": "datetime",
    "bigint primary": "bigint NOT NULL AUTO_INCREMENT PRIMARY KEY", "bigint reference": "bigint",
    "uuid primary": "varchar(36) NOT NULL PRIMARY KEY", "uuid reference": "varchar(36)",
}  # fmt: skip
_POSTGRESQL = {
    "key": '"key"', "text": "character varying", "datetime": "timestamp(6) without time zone",
    "old datetime": "timestamp without time zone",
    "bigint primary": "bigserial PRIMARY KEY", "bigint reference": "bigint",
    "uuid primary": "uuid DEFAULT gen_random_uuid() NOT NULL PRIMARY KEY", "uuid reference": "uuid",
}  # fmt: skip
