"""Adopting a plan: rows are gathered in a file beside the checkpoint and taken over in one transaction.

A plan killed half-way leaves the checkpoint as it was; a newer plan keeps what is proven and reopens what changed.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from blobmove.checkpoint.adoption import adopt_rows, count_change
from blobmove.checkpoint.counts import recount
from blobmove.checkpoint.file import explained
from blobmove.checkpoint.folders import FOLDER_REASONS, FOLDERS, refuse_folders
from blobmove.checkpoint.schema import PROVEN
from blobmove.checkpoint.values import MOST_INTEGER, class_in, etag_in, read_setup
from blobmove.checkpoint.words import MOST
from blobmove.checkpoint.writer import CheckpointWriter
from blobmove.core.errors import RefusedError
from blobmove.core.frozen import frozen
from blobmove.core.model import ObjectVersion, Proof, RailsFacts, State, slot
from blobmove.core.plan_results import PlanChange
from blobmove.core.selection import Decision

_COLUMNS: Final = (
    "id, key, version_id, size, etag, modified_ms, class, encryption, algorithm, blob_name, state, reason, proof,"
    " referenced"
)
_RAILS: Final = "slot, key, id, service_name, size, md5, sha256, content_type, attached"

# Rows come in any order and are sorted once: inserted one by one where they belong, each would cost a page.
_INCOMING: Final = f"""
CREATE TABLE incoming.row ({_COLUMNS});
CREATE TABLE incoming.rails_row ({_RAILS});
CREATE TABLE incoming.listed ({_COLUMNS.replace("id,", "id INTEGER PRIMARY KEY,", 1)});
CREATE TABLE incoming.rails ({_RAILS.replace("slot,", "slot INTEGER PRIMARY KEY,", 1)});
{FOLDERS}
"""
# Listed twice (a rolling snapshot can do that): the newest row counts, the last one.
_SORT: Final = (
    f"INSERT OR REPLACE INTO incoming.listed SELECT {_COLUMNS} FROM incoming.row ORDER BY id, modified_ms, rowid"
)
_SORT_RAILS: Final = (
    f"INSERT OR REPLACE INTO incoming.rails SELECT {_RAILS} FROM incoming.rails_row ORDER BY slot, rowid"
)


@frozen
class Planned:
    """One row of the inventory with its decision, the proof expected for it, and whether a Rails row names it."""

    version: ObjectVersion
    decision: Decision
    proof: Proof | None
    referenced: bool


@frozen
class Listed:
    """Counts over the rows gathered, each key and version once."""

    listed: int
    twice: int
    by_state: Mapping[State, int]
    skipped: dict[str, int]
    refused: dict[str, int]
    classes: dict[str, int]
    proofs: dict[str, int]


class PlanStage:
    """The rows of a plan in the making. Use as a context manager inside an open writer.

    `hierarchical`: folders are real where the objects go, and no object can have the name of one.
    """

    def __init__(self, writer: CheckpointWriter, *, hierarchical: bool = False) -> None:
        self._writer = writer
        self._hierarchical = hierarchical
        self._path = writer.path.with_name(writer.path.name + "-incoming")
        self._texts: set[str] = set()

    def __enter__(self) -> PlanStage:
        self._remove()
        with explained(self._writer.path):
            db = self._writer.db
            db.execute("ATTACH ? AS incoming", (str(self._path),))
            # The file is thrown away if anything happens: no need to sync it.
            db.execute("PRAGMA incoming.journal_mode = OFF")
            db.execute("PRAGMA incoming.synchronous = OFF")
            db.executescript(_INCOMING)
            db.create_function("slot", 1, slot, deterministic=True)
        return self

    def __exit__(self, *exc: object) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._writer.db.execute("DETACH incoming")
        self._remove()

    def _remove(self) -> None:
        for name in (self._path, Path(f"{self._path}-wal"), Path(f"{self._path}-shm")):
            name.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _batch(self) -> Iterator[sqlite3.Connection]:
        with explained(self._writer.path):
            self._writer.db.execute("BEGIN")
            try:
                yield self._writer.db
                self._writer.db.execute("COMMIT")
            except BaseException:
                # What is gathered may be garbage now, and is thrown away; the writer must stay usable.
                with contextlib.suppress(sqlite3.Error):
                    self._writer.db.execute("ROLLBACK")
                raise

    def add_rails(self, facts: Sequence[tuple[str, RailsFacts, bool | None]]) -> None:
        """Gather rows of `active_storage_blobs`: key, facts, attached."""
        rows = [
            (slot(key), key, _storable(row.id), row.service_name, row.size, row.md5, row.sha256, row.content_type,
             attached)
            for key, row, attached in facts
        ]
        self._note(text for _, row, _ in facts for text in (row.service_name, row.content_type))
        with self._batch() as db:
            db.executemany("INSERT INTO incoming.rails_row VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def rails_of(self, keys: Sequence[str]) -> dict[str, RailsFacts]:
        """The gathered rows that name one of these keys."""
        self._sort_rails()
        found: dict[str, RailsFacts] = {}
        for start in range(0, len(keys), 800):
            part = [slot(key) for key in keys[start:start + 800]]
            found.update((row[0], RailsFacts(*row[1:])) for row in self._writer.db.execute(
                "SELECT key, id, service_name, size, md5, sha256, content_type FROM incoming.rails"
                f" WHERE slot IN ({','.join('?' * len(part))})", part,
            ))
        return found

    def _sort_rails(self) -> None:
        with self._batch() as db:
            if db.execute("SELECT 1 FROM incoming.rails_row LIMIT 1").fetchone():
                db.execute(_SORT_RAILS)
                db.execute("DELETE FROM incoming.rails_row")

    def _note(self, texts: Iterable[str | None]) -> None:
        """Remember the texts that the dictionary is to learn with the adoption, as far as it has room for them."""
        if len(self._texts) < MOST:
            self._texts.update(text for text in texts if text)

    def add(self, rows: Sequence[Planned]) -> None:
        """Gather rows of the inventory."""
        self._note(text for row in rows for text in (
            row.decision.reason, row.version.storage_class, row.version.encryption, row.version.checksum_algorithm,
        ))
        with self._batch() as db:
            db.executemany(
                f"INSERT INTO incoming.row VALUES ({','.join('?' * 14)})", [_incoming_row(row) for row in rows]
            )

    def close_list(self) -> Listed:
        """Nothing more comes: drop what was listed twice and count. Raises RefusedError on a clash of row ids."""
        with explained(self._writer.path):
            self._sort_rails()
            db = self._writer.db
            db.execute(_SORT)
            (rows,) = db.execute("SELECT count(*) FROM incoming.row").fetchone()
            (listed,) = db.execute("SELECT count(*) FROM incoming.listed").fetchone()
            self._refuse_clash(rows > listed)
            self._refuse_one_name()
            self._refuse_folders()
            states = {State(name): n for name, n in self._count("state")}
            return Listed(
                listed, rows - listed, states,
                dict(self._count("reason", f"state = '{State.SKIPPED}'")),
                dict(self._count("reason", f"state = '{State.REFUSED}'")),
                dict(self._count("coalesce(class, 'STANDARD')", "state = 'pending'")),
                dict(self._count("proof", "state = 'pending'")),
            )

    def _count(self, column: str, where: str = "true") -> list[tuple[str, int]]:
        return self._writer.db.execute(
            f"SELECT {column}, count(*) FROM incoming.listed WHERE {where} GROUP BY 1 ORDER BY 2 DESC, 1"
        ).fetchall()

    def _refuse_clash(self, twice: bool) -> None:
        """Two keys with one 63-bit id: about one in 200,000 for ten million keys. Better refused than mixed up."""
        db, row = self._writer.db, None
        if twice:
            row = db.execute(
                "SELECT a.key, b.key FROM incoming.row b CROSS JOIN incoming.listed a"
                " ON a.id = b.id AND a.key <> b.key LIMIT 1"
            ).fetchone()
        row = row or db.execute(
            "SELECT a.key, o.key FROM incoming.listed a CROSS JOIN object_row o ON a.id = o.id AND a.key <> o.key"
            " LIMIT 1"
        ).fetchone()
        if row is not None:
            raise RefusedError("E409-KEYS", "two keys fall on the same row of the checkpoint",
                               cause=f"{row[0]!r} and {row[1]!r}",
                               hint="plan them into two checkpoints, with --prefix or --exclude")

    def _refuse_one_name(self) -> None:
        """An older version takes a name beside its key; another key or version may claim the same one."""
        row = self._writer.db.execute(
            "SELECT a.key, b.key FROM incoming.listed a CROSS JOIN incoming.listed b"
            " ON b.id = slot(a.blob_name) AND b.key = a.blob_name WHERE a.blob_name IS NOT NULL"
            " UNION ALL SELECT min(key), max(key) FROM incoming.listed WHERE blob_name IS NOT NULL"
            " GROUP BY blob_name HAVING count(*) > 1 LIMIT 1"
        ).fetchone()
        if row is not None:
            raise RefusedError("E409-KEYS", "two objects would become one blob", cause=f"{row[0]!r} and {row[1]!r}",
                               hint="leave one of them out with --exclude, or plan without --versions all")

    def _refuse_folders(self) -> None:
        """Only now: of what was listed twice, the newest row says whether it is to be copied."""
        if self._hierarchical:
            self._note(FOLDER_REASONS)
            with self._batch() as db:
                refuse_folders(db)

    def keys_of(self, reason: str, count: int) -> list[str]:
        """A few of the keys that are left out for this reason, found by a walk through the whole list."""
        rows = self.query(f"SELECT key FROM incoming.listed WHERE reason = '{reason}' ORDER BY key LIMIT {count}")
        return [key for (key,) in rows]

    def sizes(self) -> Iterator[tuple[int | None, str, Proof | None]]:
        """Size, storage class and expected proof of every object that is to be copied."""
        for size, storage_class, proof in self._writer.db.execute(
            "SELECT size, coalesce(class, 'STANDARD'), proof FROM incoming.listed WHERE state = 'pending'"
        ):
            yield size, storage_class, Proof(proof) if proof else None

    def samples(self, count: int) -> tuple[tuple[str, int | None], ...]:
        """A few of the objects to copy, spread over the hashed order."""
        return tuple(self._writer.db.execute(
            "SELECT key, size FROM incoming.listed WHERE state = 'pending' LIMIT ?", (count,)
        ).fetchall())

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """A read-only question about the gathered rows, for the cross-check with Rails."""
        with explained(self._writer.path):
            return self._writer.db.execute(sql).fetchall()

    def adopt(
        self, *, plan: str, source: str, destination: str, planned_at: str, settings: dict[str, Any],
        sizing: dict[str, Any], rails: bool = True,
    ) -> PlanChange | None:
        """Take the plan over into the checkpoint: all of it, or on any error nothing.

        What is known of Rails' rows is replaced only where the database was read this time (`rails`).
        """
        with self._writer.transaction() as db:
            previous = read_setup(db)
            change = PlanChange(previous.plan, *count_change(db)) if previous else None
            self._writer.words.learn(sorted(self._texts))
            adopt_rows(db, rails=rails)
            db.execute(
                "INSERT OR REPLACE INTO setup VALUES (1, ?, ?, ?, ?, ?, ?)",
                (plan, source, destination, planned_at, json.dumps(settings), json.dumps(sizing)),
            )
            recount(db, self._writer.words)
        return change

    def settled(self) -> int:
        """How many of the listed objects to copy are already proven, after adopt()."""
        (count,) = self._writer.db.execute(
            "SELECT count(*) FROM incoming.listed l JOIN object_row o ON o.id = l.id"
            f" WHERE l.state = 'pending' AND o.state IN ({PROVEN})"
        ).fetchone()
        return int(count)


def _incoming_row(row: Planned) -> tuple[Any, ...]:
    version, decision = row.version, row.decision
    identity = None if version.is_latest else version.version_id or "null"
    # A current version is pinned by its ETag: with the version id the GET would still find it after it was
    # overwritten or deleted, and copy what is no longer there. Without an ETag the version id must do.
    current = version.is_latest and (version.etag is not None or version.version_id == "null")
    pinned = None if current else version.version_id
    return (
        slot(version.key, identity), version.key, pinned, version.size, etag_in(version.etag),
        version.modified_ms, class_in(version.storage_class), version.encryption, version.checksum_algorithm,
        decision.blob_name, decision.state.value, decision.reason or None,
        row.proof.value if row.proof else None, row.referenced,
    )


def _storable(row_id: int | str) -> int | str:
    """An unsigned bigint that SQLite cannot store is kept as text: it is only ever shown."""
    return str(row_id) if isinstance(row_id, int) and row_id > MOST_INTEGER else row_id
