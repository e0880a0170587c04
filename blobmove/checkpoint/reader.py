"""Read-only questions to the checkpoint: pages of work, totals, failures, what is proven, the report's records."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from blobmove.checkpoint.file import connect, explained
from blobmove.checkpoint.schema import MD5, PENDING, PROVEN, SKIPPED, STATES
from blobmove.checkpoint.values import (
    TRANSFER_COLUMNS,
    Row,
    Setup,
    blob_etag_out,
    etag_out,
    proven_rows_out,
    read_setup,
    transfer_out,
)
from blobmove.checkpoint.words import Words
from blobmove.core.errors import UsageError
from blobmove.core.frozen import frozen
from blobmove.core.lanes import LARGE_BYTES
from blobmove.core.model import PROVEN_STATES, State, Transfer, slot, slots
from blobmove.core.results import Failure, Totals

if TYPE_CHECKING:
    from blobmove.core.flipping import ProvenBlob
    from blobmove.core.rows import ProvenRows

_STATES = {number: state for state, number in STATES.items()}
_COPY = f"o.id, coalesce(o.blob_name, o.key), coalesce(o.size, 0), {MD5}, o.blob_etag"
_WORK = (
    f"SELECT {TRANSFER_COLUMNS} FROM object_row o WHERE o.state = {PENDING}"
    f" AND (o.size IS NULL OR o.size < {LARGE_BYTES}) AND o.id > ? ORDER BY o.id LIMIT ?"
)
_REPORT = (
    f"o.id, o.key, o.version_id, o.size, o.state, o.reason, o.detail, o.attempts, o.proof, {MD5}, o.crc64, "
    "coalesce(o.source_etag, o.etag), coalesce(o.blob_name, o.key), o.blob_etag, o.content_type, o.class, "
    "o.rails_id, o.rails_service, o.settled_ms, o.ticks, o.notes, o.modified_ms"
)
_PROVEN_ROWS = (
    f"SELECT count(*), group_concat(o.key, x'00'), group_concat(o.size), CAST(group_concat({MD5}, x'0000') AS BLOB)"
    " FROM json_each(?) j CROSS JOIN object_row o ON o.id = j.value"
    f" WHERE o.state IN ({PROVEN}) AND o.blob_name IS NULL AND coalesce(o.verified, 1) > 0"
    f" AND o.size IS NOT NULL AND length({MD5}) = 16"
)


@frozen
class ProvenCopy:
    """One copied blob as `verify` expects to find it. `md5` is 16 bytes, the size in bytes."""

    id: int
    blob_name: str
    size: int
    md5: bytes | None
    blob_etag: str | None


@frozen
class RunRow:
    """One invocation that wrote; `summary` is what it said last, with the `version` of the program."""

    id: int
    command: str
    started_at: str
    finished_at: str | None
    pid: int
    exit_code: int | None
    summary: dict[str, Any]
    host: str = ""
    plan: str = ""


class CheckpointReader:
    """A read-only connection. Use as a context manager; works while another process writes.

    Over `shared`, a connection that somebody else closes, it sees what that one writes without reading the file again.
    """

    def __init__(self, path: Path, shared: sqlite3.Connection | None = None) -> None:
        self.path = path
        self._shared = shared is not None
        self.db: sqlite3.Connection = connect(path, write=False) if shared is None else shared
        self._words = Words(self.db)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if not self._shared:
            self.db.close()

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        with explained(self.path):
            return self.db.execute(sql, values).fetchall()

    def setup(self) -> Setup:
        """The migration this file belongs to. Raises UsageError before the first complete plan."""
        found = read_setup(self.db)
        if found is None:
            raise UsageError("E404-PLAN", f"{self.path} holds no complete plan", hint="run `blobmove plan`")
        return found

    def pending(self, after: int, limit: int) -> list[Transfer]:
        """The next page of work in hashed order, beginning behind row id `after`; without the large objects."""
        return [transfer_out(row, self._words) for row in self._rows(_WORK, (after, limit))]

    def fetch(self, after: int, limit: int) -> None:
        """Wait for the disk in place of `pending` with the same words, which then finds the page in memory.

        This is for a thread: one step of SQLite. Rows read there one by one give Python's lock away and take it back
        with each, and the event loop stands in that queue (10 us of CPU an object on two CPUs).
        """
        self._rows(f"SELECT sum(length(key)) FROM ({_WORK})", (after, limit))

    def pending_large(self, after: tuple[int, int], limit: int) -> list[Transfer]:
        """The next page of large objects, the largest first, behind this (size, row id)."""
        rows = self._rows(
            f"SELECT {TRANSFER_COLUMNS} FROM object_row o INDEXED BY object_open_large"  # not all that is open, sorted
            f" WHERE o.state = {PENDING} AND o.size >= {LARGE_BYTES}"
            " AND o.size <= ?1 AND (o.size < ?1 OR o.id > ?2) ORDER BY o.size DESC, o.id LIMIT ?3", (*after, limit),
        )
        return [transfer_out(row, self._words) for row in rows]

    def proven_page(self, after: int, limit: int, not_verified_by: int | None = None) -> list[ProvenCopy]:
        """The next page of copied blobs; only those that run `not_verified_by` has not looked at, if given."""
        if not any(self.totals().objects[state] for state in PROVEN_STATES):
            return []  # nobody needs to look through ten million pending rows for that
        extra = "" if not_verified_by is None else f" AND abs(coalesce(o.verified, 0)) <> {int(not_verified_by)}"
        rows = self._rows(
            # The plus keeps to the order of the ids: pages go on where the one before has ended.
            f"SELECT {_COPY} FROM object_row o WHERE +o.state IN ({PROVEN}) AND o.id > ?{extra}"
            " ORDER BY o.id LIMIT ?", (after, limit),
        )
        return [_copy(row) for row in rows]

    def proven_by_name(self, names: Sequence[str]) -> dict[str, ProvenCopy]:
        """The copied blobs among these blob names."""
        found: dict[str, ProvenCopy] = {}
        for part in _parts(names):
            marks = ",".join("?" * len(part))
            ids = [slot(name) for name in part]
            rows = self._rows(
                f"SELECT {_COPY} FROM object_row o WHERE o.state IN ({PROVEN}) AND o.id IN ({marks}) UNION ALL"
                f" SELECT {_COPY} FROM object_row o WHERE o.state IN ({PROVEN}) AND o.blob_name IN ({marks})",
                (*ids, *part),
            )
            found.update((row[1], _copy(row)) for row in rows)
        return {name: found[name] for name in names if name in found}

    def proven(self, keys: Sequence[str]) -> dict[str, ProvenBlob]:
        """What is known of these keys (all that are in the plan, proven or not): the ledger of the flip."""
        from blobmove.core.flipping import ProvenBlob  # the nouns of one command; every other reads from here as well

        found: dict[str, ProvenBlob] = {}
        for part in _parts(keys, 2000):
            rows = self._rows(
                f"SELECT o.key, o.size, {MD5}, o.state, o.blob_name, o.verified"
                f" FROM object_row o WHERE o.id IN ({','.join('?' * len(part))})",
                slots(part),
            )
            for key, size, md5, state, name, verified in rows:
                found[key] = ProvenBlob._make((key, size, md5, _STATES[state], key if name is None else name, None,
                                               None if verified is None else verified > 0))
        if len(found) != len(keys):  # a slot may be that of another key
            return {key: found[key] for key in keys if key in found}
        return found

    def proven_rows(self, keys: Sequence[str]) -> ProvenRows:
        """Of these keys: what rows must say whose files are proven. One question and one answer for all, by columns.

        To fetch a row costs half as much again as to find it, and SQLite hands Python's lock to and fro with each.
        """
        (row,) = self._rows(_PROVEN_ROWS, (json.dumps(slots(keys)),))
        return proven_rows_out(row)

    def last_verify_passed(self) -> bool:
        """Whether a verification of everything (no sample) ended well after the last copy that changed anything."""
        ((verified,),) = self._rows("SELECT coalesce(max(id), 0) FROM run WHERE command = 'verify'")
        row = self._rows(
            "SELECT 1 FROM run WHERE id = ? AND exit_code = 0"
            " AND coalesce(json_extract(summary, '$.sample'), 100) >= 100", (verified,),
        )
        return bool(row) and not self.copied_after(verified)

    def copied_after(self, run: int) -> bool:
        """Whether a copy came after this run that settled something, or that left no number of it."""
        return bool(self._rows("SELECT 1 FROM run WHERE id > ? AND command = 'copy'"
                               " AND coalesce(json_extract(summary, '$.settled'), 1) > 0 LIMIT 1", (run,)))

    def totals(self) -> Totals:
        """Objects and bytes by state."""
        objects, sizes = dict.fromkeys(State, 0), dict.fromkeys(State, 0)
        for name, count, size in self._rows("SELECT name, objects, bytes FROM tally WHERE kind = 'state'"):
            objects[State(name)], sizes[State(name)] = count, size
        return Totals(objects, sizes)

    def tally(self, kind: str) -> dict[str, int]:
        """Objects by `reason`, `proof` or `note`."""
        rows = self._rows(
            "SELECT name, objects FROM tally WHERE kind = ? AND objects > 0 ORDER BY objects DESC, name", (kind,)
        )
        return dict(rows)

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """Any read-only question, for `checkpoint.story`; errors in the operator's words."""
        return self._rows(sql, values)

    def unwell(self, limit: int, state: State | None = None) -> tuple[Failure, ...]:
        """Objects that are refused, changed, gone, in conflict or failed; only those of one such state, if given."""
        which = f"state > {SKIPPED}" if state is None else f"state = {STATES[state]}"
        rows = self._rows(
            "SELECT key, state, reason, coalesce(detail, ''), attempts FROM object_row"
            f" WHERE state >= {SKIPPED} AND {which} ORDER BY state, id LIMIT ?", (limit,),
        )
        texts = self._words.texts
        return tuple(
            Failure(key, texts[state] or "", texts[reason] or "", detail, attempts)
            for key, state, reason, detail, attempts in rows
        )

    def records(self, batch: int = 2000) -> Iterator[list[Row]]:
        """Every planned object in batches, as rows of the report (columns in the order of RECORD_FIELDS)."""
        after = -1
        while rows := self._rows(
            # Page by page: one long reading would keep the writer from ever beginning its log anew.
            f"SELECT {_REPORT} FROM object_row o WHERE o.id > ? ORDER BY o.id LIMIT ?", (after, batch),
        ):
            after = rows[-1][0]
            yield [_record(row, self._words) for row in rows]

    def last_run(self, command: str) -> RunRow | None:
        """The newest invocation of a command."""
        rows = self._rows(
            "SELECT id, command, started_at, finished_at, pid, exit_code, summary FROM run"
            " WHERE command = ? ORDER BY id DESC LIMIT 1", (command,),
        )
        if not rows:
            return None
        row = rows[0]
        return RunRow(row[0], row[1], row[2], row[3], row[4], row[5], json.loads(row[6] or "{}"))

    def plan_started(self) -> bool:
        """Whether a copy has settled anything of this plan."""
        totals = self.totals().objects
        return self.last_run("copy") is not None or any(totals[state] for state in (*PROVEN_STATES, State.FAILED))


