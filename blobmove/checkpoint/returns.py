"""The ledger of the way back: which blobs were to go to S3 and how each ended, in a table of its own."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from blobmove.checkpoint.values import Row
from blobmove.checkpoint.writer import CheckpointWriter
from blobmove.core.model import PROVEN_STATES, UNWELL_STATES, Outcome, Proof, RailsFacts, State
from blobmove.core.results import Failure, Totals
from blobmove.core.reverse import Done, Returning, Wanted

_TABLE: Final = """
-- One row a blob that `copy --reverse` was asked for. Made by the first such run: the plan's rows know nothing of it.
CREATE TABLE IF NOT EXISTS reverse_object (
    id           INTEGER PRIMARY KEY,
    key          TEXT NOT NULL UNIQUE,
    run          INTEGER NOT NULL,        -- the last run that was asked for it
    size         INTEGER,                 -- as the list told it, once it was looked at that of the blob
    rails        TEXT,                    -- JSON, what the row says: id, service, size, MD5, SHA-256
    state        TEXT NOT NULL,           -- core.model.State, of that run
    reason       TEXT,
    detail       TEXT,
    attempts     INTEGER NOT NULL DEFAULT 0,
    done         TEXT,                    -- copied or present: how it was last proven, in whatever run
    proof        TEXT,
    md5          BLOB,
    crc64        BLOB,
    source_etag  TEXT,                    -- the object in S3 when it was last proven
    blob_etag    TEXT,                    -- the blob on Azure then
    upload       TEXT,                    -- a multipart upload under way, that of a killed run is aborted by the next
    content_type TEXT,
    notes        TEXT,                    -- JSON list
    settled_ms   INTEGER,
    seconds      REAL
) STRICT
"""
_INDEX: Final = "CREATE INDEX IF NOT EXISTS reverse_open ON reverse_object (id) WHERE state = 'pending'"

_ASK: Final = """
INSERT INTO reverse_object (key, run, size, rails, state) VALUES (?, ?, ?, ?, 'pending')
    ON CONFLICT (key) DO UPDATE SET run = excluded.run, size = coalesce(excluded.size, size), rails = excluded.rails,
       state = 'pending', reason = NULL, detail = NULL, attempts = 0, notes = NULL
"""
_PAGE: Final = """
SELECT id, key, size, rails, upload, done, proof, md5, crc64, source_etag, blob_etag FROM reverse_object
 WHERE state = 'pending' AND run = ? AND id > ? ORDER BY id LIMIT ?
"""
_SETTLE: Final = """
UPDATE reverse_object SET state = ?, reason = ?, detail = ?, attempts = ?, size = coalesce(?, size), done = ?,
       proof = ?, md5 = ?, crc64 = ?, source_etag = ?, blob_etag = ?, content_type = ?, notes = ?, seconds = ?,
       upload = iif(? IN ('copied', 'present'), NULL, upload), settled_ms = ? WHERE id = ?
