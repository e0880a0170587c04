"""Whether bytes read from Azure are what was once uploaded, and whether S3 holds the same already."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from anyio import to_thread

from blobmove.core.blocks import cut
from blobmove.core.errors import Side
from blobmove.core.model import Outcome, Proof, State
from blobmove.core.notes import rails_notes
from blobmove.core.reverse import There, proof_back
from blobmove.engine.readback import require
from blobmove.engine.reverse_trip import Trip

Digests = Mapping[str, bytes]

DIFFERENT: Final = "object-differs"


def wanted_of(trip: Trip, there: There | None) -> tuple[str, ...]:
    """The digests of the blob to find: an MD5 always, what the row has, and what S3's object can be compared by."""
    rails = trip.item.rails
    yardstick = there.yardstick() if there is not None else None
    return ("md5", *(("sha256",) if rails is not None and rails.sha256 is not None else ()),
            *((yardstick[0],) if yardstick is not None else ()))


async def prove(trip: Trip, found: Digests, again: Callable[[], Awaitable[bytes]]) -> Proof:
    """The proof of the bytes read; notes what differs. `again` reads the blob once more, for its MD5.

    Raises StoreError CORRUPT where they are not what Azure itself has computed the MD5 of, or come otherwise again.
    """
    rails, md5, sha256 = trip.item.rails, found["md5"], found.get("sha256")
    proof = proof_back(trip.blob.md5, rails, md5, sha256)
    if proof is None:
        if trip.blob.md5 is not None:
            require(not await _computed_by_azure(trip), "the MD5 that Azure computed", Side.DESTINATION)
        require(await again() == md5, "the MD5 of a second reading", Side.DESTINATION)
        proof = Proof.READ_BACK
    differs = trip.blob.md5 is not None and trip.blob.md5 != md5
    trip.notes += [*rails_notes(rails, trip.blob.size, md5, sha256), *(["content-md5-differs"] if differs else [])]
    return proof


async def _computed_by_azure(trip: Trip) -> bool:
    """Put Blob checks or computes the MD5; Put Block List stores whatever it is told (azure-blob.md section 2).

    A blob without committed blocks came by Put Blob.
    """
    return not await trip.from_azure(lambda: trip.bench.destination.blocks(trip.item.key, committed=True))


async def same(trip: Trip, there: There, found: Digests) -> bool:
    """Whether the object in S3 has the bytes of the blob: by S3's own checksum, else by reading it."""
    if there.size != trip.blob.size:  # it may have come meanwhile
        return False
    yardstick = there.yardstick()
    if yardstick is not None and yardstick[0] in found:
        return found[yardstick[0]] == yardstick[1]
    return await _md5_in_s3(trip, there) == found["md5"]


async def _md5_in_s3(trip: Trip, there: There) -> bytes:
    """The MD5 of an object's bytes, read block by block."""
    hasher, bench = hashlib.md5(), trip.bench
    for block in cut((there.size,), bench.options.block_size):
        async with bench.read_back.hold(block.length):
            answer = await bench.s3.run(
                lambda b=block: bench.source.get(  # type: ignore[misc]
                    trip.item.key, etag=there.etag, byte_range=(b.offset, b.length)
                ),
                trip.attempts, corrupt=True, bulk=True,
            )
            bench.counters.bytes_read += block.length
            await to_thread.run_sync(hasher.update, answer.body)
    return hasher.digest()


def ended(trip: Trip, state: State, found: Digests, proof: Proof | None, source_etag: str) -> Outcome:
    """The outcome of a blob that was read. `source_etag` is that of the object in S3."""
    return Outcome(
        trip.item.id, state, DIFFERENT if state is State.CONFLICT else "", attempts=trip.attempts.count,
        size=trip.blob.size, proof=proof if state is not State.CONFLICT else None, md5=found["md5"],
        crc64=found["crc64nvme"], source_etag=source_etag or None, blob_etag=trip.blob.etag,
        content_type=trip.blob.headers.get("content-type"), seconds=trip.attempts.seconds,
        notes=(*trip.left_behind, *trip.notes),
    )  # fmt: skip


async def compared(trip: Trip, there: There, found: Digests, proof: Proof) -> Outcome:
    """An object is there already: present, copied by ourselves unheard, or in conflict. It is never overwritten."""
    if not await same(trip, there, found):
        return ended(trip, State.CONFLICT, found, None, there.etag)
    return ended(trip, State.COPIED if trip.lost else State.PRESENT, found, proof, there.etag)
