"""The tables of the checkpoint file, their version, and why each is as it is."""

from __future__ import annotations

from typing import Final

APPLICATION_ID: Final = 0x626D7631  # "bmv1": `file blobmove.db` names it, and a foreign database is refused
VERSION: Final = 1
"""The version of this schema (`PRAGMA user_version`). A newer file is refused, an older one migrated."""

SCHEMA: Final = """
-- One row: which migration this file belongs to. No credentials.
CREATE TABLE setup (
    id           INTEGER PRIMARY KEY CHECK (id = 1),
    plan         TEXT NOT NULL,           -- changes with every `plan`
    source       TEXT NOT NULL,
    destination  TEXT NOT NULL,
    planned_at   TEXT NOT NULL,
    settings     TEXT NOT NULL,           -- JSON: what later commands need to know (region, endpoint, names policy)
    sizing       TEXT NOT NULL            -- JSON: the plan's own numbers, for `report`
);

-- One row an object (and one an older version). `id` is core.model.slot(): hashed, so that it is at once the
-- order of dispatch, the look-up by key and the clustering; there is no second index on the key to pay for.
CREATE TABLE object (
    id           INTEGER PRIMARY KEY,
    key          TEXT NOT NULL,
    version_id   TEXT,
    size         INTEGER,
    etag         ANY,                     -- 16 bytes for a plain MD5 form, text otherwise
    modified_ms  INTEGER,
    class        TEXT,                    -- NULL: STANDARD
    encryption   TEXT,
    algorithm    TEXT,                    -- checksum algorithm S3 names
    blob_name    TEXT,                    -- NULL: same as the key
    state        TEXT NOT NULL,           -- core.model.State
    reason       TEXT,
    detail       TEXT,
    attempts     INTEGER NOT NULL DEFAULT 0,
    proof        TEXT,
    md5          BLOB,
    crc64        BLOB,
    source_etag  ANY,                     -- what the copy was pinned to; NULL: same as etag
    blob_etag    TEXT,
    content_type TEXT,
    notes        TEXT,
    settled_ms   INTEGER,
    seconds      REAL,
    verified     INTEGER                  -- run that found it identical; negative: the run that found it different
) STRICT;
-- Pages of work are walked through this: a resume of ten million objects finds its first page at once.
CREATE INDEX object_open ON object (id) WHERE state = 'pending';
CREATE INDEX object_unwell ON object (state, id) WHERE state NOT IN ('pending', 'copied', 'present', 'skipped');
CREATE UNIQUE INDEX object_renamed ON object (blob_name) WHERE blob_name IS NOT NULL;

-- Counters kept by the writer in the same transaction as the rows, so that `status` needs no scan.
CREATE TABLE tally (
    kind         TEXT NOT NULL,           -- state | reason | proof | note
    name         TEXT NOT NULL,
    objects      INTEGER NOT NULL,
    bytes        INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
) WITHOUT ROWID, STRICT;

-- What Rails knows of the objects, as of the plan. `slot` is core.model.slot(key).
CREATE TABLE rails_blob (
    slot         INTEGER PRIMARY KEY,
    key          TEXT NOT NULL,
    id           ANY NOT NULL,
    service_name TEXT NOT NULL,
    size         INTEGER NOT NULL,
    md5          BLOB,
    sha256       BLOB,
    content_type TEXT,
    attached     INTEGER
) STRICT;

-- One row an invocation that writes, so that the sequence that led here can be told a year later.
CREATE TABLE run (
    id           INTEGER PRIMARY KEY,
    command      TEXT NOT NULL,
    plan         TEXT NOT NULL,
    started_at   TEXT NOT NULL,
    finished_at  TEXT,
    pid          INTEGER NOT NULL,
    host         TEXT NOT NULL,
    exit_code    INTEGER,
    summary      TEXT                     -- JSON; while running: the last sample
) STRICT;

-- The journal of the flip: old values are on disk before the database is asked to change.
CREATE TABLE flip_run (
    id            INTEGER PRIMARY KEY,
    started_at    TEXT NOT NULL,
    finished_at   TEXT,
    server        TEXT NOT NULL,          -- identity of the database server
    database      TEXT NOT NULL,          -- without credentials
    from_services TEXT NOT NULL,          -- JSON list
    to_service    TEXT NOT NULL,
    undo_of       INTEGER REFERENCES flip_run (id),
    host          TEXT NOT NULL,
    operator      TEXT NOT NULL,
    position      TEXT,                   -- binlog or WAL position at the start, where it can be read
    summary       TEXT
) STRICT;
CREATE TABLE flip_batch (
    run           INTEGER NOT NULL REFERENCES flip_run (id),
    number        INTEGER NOT NULL,
    journaled_at  TEXT NOT NULL,
    settled_at    TEXT,                   -- NULL: written before the UPDATE, fate unknown: ask the rows
    PRIMARY KEY (run, number)
) WITHOUT ROWID, STRICT;
CREATE TABLE flip_row (
    run           INTEGER NOT NULL REFERENCES flip_run (id),
    id            ANY NOT NULL,           -- primary key of active_storage_blobs: integer or uuid text
    batch         INTEGER NOT NULL,
    old_service   TEXT NOT NULL,
    flipped       INTEGER,                -- NULL: unknown yet; 1: now names the new service; 0: was not changed
    PRIMARY KEY (run, id)
) WITHOUT ROWID, STRICT;
CREATE INDEX flip_row_batch ON flip_row (run, batch);
"""
