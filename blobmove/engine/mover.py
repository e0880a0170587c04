"""Moving one object: small or large, and every way it can end as one outcome."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from blobmove.core.circuit import Doubt
from blobmove.core.digests import bare
from blobmove.core.errors import Kind, Side, StoreError
from blobmove.core.events import Note
from blobmove.core.headers import MetadataRefused
from blobmove.core.lanes import LARGE_BYTES
from blobmove.core.model import ARCHIVED, PROVEN_STATES, Outcome, State, Transfer
from blobmove.core.settings import Route
from blobmove.engine.bench import Bench
from blobmove.engine.endings import Ends, ended
from blobmove.engine.pulls import Left
from blobmove.engine.requests import Attempts
from blobmove.engine.server import pull
from blobmove.engine.small import move_small

_ENDS: Final[Ends] = {
    (Side.SOURCE, Kind.CHANGED): (State.CHANGED, "source-changed"),
    (Side.SOURCE, Kind.MISSING): (State.GONE, "deleted-at-source"),
    (Side.SOURCE, Kind.ARCHIVED): (State.SKIPPED, ARCHIVED),
}


async def move(bench: Bench, transfer: Transfer) -> Outcome | Doubt:
    """Move one object to the end. Never raises StoreError; raises GeneralFailure when the run must stop."""
    attempts = Attempts()
    bench.counters.in_flight += 1
    try:
        if bench.options.transfer is not Route.STREAM and not bench.pulling.given_up:
            result = await _pull_or_stream(bench, transfer, attempts)
        else:
            result = await _stream(bench, transfer, attempts)
    except MetadataRefused as refused:
        result = Outcome(transfer.id, State.REFUSED, str(refused), attempts=attempts.count)
    except StoreError as error:
        return ended(transfer.id, error, attempts, _ENDS)
    finally:
        bench.counters.in_flight -= 1
    return result if result.seconds else replace(result, seconds=attempts.seconds)


async def _stream(bench: Bench, transfer: Transfer, attempts: Attempts) -> Outcome:
    """Through this machine: small in one piece, large in blocks."""
    if transfer.size is None or transfer.etag is None:
        transfer = await _sized(bench, transfer, attempts)
    size = transfer.size or 0
    if size >= LARGE_BYTES:
        bench = bench.for_large()
    if size <= bench.options.whole_object_limit:
        outcome = await move_small(bench, transfer, attempts)
    else:
        from blobmove.engine.large import move_large  # not for a plan of small files: it costs 10 ms of a start

        outcome = await move_large(bench, transfer, attempts)
    if outcome.state is State.COPIED:
        bench.counters.streamed += 1
    return outcome


async def _pull_or_stream(bench: Bench, transfer: Transfer, attempts: Attempts) -> Outcome:
    """By Azure itself, or, where that is not possible, through here."""
    result = await pull(bench, transfer, attempts)
    if isinstance(result, Left):
        return await _stream_left(bench, transfer, result, attempts)
    if result.state is State.COPIED:
        bench.counters.pulled += 1
        bench.counters.bytes_pulled += result.size or 0
        bench.pulling.worked()
    return result


async def _stream_left(bench: Bench, transfer: Transfer, left: Left, attempts: Attempts) -> Outcome:
    """An object that Azure did not pull. Only if it can be streamed its refusal says something about pulling."""
    attempts.count += bool(left.code)
    if left.blob_etag:
        transfer = replace(transfer, own_blob_etag=left.blob_etag)
    try:
        outcome = await _stream(bench, transfer, attempts)
    except StoreError as error:
        error.written_etag = error.written_etag or left.blob_etag
        raise
    proven = left.code and outcome.state in PROVEN_STATES and bench.options.transfer is Route.AUTO
    if proven and bench.pulling.refused(left.code):
        bench.listener(Note(f"Azure does not pull from S3 here ({left.code}): from now on everything is streamed"))
    return outcome


async def _sized(bench: Bench, transfer: Transfer, attempts: Attempts) -> Transfer:
    """A plan without sizes or ETags (a key file, a report of few columns): one HEAD pins size and version."""
    answer = await bench.s3.run(
        lambda: bench.source.head(transfer.key, etag=transfer.etag, version_id=transfer.version_id), attempts
    )
    etag = bare(answer.headers.get("etag", "")) or transfer.etag
    return replace(transfer, size=int(answer.headers["content-length"]), etag=etag)
