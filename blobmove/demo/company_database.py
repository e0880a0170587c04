"""The company's database as an SQLite file: ActiveStorage's tables in the shape of Rails 8.1, and one of the app.

Shape: activestorage/db/migrate/20170806125915 at v8.1.0 (rails-and-mysql.md section 1) as Rails' SQLite adapter
writes it.
"""

from __future__ import annotations

import base64
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from hashlib import md5
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

    from blobmove.demo.company import BlobRecord, Company

_ORDERS: Final = 200
_CUSTOMERS: Final = 8

_SCHEMA: Final = """
CREATE TABLE "schema_migrations" ("version" varchar NOT NULL PRIMARY KEY);
CREATE TABLE "ar_internal_metadata" (
  "key" varchar NOT NULL PRIMARY KEY, "value" varchar,
  "created_at" datetime(6) NOT NULL, "updated_at" datetime(6) NOT NULL
);
CREATE TABLE "customers" ("id" integer PRIMARY KEY AUTOINCREMENT NOT NULL, "name" varchar NOT NULL);
CREATE TABLE "orders" (
  "id" integer PRIMARY KEY AUTOINCREMENT NOT NULL, "number" varchar NOT NULL, "customer_id" integer NOT NULL,
  "created_at" datetime(6) NOT NULL
);
CREATE TABLE "active_storage_blobs" (
  "id" integer PRIMARY KEY AUTOINCREMENT NOT NULL, "key" varchar NOT NULL, "filename" varchar NOT NULL,
  "content_type" varchar, "metadata" text, "service_name" varchar NOT NULL, "byte_size" bigint NOT NULL,
  "checksum" varchar, "created_at" datetime(6) NOT NULL
);
CREATE UNIQUE INDEX "index_active_storage_blobs_on_key" ON "active_storage_blobs" ("key");
CREATE TABLE "active_storage_attachments" (
  "id" integer PRIMARY KEY AUTOINCREMENT NOT NULL, "name" varchar NOT NULL, "record_type" varchar NOT NULL,
  "record_id" bigint NOT NULL, "blob_id" bigint NOT NULL, "created_at" datetime(6) NOT NULL,
  CONSTRAINT "fk_rails_c3b3935057" FOREIGN KEY ("blob_id") REFERENCES "active_storage_blobs" ("id")
);
CREATE INDEX "index_active_storage_attachments_on_blob_id" ON "active_storage_attachments" ("blob_id");
CREATE UNIQUE INDEX "index_active_storage_attachments_uniqueness"
  ON "active_storage_attachments" ("record_type", "record_id", "name", "blob_id");
CREATE TABLE "active_storage_variant_records" (
  "id" integer PRIMARY KEY AUTOINCREMENT NOT NULL, "blob_id" bigint NOT NULL, "variation_digest" varchar NOT NULL,
  CONSTRAINT "fk_rails_993965df05" FOREIGN KEY ("blob_id") REFERENCES "active_storage_blobs" ("id")
);
CREATE UNIQUE INDEX "index_active_storage_variant_records_uniqueness"
  ON "active_storage_variant_records" ("blob_id", "variation_digest");
"""


def write_database(company: Company, path: Path) -> int:
    """Create the file at `path` with every row of the company; the number of rows in active_storage_blobs.

    The checksums are computed here from the content, as Rails did when the files were uploaded.
    """
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(_SCHEMA)
        _write_app(database)
        database.executemany(
            "INSERT INTO active_storage_blobs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", map(_blob_row, company.blobs)
        )
        database.executemany(
            "INSERT INTO active_storage_variant_records VALUES (?, ?, ?)",
            [(variant.id, variant.blob_id, variant.variation_digest) for variant in company.variants],
        )
        database.executemany(
            "INSERT INTO active_storage_attachments (name, record_type, record_id, blob_id, created_at)"
            " VALUES (?, ?, ?, ?, ?)",
            [(a.name, a.record_type, a.record_id, a.blob_id, _rails_time(a.created_at)) for a in company.attachments],
        )
    return len(company.blobs)


def _write_app(database: sqlite3.Connection) -> None:
    opened = datetime(2018, 5, 2, 7, 0)
    database.execute("INSERT INTO schema_migrations VALUES ('20261001080000')")
    database.execute(
        "INSERT INTO ar_internal_metadata VALUES ('environment', 'production', ?, ?)",
        (_rails_time(opened), _rails_time(opened)),
    )
    database.executemany("INSERT INTO customers (name) VALUES (?)", [(f"Kunde {n + 1}",) for n in range(_CUSTOMERS)])
    database.executemany(
        "INSERT INTO orders (number, customer_id, created_at) VALUES (?, ?, ?)",
        [(f"A-{4000 + n}", 1 + n % _CUSTOMERS, _rails_time(opened + timedelta(days=n))) for n in range(_ORDERS)],
    )


def _blob_row(row: BlobRecord) -> tuple[object, ...]:
    checksum = None
    if not row.composed:
        body = row.content.read() if row.content is not None else row.key.encode()
        checksum = base64.b64encode(md5(body, usedforsecurity=False).digest()).decode()
    return (
        row.id, row.key, row.filename, row.content_type, row.metadata, row.service_name, row.byte_size, checksum,
        _rails_time(row.created_at),
    )


def _rails_time(moment: datetime) -> str:
    """As ActiveRecord writes a datetime(6) into SQLite: naive UTC with microseconds."""
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")