RECORD_FIELDS = (
    "key", "version_id", "size", "state", "reason", "error", "attempts", "proof", "md5", "crc64", "source_etag",
    "blob_name", "blob_etag", "content_type", "storage_class", "rails_id", "rails_service", "settled_at", "seconds",
    "notes", "source_modified",
)
"""The fields of `report --objects`, as cli.md names them; times in milliseconds since 1970."""


def _copy(row: Row) -> ProvenCopy:
    return ProvenCopy(row[0], row[1], row[2], row[3], blob_etag_out(row[4]))


def _record(row: Row, words: Words) -> Row:
    texts, md5, crc64, rails, ticks = words.texts, row[9], row[10], row[16], row[19]
    return (
        *row[1:4], texts[row[4]], texts[row[5]], *row[6:8], texts[row[8]], md5.hex() if md5 else None,
        crc64.hex() if crc64 else None, etag_out(row[11]), row[12], blob_etag_out(row[13]), texts[row[14]],
        texts[row[15]] or "STANDARD", None if rails is None else str(rails), texts[row[17]], row[18],
        None if ticks is None else ticks / 10_000, texts[row[20]], row[21],
    )


def _parts(values: Sequence[str], size: int = 400) -> Iterator[Sequence[str]]:
    return (values[start:start + size] for start in range(0, len(values), size))