"""


class ReturnLedger:
    """Reads and writes through the writer of the command; not for two threads at once. `run` counts from the writer."""

    def __init__(self, writer: CheckpointWriter, clock: Callable[[], float] = time.time) -> None:
        self._writer = writer
        self._clock = clock

    @property
    def _run(self) -> int:
        return self._writer.run_id

    def prepare(self) -> None:
        """Make the table where it is not there yet."""
        with self._writer.transaction() as db:
            db.execute(_TABLE)
            db.execute(_INDEX)

    def ask_for(self, batch: Iterable[Wanted]) -> None:
        """These are to go back in this run, whatever became of them before."""
        rows = [(one.key, self._run, one.size, _rails_in(one.rails)) for one in batch]
        with self._writer.transaction() as db:
            db.executemany(_ASK, rows)

    def pending(self, after: int, limit: int) -> list[Returning]:
        """What this run has still to do, by id."""
        return [_returning(row) for row in self._writer.db.execute(_PAGE, (self._run, after, limit))]

    def note_upload(self, row: int, upload: str | None) -> None:
        """A multipart upload has begun (None: has ended), so that no run leaves its parts behind for ever."""
        with self._writer.transaction() as db:
            db.execute("UPDATE reverse_object SET upload = ? WHERE id = ?", (upload, row))

    def settle(self, outcomes: Sequence[Outcome]) -> None:
        """Record how these ended. S3 has answered for each of them before (design law 2)."""
        now = int(self._clock() * 1000)
        with self._writer.transaction() as db:
            db.executemany(_SETTLE, [_settled(outcome, now) for outcome in outcomes])

    def totals(self) -> Totals:
        """Objects and bytes of this run's list, by state."""
        objects, sizes = dict.fromkeys(State, 0), dict.fromkeys(State, 0)
        for state, number, size in self._writer.db.execute(
            "SELECT state, count(*), sum(coalesce(size, 0)) FROM reverse_object WHERE run = ? GROUP BY state",
            (self._run,),
        ):
            objects[State(state)], sizes[State(state)] = number, size
        return Totals(objects, sizes)

    def tally(self, column: str) -> dict[str, int]:
        """This run's list by `reason`, `proof` or `note`."""
        if column == "note":
            question = ("SELECT n.value, count(*) FROM reverse_object r, json_each(r.notes) n"
                        " WHERE r.run = ? AND r.notes IS NOT NULL GROUP BY 1 ORDER BY 1")
        else:
            name = {"reason": "reason", "proof": "proof"}[column]
            question = (f"SELECT {name}, count(*) FROM reverse_object WHERE run = ? AND {name} IS NOT NULL"
                        " AND state <> 'pending' GROUP BY 1 ORDER BY 1")
        return {str(name): int(number) for name, number in self._writer.db.execute(question, (self._run,))}

    def unwell(self, limit: int) -> tuple[Failure, ...]:
        """The first of this run's list that did not end well, those without a blob on Azure among them."""
        states = [str(state) for state in (*UNWELL_STATES, State.GONE)]
        rows = self._writer.db.execute(
            "SELECT key, state, coalesce(reason, ''), coalesce(detail, ''), attempts FROM reverse_object"
            f" WHERE run = ? AND state IN ({', '.join('?' * len(states))}) ORDER BY state, key LIMIT ?",
            (self._run, *states, limit),
        )
        return tuple(Failure(*row) for row in rows)


def _settled(outcome: Outcome, now: int) -> Row:
    proven = outcome.state in PROVEN_STATES
    return (
        outcome.state.value, outcome.reason or None, outcome.detail or None, outcome.attempts, outcome.size,
        outcome.state.value if proven else None, outcome.proof.value if outcome.proof else None, outcome.md5,
        outcome.crc64, outcome.source_etag, outcome.blob_etag, outcome.content_type,
        json.dumps(outcome.notes) if outcome.notes else None, outcome.seconds, outcome.state.value, now,
        outcome.transfer_id,
    )  # fmt: skip


def _returning(row: Row) -> Returning:
    number, key, size, rails, upload, done, *proven = row
    proof, md5, crc64, source_etag, blob_etag = proven
    known = Done(State(done), Proof(proof) if proof else None, md5, crc64, source_etag, blob_etag) if done else None
    return Returning(number, key, size, _rails_out(rails), upload, known)


def _rails_in(rails: RailsFacts | None) -> str | None:
    if rails is None:
        return None
    digests = [one.hex() if one is not None else None for one in (rails.md5, rails.sha256)]
    return json.dumps([rails.id, rails.service_name, rails.size, *digests])


def _rails_out(text: str | None) -> RailsFacts | None:
    if text is None:
        return None
    row, service, size, md5, sha256 = json.loads(text)
    return RailsFacts(row, service, size, bytes.fromhex(md5) if md5 else None,
                      bytes.fromhex(sha256) if sha256 else None, None)
