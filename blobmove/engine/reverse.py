"""Moving one blob back to S3: small or large, and every way it can end as one outcome."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from blobmove.core.circuit import Doubt
from blobmove.core.errors import Kind, Side, StoreError
from blobmove.core.headers import MetadataRefused
from blobmove.core.lanes import LARGE_BYTES
from blobmove.core.model import Outcome, State
from blobmove.core.pacing import MAX_CORRUPT
from blobmove.core.reverse import MAX_PUT_BYTES, Blob, Returning, There, read_blob, refusal_back
from blobmove.engine.endings import Ends, ended
from blobmove.engine.requests import Attempts
from blobmove.engine.reverse_large import bring_large
from blobmove.engine.reverse_proof import DIFFERENT
from blobmove.engine.reverse_small import bring_small
from blobmove.engine.reverse_trip import ReverseBench, Trip
from blobmove.stores.azure.blobs import PLACEHOLDER

_ENDS: Final[Ends] = {
    (Side.DESTINATION, Kind.CHANGED): (State.CHANGED, "blob-changed"),
    (Side.DESTINATION, Kind.MISSING): (State.GONE, "not-on-azure"),
}


async def move_back(desk: ReverseBench, item: Returning) -> Outcome | Doubt:
    """Move one blob to the end. Never raises StoreError; raises GeneralFailure when the run must stop."""
    attempts = Attempts()
    desk.bench.counters.in_flight += 1
    try:
        outcome = await _move(desk, item, attempts)
    except MetadataRefused as refused:
        return Outcome(item.id, State.REFUSED, str(refused), attempts=attempts.count, seconds=attempts.seconds)
    except StoreError as error:
        return ended(item.id, error, attempts, _ENDS)
    finally:
        desk.bench.counters.in_flight -= 1
    return outcome if outcome.seconds else replace(outcome, seconds=attempts.seconds)


async def _move(desk: ReverseBench, item: Returning, attempts: Attempts) -> Outcome:
    reason = refusal_back(item.key, desk.prefix)
    if reason is not None:
        return Outcome(item.id, State.REFUSED, reason)
    bench = desk.bench
    told = await bench.azure.run(lambda: bench.destination.describe(item.key), attempts)
    if told is None or f"x-ms-meta-{PLACEHOLDER}" in told.headers:
        return Outcome(item.id, State.GONE, "not-on-azure", attempts=attempts.count)
    blob = read_blob(told.headers)
    left_behind = (*(("header-unreadable",) if told.unreadable else ()),
                   *(("tags-not-copied",) if "x-ms-tag-count" in told.headers else ()))
    trip = Trip(desk, bench.for_large() if blob.size >= LARGE_BYTES else bench, item, blob, attempts, left_behind)
    if item.upload is not None:
        left = item.upload
        await trip.to_s3(lambda: desk.s3.abort(item.key, left))
        await desk.note_upload(item.id, None)
    there = await trip.look()
    if (known := _as_before(item, blob, there)) is not None:
        return known
    if there is not None and there.size != blob.size:  # then neither side is read
        return Outcome(item.id, State.CONFLICT, DIFFERENT, attempts=attempts.count, size=blob.size,
                       source_etag=there.etag, blob_etag=blob.etag)
    outcome = await _bring(trip, there)
    if outcome.state is State.COPIED:
        bench.counters.streamed += 1
    return outcome


async def _bring(trip: Trip, there: There | None) -> Outcome:
    """Bring the blob back; where its bytes come otherwise than they should once more, at most MAX_CORRUPT times."""
    small = trip.blob.size <= min(trip.bench.options.whole_object_limit, MAX_PUT_BYTES)
    bring = bring_small if small else bring_large
    for attempt in range(1, MAX_CORRUPT + 1):
        try:
            return await bring(trip, there)
        except StoreError as error:
            if error.kind is not Kind.CORRUPT or attempt == MAX_CORRUPT:
                raise
            trip.attempts.count += 1
            trip.notes.clear()
    raise AssertionError("unreachable")


def _as_before(item: Returning, blob: Blob, there: There | None) -> Outcome | None:
    """What an earlier run has proven, where neither side has changed since."""
    done = item.done
    if done is None or there is None or (done.source_etag, done.blob_etag) != (there.etag, blob.etag):
        return None
    return Outcome(
        item.id, done.state, size=blob.size, proof=done.proof, md5=done.md5, crc64=done.crc64,
        source_etag=there.etag, blob_etag=blob.etag, content_type=blob.headers.get("content-type"),
    )
