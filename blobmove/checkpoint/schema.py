"""The tables of the checkpoint file, their version, and why each is as it is."""

from __future__ import annotations

from typing import Final

from blobmove.core.lanes import LARGE_BYTES
from blobmove.core.model import Proof, State

APPLICATION_ID: Final = 0x626D7631  # "bmv1": `file blobmove.db` names it, and a foreign database is refused
VERSION: Final = 1
"""The version of this schema (`PRAGMA user_version`). A newer file is refused, an older one migrated."""

STATES: Final[dict[State, int]] = {
    State.PENDING: 0, State.COPIED: 1, State.PRESENT: 2, State.SKIPPED: 3,
    State.CHANGED: 4, State.CONFLICT: 5, State.FAILED: 6, State.GONE: 7, State.REFUSED: 8,
}
"""The number of each state in `object_row`: what is not well, in alphabetical order, from 4 on."""

PROOFS: Final[dict[Proof, int]] = {proof: 20 + number for number, proof in enumerate(Proof)}
"""The number of each proof in `object_row`. New ones are added at the end of the enumeration, never between."""

FIRST_WORD: Final = 100
"""Words that are learnt have numbers from here on."""

PENDING: Final = STATES[State.PENDING]
SKIPPED: Final = STATES[State.SKIPPED]
PROVEN: Final = f"{STATES[State.COPIED]}, {STATES[State.PRESENT]}"
MD5: Final = "iif(o.md5 = x'', coalesce(o.source_etag, o.etag), o.md5)"
RAILS_MD5: Final = "iif(o.rails_md5 = x'', o.etag, o.rails_md5)"
BLOB_ETAG: Final = "iif(typeof(o.blob_etag) = 'integer', printf('0x%X', o.blob_etag), o.blob_etag)"
"""SQL over `object_row o`: the value itself, where the column holds a short form of it."""

