"""How outcomes become rows: what each row was counted as before, and the cheapest statement that records its end."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
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
# The same for an object that was never tried before and ended as expected: nothing else of its row changes. That is
# nearly every object there is, and half the work.
_PLAIN: Final = """
UPDATE object_row SET state = ?, attempts = ?, proof = ?, md5 = ?, blob_etag = ?, content_type = ?, settled_ms = ?,
       ticks = ?
 WHERE id = ?
"""
_FRESH: Final[Kind] = (PENDING, None, None, None)

Row: TypeAlias = tuple[Any, ...]


@dataclass(slots=True)
class Counted:
    """A row as it stands: what it is counted as, size in bytes, ETag; `untried`: never settled since it was planned."""

    kind: Kind
    size: int | None
    etag: bytes | str | None
    untried: bool


def settle(db: sqlite3.Connection, outcomes: Sequence[Outcome], words: Words, now_ms: int) -> Shift:
    """Record outcomes, inside the caller's transaction; what the tally has to be moved by.

    What each row was counted as is read first, so that the tally stays exact also for one settled twice. An outcome
    of an object that is not in the plan is left out.
    """
    rows, shift = _rows(db, [outcome.transfer_id for outcome in outcomes]), Shift()
    plain: list[Row] = []
    whole: list[Row] = []
    for outcome in outcomes:
        row = rows.get(outcome.transfer_id)
        if row is None:
            continue
        kind, size = _kind(outcome, words), row.size if outcome.size is None else outcome.size
        shift.move(row.kind, row.size, kind, size)
        blob_etag, kept = blob_etag_in(outcome.blob_etag), words.number(outcome.content_type)
        ticks = round(outcome.seconds * 10_000)
        if row.untried and size == row.size and _is_plain(outcome, kind, row.etag):
            md5 = b"" if outcome.md5 == row.etag else outcome.md5
            plain.append((kind[0], outcome.attempts, kind[2], md5, blob_etag, kept, now_ms, ticks,
                          outcome.transfer_id))
        else:
            whole.append((*_whole(outcome, kind, size), blob_etag, kept, kind[3], now_ms, ticks, outcome.transfer_id))
        row.kind, row.size, row.untried = kind, size, False
    for statement, values in ((_PLAIN, plain), (_WHOLE, whole)):
        if values:
            db.executemany(statement, values)
    return shift


def _rows(db: sqlite3.Connection, ids: Sequence[int]) -> dict[int, Counted]:
    """The rows of these objects as they stand."""
    found: dict[int, Counted] = {}
    for start in range(0, len(ids), 500):
        part = ids[start:start + 500]
        for number, state, reason, proof, notes, size, etag, untried in db.execute(
            "SELECT id, state, reason, proof, notes, size, etag,"
            " attempts = 0 AND settled_ms IS NULL AND blob_etag IS NULL FROM object_row"
            f" WHERE id IN ({','.join('?' * len(part))})", part,
        ):
            kind = (state, reason, proof, notes)
            found[number] = Counted(kind, size, etag, bool(untried) and kind == _FRESH)
    return found


def _kind(outcome: Outcome, words: Words) -> Kind:
    """What an outcome is counted as."""
    proof = outcome.proof
    return (
        STATES[outcome.state], words.number(outcome.reason or None), None if proof is None else PROOFS[proof],
        words.number(",".join(outcome.notes)) if outcome.notes else None,
    )


def _is_plain(outcome: Outcome, kind: Kind, etag: bytes | str | None) -> bool:
    """Whether an outcome says nothing but what `_PLAIN` records."""
    return (
        kind[1] is None and kind[3] is None and not outcome.detail and outcome.crc64 is None
        and outcome.source_etag is not None and etag is not None
        and outcome.source_etag == (etag.hex() if isinstance(etag, bytes) else etag)
    )


def _whole(outcome: Outcome, kind: Kind, size: int | None) -> Row:
    state, reason, proof, _ = kind
    etag, md5 = etag_in(outcome.source_etag), outcome.md5
    return (
        state, reason, outcome.detail or None, outcome.attempts, size, etag, proof,
        b"" if md5 is not None and md5 == etag else md5, outcome.crc64, etag,
    )
