"""A blob that fits in memory goes back to S3: one GET, one PutObject whose MD5 S3 recomputes."""

from __future__ import annotations

from blobmove.core.errors import Kind, StoreError
from blobmove.core.headers import object_headers
from blobmove.core.lanes import LARGE_BYTES
from blobmove.core.model import Outcome, State
from blobmove.core.reverse import There
from blobmove.engine.hashing import crc64, digest_away
from blobmove.engine.reverse_proof import Digests, compared, ended, prove, wanted_of
from blobmove.engine.reverse_trip import Trip
from blobmove.stores.azure.blobs import PLACEHOLDER
from blobmove.stores.http import Body


async def bring_small(trip: Trip, there: There | None) -> Outcome:
    """Try to bring one small blob back; `there` is what S3 holds already. Raises StoreError, MetadataRefused."""
    headers = list(object_headers(trip.blob.headers, without=PLACEHOLDER))
    async with trip.bench.memory.hold(trip.blob.size or 1):
        return await _bring(trip, there, headers)


async def _bring(trip: Trip, there: There | None, headers: list[tuple[str, str]]) -> Outcome:
    body = (await trip.whole()).body
    found = await _digests(body, wanted_of(trip, there))
    proof = await prove(trip, found, lambda: _read_again(trip))
    if there is None:
        try:
            etag = await trip.to_s3(
                lambda: trip.desk.s3.put(trip.item.key, body, md5=found["md5"], headers=headers),
                bulk=len(body) >= LARGE_BYTES,
            )
        except StoreError as error:
            if error.kind is not Kind.EXISTS or (there := await trip.look()) is None:
                raise
            found = await _digests(body, wanted_of(trip, there))
        else:
            trip.bench.counters.bytes_written += len(body)
            return ended(trip, State.COPIED, found, proof, etag)
    return await compared(trip, there, found, proof)


async def _digests(body: Body, wanted: tuple[str, ...]) -> Digests:
    found = {name: await digest_away(name, body) for name in dict.fromkeys(wanted)}
    return found | {"crc64nvme": crc64(body).to_bytes(8, "big")}


async def _read_again(trip: Trip) -> bytes:
    async with trip.bench.read_back.hold(max(trip.blob.size, 1)):
        return await digest_away("md5", (await trip.whole()).body)
