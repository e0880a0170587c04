"""Moving one object: small or large, and every way it can end as one outcome."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Final

from blobmove.core.circuit import DOUBTFUL, Doubt
from blobmove.core.digests import bare
from blobmove.core.errors import Kind, Side, StoreError
from blobmove.core.headers import MetadataRefused
from blobmove.core.model import Outcome, State, Transfer
from blobmove.core.selection import ARCHIVED
from blobmove.engine.bench import Bench, GeneralFailure
from blobmove.engine.large import move_large
from blobmove.engine.requests import Attempts
from blobmove.engine.small import move_small

_GENERAL: Final = (Kind.STOP_ACCESS, Kind.STOP_CONFIG, Kind.EXPIRED)


async def move(bench: Bench, transfer: Transfer) -> Outcome | Doubt:
    """Move one object to the end. Never raises StoreError; raises GeneralFailure when the run must stop."""
    started = time.monotonic()
    attempts = Attempts()
    bench.counters.in_flight += 1
    try:
        result = await _move(bench, transfer, attempts)
    finally:
        bench.counters.in_flight -= 1
    seconds = time.monotonic() - started
    if isinstance(result, Doubt):
        return replace(result, outcome=replace(result.outcome, seconds=seconds))
    return replace(result, seconds=seconds)


async def _move(bench: Bench, transfer: Transfer, attempts: Attempts) -> Outcome | Doubt:
    try:
        if transfer.size is None or transfer.etag is None:
            transfer = await _sized(bench, transfer, attempts)
        if (transfer.size or 0) <= bench.options.whole_object_limit:
            return await move_small(bench, transfer, attempts)
        return await move_large(bench, transfer, attempts)
    except MetadataRefused as refused:
        return Outcome(transfer.id, State.REFUSED, str(refused), attempts=attempts.count)
    except StoreError as error:
        return _ended(transfer, error, attempts)


async def _sized(bench: Bench, transfer: Transfer, attempts: Attempts) -> Transfer:
    """A plan without sizes or ETags (a key file, a report of few columns): one HEAD pins size and version."""
    answer = await bench.s3.run(
        lambda: bench.source.head(transfer.key, etag=transfer.etag, version_id=transfer.version_id), attempts
    )
    etag = bare(answer.headers.get("etag", "")) or transfer.etag
    return replace(transfer, size=int(answer.headers["content-length"]), etag=etag)


def _ended(transfer: Transfer, error: StoreError, attempts: Attempts) -> Outcome | Doubt:
    if error.kind in _GENERAL:
        raise GeneralFailure(error)
    state, reason = _state_of(error)
    detail = f"{error.status or ''} {error.code}: {error.detail}".strip().removesuffix(":")
    outcome = Outcome(transfer.id, state, reason, detail, attempts=attempts.count)
    if error.written_etag:
        outcome = replace(outcome, blob_etag=error.written_etag)
    if error.kind in DOUBTFUL:
        return Doubt(outcome, error.side, error.kind, error.code, error.detail)
    return outcome


def _state_of(error: StoreError) -> tuple[State, str]:
    """State and reason code of an object that could not be moved (docs/reference/errors.md)."""
    if error.side is Side.SOURCE:
        if error.kind is Kind.CHANGED:
            return State.CHANGED, "source-changed"
        if error.kind is Kind.MISSING:
            return State.GONE, "deleted-at-source"
        if error.kind is Kind.ARCHIVED:
            return State.SKIPPED, ARCHIVED
    if error.kind is Kind.CORRUPT:
        return State.FAILED, f"E422-{error.side.upper()}"
    if error.kind in (Kind.UNREACHABLE, Kind.TRANSIENT) and not error.status:
        return State.FAILED, f"E000-{error.side.upper()}"
    return State.FAILED, f"E{error.status or 400}-{error.side.upper()}"
