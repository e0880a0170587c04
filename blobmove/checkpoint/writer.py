"""The only writer of the checkpoint while a run is on: outcomes, verifications, runs; each call one transaction."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

from blobmove import __version__
from blobmove.checkpoint.counts import Shift, change
from blobmove.checkpoint.file import connect, explained, held
from blobmove.checkpoint.schema import PENDING, PROVEN, SKIPPED, STATES
from blobmove.checkpoint.settling import NotAsPlannedError, settle, settle_as_planned
from blobmove.checkpoint.values import read_setup
from blobmove.checkpoint.words import Words
from blobmove.core.model import ARCHIVED, Outcome, State

# Each branch repeats the condition of the index it is found by; a table of ten million rows is not read for it.
_RETRY: Final = f"""
SELECT id FROM object_row WHERE state >= {SKIPPED} AND state IN ({STATES[State.FAILED]}, {STATES[State.CONFLICT]})
 UNION ALL
SELECT id FROM object_row WHERE state >= {SKIPPED} AND state = {SKIPPED}
   AND reason IN ((SELECT id FROM word WHERE text = '{ARCHIVED}'), '{ARCHIVED}')
 UNION ALL
SELECT id FROM object_row WHERE verified < 0 AND state IN ({PROVEN})
"""

_LOOK_FIRST: Final = 20
"""For so many batches rows are looked at before they are changed, after one was not as the plan has left it."""


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
        self.words: Words
        self.run_id = 0
        self._look_first = 0

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(held(self.path, self._command))
            self.db = connect(self.path, write=True, create=self._create)
            self.words = Words(self.db)
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
                self.words.forget()
                with contextlib.suppress(sqlite3.Error):
                    self.db.execute("ROLLBACK")
                raise

    def begin_run(self, plan: str) -> int:
        """Note that this command has begun."""
        with self.transaction() as db:
            cursor = db.execute(
                "INSERT INTO run (command, plan, started_at, pid, host, summary) VALUES (?, ?, ?, ?, ?, ?)",
                (self._command, plan, self._now(), os.getpid(), socket.gethostname(), _told({})),
            )
        self.run_id = cursor.lastrowid or 0
        return self.run_id

    def note_run(self, summary: dict[str, Any]) -> None:
        """Leave the last sample where `status` finds it."""
        with self.transaction() as db:
            db.execute("UPDATE run SET summary = ? WHERE id = ?", (_told(summary), self.run_id))

    def end_run(self, exit_code: int, summary: dict[str, Any]) -> None:
        """Note how this command ended."""
        with self.transaction() as db:
            db.execute(
                "UPDATE run SET finished_at = ?, exit_code = ?, summary = ? WHERE id = ?",
                (self._now(), exit_code, _told(summary), self.run_id),
            )

    def settle(self, outcomes: Sequence[Outcome]) -> None:
        """Record how these transfers ended. Azure has answered for each of them before (design law 2)."""
        now = int(self._clock() * 1000)
        self._look_first = max(0, self._look_first - 1)
        if not self._look_first:
            try:
                with self.transaction() as db:
                    change(db, settle_as_planned(db, outcomes, self.words, now), self.words)
            except NotAsPlannedError:
                self._look_first = _LOOK_FIRST  # such rows seldom come alone: a delta, --retry-failed
            else:
                return
        with self.transaction() as db:
            change(db, settle(db, outcomes, self.words, now), self.words)

    def reopen(self) -> int:
        """Make pending again what failed, is in conflict, was archived, or was found missing or different by `verify`.

        This is `--retry-failed`; returns how many.
        """
        with self.transaction() as db:
            shift = Shift()
            for *kind, objects, size in db.execute(
                "SELECT state, reason, proof, notes, count(*), sum(coalesce(size, 0)) FROM object_row"
                f" WHERE id IN ({_RETRY}) GROUP BY 1, 2, 3, 4"
            ):
                shift.add(tuple(kind), -objects, -size)
                shift.add((PENDING, None, None, kind[3]), objects, size)
            changed = db.execute(
                f"UPDATE object_row SET state = {PENDING}, reason = NULL, detail = NULL, proof = NULL"
                f" WHERE id IN ({_RETRY})"
            ).rowcount
            change(db, shift, self.words)
        return changed

    def mark_verified(self, identical: Sequence[int], different: Sequence[int]) -> None:
        """Note what this run's verification found of these objects."""
        marks = [(self.run_id, row) for row in identical] + [(-self.run_id, row) for row in different]
        with self.transaction() as db:
            db.executemany("UPDATE object_row SET verified = ? WHERE id = ?", marks)

    def _now(self) -> str:
        return datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _told(summary: dict[str, Any]) -> str:
    """What a run says of itself, and which blobmove it was: a year later somebody asks."""
    return json.dumps({**summary, "version": __version__})
