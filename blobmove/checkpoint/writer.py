"""The only writer of the checkpoint while a run is on: outcomes, verifications, runs; each call one transaction."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

from blobmove.checkpoint.file import connect, explained, held
from blobmove.checkpoint.values import etag_in, read_setup
from blobmove.core.model import Outcome, State
from blobmove.core.selection import ARCHIVED

_SETTLE: Final = """
UPDATE object SET state = ?, reason = ?, detail = ?, attempts = attempts + ?, size = coalesce(?, size),
       etag = coalesce(etag, ?), proof = ?, md5 = ?, crc64 = ?, source_etag = nullif(?, etag),
       blob_etag = coalesce(?, blob_etag), content_type = ?, notes = ?, settled_ms = ?, seconds = ?, verified = NULL
 WHERE id = ?
"""
_RETRY: Final = (
    f"state IN ('{State.FAILED}', '{State.CONFLICT}') OR (state = '{State.SKIPPED}' AND reason = '{ARCHIVED}')"
    f" OR (state IN ('{State.COPIED}', '{State.PRESENT}') AND verified < 0)"
)

Key = tuple[str, str]


class CheckpointWriter:
    """A writing connection that holds the checkpoint for one command. Use as a context manager.

    Not for two threads at once: the pipeline has one recorder, and it is the only caller while a run is on.
    """

    def __init__(self, path: Path, command: str, *, create: bool = False,
                 clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self._command = command
        self._create = create
        self._clock = clock
        self._stack = contextlib.ExitStack()
        self.db: sqlite3.Connection
        self.run_id = 0

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(held(self.path, self._command))
            self.db = connect(self.path, write=True, create=self._create)
            stack.callback(self._close)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def _close(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.db.close()

    def discard_unplanned(self) -> None:
        """Remove the file again if no plan was ever adopted; the lock is still held, so it is nobody else's.

        The lock's own file goes last; who waits for it notices (checkpoint.file.held).
        """
        with contextlib.suppress(sqlite3.Error):
            if read_setup(self.db) is not None:
                return
        self.db.close()
        for ending in ("", "-wal", "-shm", "-lock"):
            self.path.with_name(self.path.name + ending).unlink(missing_ok=True)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction, synced to the disk at its end; errors in the operator's words."""
        with explained(self.path):
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield self.db
                self.db.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self.db.execute("ROLLBACK")
                raise

    def begin_run(self, plan: str) -> int:
        """Note that this command has begun."""
        with self.transaction() as db:
            cursor = db.execute(
                "INSERT INTO run (command, plan, started_at, pid, host) VALUES (?, ?, ?, ?, ?)",
                (self._command, plan, self._now(), os.getpid(), socket.gethostname()),
            )
        self.run_id = cursor.lastrowid or 0
        return self.run_id

    def note_run(self, summary: dict[str, Any]) -> None:
        """Leave the last sample where `status` finds it."""
        with self.transaction() as db:
            db.execute("UPDATE run SET summary = ? WHERE id = ?", (json.dumps(summary), self.run_id))

    def end_run(self, exit_code: int, summary: dict[str, Any]) -> None:
        """Note how this command ended."""
        with self.transaction() as db:
            db.execute(
                "UPDATE run SET finished_at = ?, exit_code = ?, summary = ? WHERE id = ?",
                (self._now(), exit_code, json.dumps(summary), self.run_id),
            )

    def settle(self, outcomes: Sequence[Outcome]) -> None:
        """Record how these transfers ended. Azure has answered for each of them before (design law 2)."""
        now = int(self._clock() * 1000)
        with self.transaction() as db:
            ids = list(dict.fromkeys(outcome.transfer_id for outcome in outcomes))
            before = _tally_of(db, ids)
            db.executemany(_SETTLE, [_settle_row(outcome, now) for outcome in outcomes])
            _shift(db, before, _tally_of(db, ids))

    def reopen(self) -> int:
        """Make pending again what failed, is in conflict, was archived, or was found missing or different by `verify`.

        This is `--retry-failed`; returns how many.
        """
        with self.transaction() as db:
            changed = db.execute(
                f"UPDATE object SET state = '{State.PENDING}', reason = NULL, detail = NULL, proof = NULL"
                f" WHERE {_RETRY}"
            ).rowcount
            recount(db)
        return changed

    def mark_verified(self, identical: Sequence[int], different: Sequence[int]) -> None:
        """Note what this run's verification found of these objects."""
        marks = [(self.run_id, row) for row in identical] + [(-self.run_id, row) for row in different]
        with self.transaction() as db:
            db.executemany("UPDATE object SET verified = ? WHERE id = ?", marks)

    def _now(self) -> str:
        return datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _settle_row(outcome: Outcome, now: int) -> tuple[Any, ...]:
    etag = etag_in(outcome.source_etag)
    return (
        outcome.state.value, outcome.reason or None, outcome.detail or None, outcome.attempts, outcome.size, etag,
        outcome.proof, outcome.md5, outcome.crc64, etag, outcome.blob_etag, outcome.content_type,
        ",".join(outcome.notes) or None, now, round(outcome.seconds, 4), outcome.transfer_id,
    )


def _tally_of(db: sqlite3.Connection, ids: Sequence[int]) -> Counter[tuple[Key, str]]:
    """Objects and bytes by kind and name for some rows."""
    found: Counter[tuple[Key, str]] = Counter()
    for start in range(0, len(ids), 400):
        part = ids[start:start + 400]
        rows = db.execute(
            "SELECT state, reason, proof, notes, coalesce(size, 0) FROM object"
            f" WHERE id IN ({','.join('?' * len(part))})", part,
        )
        for state, reason, proof, notes, size in rows:
            for key in _keys(state, reason, proof, notes):
                found[key, "objects"] += 1
                found[key, "bytes"] += size
    return found


def _keys(state: str, reason: str | None, proof: str | None, notes: str | None) -> Iterator[Key]:
    yield "state", state
    if reason:
        yield "reason", reason
    if proof:
        yield "proof", proof
    for note in (notes or "").split(",") if notes else ():
        yield "note", note


def _shift(db: sqlite3.Connection, before: Counter[tuple[Key, str]], after: Counter[tuple[Key, str]]) -> None:
    for kind, name in {key for key, _ in (*before, *after)}:
        key = (kind, name)
        objects = after[key, "objects"] - before[key, "objects"]
        size = after[key, "bytes"] - before[key, "bytes"]
        if objects or size:
            db.execute(
                "INSERT INTO tally VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
                " objects = objects + excluded.objects, bytes = bytes + excluded.bytes", (kind, name, objects, size),
            )


def recount(db: sqlite3.Connection) -> None:
    """Count everything anew, inside the caller's transaction: after a plan, which touches all rows anyway."""
    db.execute("DELETE FROM tally")
    for kind, column in (("state", "state"), ("reason", "reason"), ("proof", "proof")):
        db.execute(
            f"INSERT INTO tally SELECT '{kind}', {column}, count(*), sum(coalesce(size, 0)) FROM object"
            f" WHERE {column} IS NOT NULL GROUP BY {column}"
        )
    objects: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for text, count, size in db.execute(
        "SELECT notes, count(*), sum(coalesce(size, 0)) FROM object WHERE notes IS NOT NULL GROUP BY notes"
    ):
        for note in text.split(","):
            objects[note] += count
            sizes[note] += size
    db.executemany("INSERT INTO tally VALUES ('note', ?, ?, ?)", [(n, objects[n], sizes[n]) for n in objects])