_TABLES: Final = f"""
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

-- Texts that many rows share. A column marked "word" below holds the number of one, or the text itself once there
-- are too many different ones. Numbers below 100 are given in checkpoint.schema: states and proofs.
CREATE TABLE word (
    id            INTEGER PRIMARY KEY,
    text          TEXT NOT NULL UNIQUE
) STRICT;

-- One row an object (and one an older version), packed: the view `object` tells the same in plain words. `id` is
-- core.model.slot(): hashed, so that it is at once the order of dispatch, the look-up by key and the clustering;
-- there is no second index on the key to pay for.
CREATE TABLE object_row (
    id            INTEGER PRIMARY KEY,
    key           TEXT NOT NULL,
    version_id    TEXT,
    size          INTEGER,
    etag          ANY,                    -- 16 bytes for a plain MD5 form, text otherwise
    modified_ms   INTEGER,
    class         ANY,                    -- word; NULL: STANDARD
    encryption    ANY,                    -- word
    algorithm     ANY,                    -- word: checksum algorithm S3 names
    blob_name     TEXT,                   -- NULL: same as the key
    state         INTEGER NOT NULL,       -- word: core.model.State
    reason        ANY,                    -- word
    detail        TEXT,
    attempts      INTEGER NOT NULL DEFAULT 0,
    proof         INTEGER,                -- word: core.model.Proof
    md5           BLOB,                   -- empty: what the ETag of the copied version says
    crc64         BLOB,
    source_etag   ANY,                    -- what the copy was pinned to; NULL: same as etag
    blob_etag     ANY,                    -- a number for the common form 0x8DE..., text otherwise
    content_type  ANY,                    -- word
    notes         ANY,                    -- word
    settled_ms    INTEGER,
    ticks         INTEGER,                -- time the transfer took, in 1/10,000 s
    verified      INTEGER,                -- run that found it identical; negative: the run that found it different
    rails_id      ANY,                    -- what Rails knows of it, as of the last plan that lists it
    rails_service ANY,                    -- word
    rails_size    INTEGER,
    rails_md5     BLOB,                   -- empty: what etag says
    rails_sha256  BLOB,
    rails_type    ANY                     -- word
) STRICT;
-- Pages of work are walked through this: a resume of ten million objects finds its first page at once.
CREATE INDEX object_open ON object_row (state) WHERE state = {PENDING};
-- And the large ones, the largest first, through this.
CREATE INDEX object_open_large ON object_row (size DESC) WHERE state = {PENDING} AND size >= {LARGE_BYTES};
CREATE INDEX object_aside ON object_row (state) WHERE state >= {SKIPPED};
CREATE INDEX object_differs ON object_row (verified) WHERE verified < 0;
CREATE UNIQUE INDEX object_renamed ON object_row (blob_name) WHERE blob_name IS NOT NULL;

-- Rows of active_storage_blobs that name no object of the plan.
CREATE TABLE rails_alone (
    slot          INTEGER PRIMARY KEY,    -- core.model.slot(key)
    key           TEXT NOT NULL,
    id            ANY NOT NULL,
    service_name  TEXT NOT NULL,
    size          INTEGER NOT NULL,
    md5           BLOB,
    sha256        BLOB,
    content_type  TEXT,
    attached      INTEGER
) STRICT;

-- Counters kept by the writer in the same transaction as the rows, so that `status` needs no scan.
CREATE TABLE tally (
    kind         TEXT NOT NULL,           -- state | reason | proof | note
    name         TEXT NOT NULL,
    objects      INTEGER NOT NULL,
    bytes        INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
) WITHOUT ROWID, STRICT;

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
-- One row a batch: one UPDATE of at most some thousand rows, from one name to one other.
CREATE TABLE flip_batch (
    run           INTEGER NOT NULL REFERENCES flip_run (id),
    number        INTEGER NOT NULL,
    old_service   TEXT NOT NULL,
    new_service   TEXT NOT NULL,
    ids           TEXT NOT NULL,          -- JSON list: primary keys of active_storage_blobs, numbers or uuid texts
    row_count     INTEGER NOT NULL,       -- their number
    first_id      ANY NOT NULL,           -- the least and the greatest of them
    last_id       ANY NOT NULL,
    server        TEXT,                   -- NULL: the run's; after a fail-over the one that took over
    position      TEXT,                   -- binlog or WAL position: the UPDATE lies behind it; NULL: may not be read
    undoes        INTEGER,                -- of an undo: the batch of the run it takes back
    journaled_at  TEXT NOT NULL,
    settled_at    TEXT,                   -- NULL: written before the UPDATE, fate unknown: ask the rows
    kept          TEXT,                   -- JSON list: those of `ids` that were not changed; NULL: none
    flipped       INTEGER NOT NULL DEFAULT 0,  -- rows that were
    PRIMARY KEY (run, number)
) STRICT;
CREATE INDEX flip_batch_undoes ON flip_batch (run, undoes) WHERE undoes IS NOT NULL;
CREATE INDEX flip_batch_unsettled ON flip_batch (run, number) WHERE settled_at IS NULL;
-- The same, one row a row of active_storage_blobs, for whoever asks with SQL. flipped: NULL unknown yet, else 0 or 1.
CREATE VIEW flip_row AS
    SELECT b.run, j.value AS id, b.number AS batch, b.old_service, b.new_service,
           CASE WHEN b.settled_at IS NOT NULL THEN j.value NOT IN (SELECT k.value FROM json_each(b.kept) k) END
           AS flipped
    FROM flip_batch b, json_each(b.ids) j;
"""


def _word(column: str) -> str:
    """SQL: the text behind a column that holds a word's number or the text itself."""
    return f"iif(typeof(o.{column}) = 'integer', (SELECT text FROM word WHERE id = o.{column}), o.{column})"


_VIEWS: Final = f"""
-- The objects in plain words: for people, with any SQLite. Nothing is stored twice.
CREATE VIEW object AS
SELECT o.id, o.key, o.version_id, o.size, o.etag, o.modified_ms, {_word("class")} AS class,
       {_word("encryption")} AS encryption, {_word("algorithm")} AS algorithm, o.blob_name,
       {_word("state")} AS state, {_word("reason")} AS reason, o.detail, o.attempts, {_word("proof")} AS proof,
       {MD5} AS md5, o.crc64, o.source_etag, {BLOB_ETAG} AS blob_etag, {_word("content_type")} AS content_type,
       {_word("notes")} AS notes, o.settled_ms, o.ticks / 10000.0 AS seconds, o.verified
  FROM object_row o;

-- What Rails knows of the objects, as of the plan. `slot` is core.model.slot(key).
CREATE VIEW rails_blob AS
SELECT o.id AS slot, o.key, o.rails_id AS id, {_word("rails_service")} AS service_name, o.rails_size AS size,
       {RAILS_MD5} AS md5, o.rails_sha256 AS sha256, {_word("rails_type")} AS content_type
  FROM object_row o WHERE o.rails_id IS NOT NULL
 UNION ALL
SELECT slot, key, id, service_name, size, md5, sha256, content_type FROM rails_alone;
"""
_WORDS: Final = ", ".join(f"({number}, '{name}')" for name, number in (*STATES.items(), *PROOFS.items()))

SCHEMA: Final = f"{_TABLES}{_VIEWS}INSERT INTO word VALUES {_WORDS}"
