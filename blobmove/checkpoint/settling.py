"""How outcomes become rows: the cheapest statement that records an end, and what the tally moves by."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, TypeAlias

from blobmove.checkpoint.counts import Kind, Shift
from blobmove.checkpoint.schema import PENDING, PROOFS, STATES
from blobmove.checkpoint.values import blob_etag_in, etag_in
from blobmove.checkpoint.words import Words
from blobmove.core.model import Outcome

_WHOLE: Final = """
UPDATE object_row SET state = ?, reason = ?, detail = ?, attempts = attempts + ?, size = ?, etag = coalesce(etag, ?),
       proof = ?, md5 = ?, crc64 = ?, source_etag = nullif(?, etag), blob_etag = coalesce(?, blob_etag),
       content_type = ?, notes = ?, settled_ms = ?, ticks = ?, verified = NULL
 WHERE id = ?
"""
_FRESH: Final[Kind] = (PENDING, None, None, None)

# The same for nearly every object there is: never tried before, ended as expected. Many rows in one step of SQLite,
# each only if it is as the plan has left it. A statement a row gives Python's lock away and takes it back with every
# row, and the event loop stands in that queue: 40 us of CPU an object on two CPUs, where the statements cost 10.
_AS_PLANNED: Final = """
UPDATE object_row AS o
   SET state = n.column2, attempts = n.column3, proof = n.column4, md5 = n.column5, blob_etag = n.column6,
       content_type = n.column7, ticks = n.column8, crc64 = n.column9, notes = n.column10, settled_ms = ?1,
       detail = NULL, source_etag = NULL, verified = NULL
  FROM (VALUES {rows}) AS n
 WHERE o.id = n.column1 AND o.size = n.column11 AND o.etag = n.column12
   AND o.state = {pending} AND o.reason IS NULL AND o.proof IS NULL AND o.notes IS NULL
   AND o.attempts = 0 AND o.settled_ms IS NULL AND o.blob_etag IS NULL
"""
_COLUMNS: Final = 12
_STEPS: Final = (250, 50, 10, 1)
"""Rows a statement: few different numbers, so that each is parsed once in a run."""

Row: TypeAlias = tuple[Any, ...]


class NotAsPlannedError(Exception):
    """Raised when a row is not as the plan has left it: what was written meanwhile must not stay."""


def settle_as_planned(db: sqlite3.Connection, outcomes: Sequence[Outcome], words: Words, now_ms: int) -> Shift:
    """Record outcomes of which most are the first of their objects, inside the caller's transaction.

    No row is read before: its old count follows from the conditions it is changed under. Returns what the tally has
    to be moved by. Raises NotAsPlannedError, also where an object comes twice, since its later end counts; then the
    caller must roll back, and use `settle`.
    """
    if len({outcome.transfer_id for outcome in outcomes}) < len(outcomes):
        raise NotAsPlannedError
    values: list[Any] = []
    counted: dict[Kind, tuple[int, int]] = {}
    others: list[Outcome] = []
    kinds: dict[tuple[object, ...], Kind] = {}
    for outcome in outcomes:
        ended = outcome.state, outcome.reason, outcome.proof, outcome.notes
        kind = kinds.get(ended)
        if kind is None:  # few differ in a batch
            kind = kinds[ended] = _kind(outcome, words)
        md5, size = outcome.md5, outcome.size
        if md5 and md5.hex() == outcome.source_etag:
            etag: bytes | str | None = md5
            md5 = b""
        else:
            etag = etag_in(outcome.source_etag)
        if kind[1] is not None or outcome.detail or etag is None or size is None:
            others.append(outcome)
            continue
        objects, sizes = counted.get(kind, (0, 0))
        counted[kind] = objects + 1, sizes + size
        values += (
            outcome.transfer_id, kind[0], outcome.attempts, kind[2], md5,
            blob_etag_in(outcome.blob_etag), words.number(outcome.content_type), round(outcome.seconds * 10_000),
            outcome.crc64, kind[3], size, etag,
        )
    for rows, part in _steps(values):
        if db.execute(_as_planned(rows), (now_ms, *part)).rowcount != rows:
            raise NotAsPlannedError
    shift = settle(db, others, words, now_ms) if others else Shift()
    for kind, (objects, sizes) in counted.items():
        shift.add(_FRESH, -objects, -sizes)
        shift.add(kind, objects, sizes)
    return shift


def _steps(values: list[Any]) -> Iterator[tuple[int, list[Any]]]:
    """The values of all rows in parts: how many rows, and theirs."""
    start = 0
    while left := (len(values) - start) // _COLUMNS:
        rows = next(step for step in _STEPS if step <= left)
        yield rows, values[start:start + rows * _COLUMNS]
        start += rows * _COLUMNS


@cache
def _as_planned(rows: int) -> str:
    one = f"({','.join('?' * _COLUMNS)})"
    return _AS_PLANNED.format(rows=",".join([one] * rows), pending=PENDING)


@dataclass(slots=True)
class Counted:
    """A row as it stands: what it is counted as, size in bytes."""

    kind: Kind
    size: int | None


def settle(db: sqlite3.Connection, outcomes: Sequence[Outcome], words: Words, now_ms: int) -> Shift:
    """Record outcomes, inside the caller's transaction; what the tally has to be moved by.

    What each row was counted as is read first, so that the tally stays exact also for one settled twice. An outcome
    of an object that is not in the plan is left out.
    """
    rows, shift = _rows(db, [outcome.transfer_id for outcome in outcomes]), Shift()
    values: list[Row] = []
    for outcome in outcomes:
        row = rows.get(outcome.transfer_id)
        if row is None:
            continue
        kind, size = _kind(outcome, words), row.size if outcome.size is None else outcome.size
        shift.move(row.kind, row.size, kind, size)
        row.kind, row.size = kind, size
        values.append(_whole(outcome, kind, size, words, now_ms))
    db.executemany(_WHOLE, values)
    return shift


def _rows(db: sqlite3.Connection, ids: Sequence[int]) -> dict[int, Counted]:
    """The rows of these objects as they stand."""
    found: dict[int, Counted] = {}
    for start in range(0, len(ids), 500):
        part = ids[start:start + 500]
        for number, *kind, size in db.execute(
            f"SELECT id, state, reason, proof, notes, size FROM object_row WHERE id IN ({','.join('?' * len(part))})",
            part,
        ):
            found[number] = Counted(tuple(kind), size)
    return found


def _kind(outcome: Outcome, words: Words) -> Kind:
    """What an outcome is counted as."""
    proof = outcome.proof
    return (
        STATES[outcome.state], words.number(outcome.reason or None), None if proof is None else PROOFS[proof],
        words.number(",".join(outcome.notes)) if outcome.notes else None,
    )


def _whole(outcome: Outcome, kind: Kind, size: int | None, words: Words, now_ms: int) -> Row:
    state, reason, proof, notes = kind
    etag, md5 = etag_in(outcome.source_etag), outcome.md5
    return (
        state, reason, outcome.detail or None, outcome.attempts, size, etag, proof,
        b"" if md5 is not None and md5 == etag else md5, outcome.crc64, etag, blob_etag_in(outcome.blob_etag),
        words.number(outcome.content_type), notes, now_ms, round(outcome.seconds * 10_000), outcome.transfer_id,
    )
