"""A large blob goes back to S3 in parts: proven before they are joined, aborted when that fails, begun anew then."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import anyio

from blobmove.core.blocks import Block, ObjectTooLarge, cut
from blobmove.core.errors import Kind, Side, StoreError
from blobmove.core.headers import object_headers
from blobmove.core.model import Outcome, Proof, State
from blobmove.core.reverse import There, part_size_for
from blobmove.engine.blockpass import BlockPass, ReadBlock, SendBlock, Wanted
from blobmove.engine.hashing import is_crc
from blobmove.engine.limits import Budget, Ranked
from blobmove.engine.reverse_proof import Digests, compared, ended, prove, same, wanted_of
from blobmove.engine.reverse_trip import Trip
from blobmove.stores.azure.blobs import PLACEHOLDER
from blobmove.stores.http import Body
from blobmove.stores.s3.writing import SentPart

_ABORT_SECONDS: Final = 10.0
"""How long the end of an upload may be waited for when the run itself is being ended."""


async def bring_large(trip: Trip, there: There | None) -> Outcome:
    """Try to bring one large blob back; `there` is what S3 holds already. Raises StoreError, MetadataRefused."""
    return await (_bring(trip) if there is None else _compare(trip, there))


def _blocks(trip: Trip) -> tuple[Block, ...]:
    size = trip.blob.size
    try:
        return cut((size,), part_size_for(size, trip.bench.options.block_size))
    except ObjectTooLarge as error:
        raise StoreError(Side.SOURCE, Kind.REJECTED, "ObjectTooLarge", str(error)) from None


async def _pass(trip: Trip, wanted: tuple[str, ...], send: SendBlock | None = None) -> Digests:
    return await one_pass(trip.bench.memory, _blocks(trip), wanted, trip.block, send)


async def one_pass(
    memory: Budget | Ranked, blocks: Sequence[Block], names: Sequence[str], read: ReadBlock,
    send: SendBlock | None = None,
) -> Digests:
    """The digests of these names of all blocks, at most one CRC among them, and always their CRC-64."""
    crc = next(filter(is_crc, names), None)
    wanted = Wanted(tuple(name for name in names if not is_crc(name)), crc=crc)
    found = await BlockPass(memory, blocks, wanted, read, send).run()
    joined = {crc: found.crc} if crc is not None and found.crc is not None else {}
    return {**found.wholes, "crc64nvme": found.crc64, **joined}


async def _md5_again(trip: Trip) -> bytes:
    return (await _pass(trip, ("md5",)))["md5"]


async def _compare(trip: Trip, there: There) -> Outcome:
    """An object of this size is there: nothing is sent."""
    found = await _pass(trip, wanted_of(trip, there))
    return await compared(trip, there, found, await prove(trip, found, lambda: _md5_again(trip)))


async def _bring(trip: Trip) -> Outcome:
    key, s3 = trip.item.key, trip.desk.s3
    headers = list(object_headers(trip.blob.headers, without=PLACEHOLDER))
    _blocks(trip)  # whether it can be cut at all, before anything is begun
    upload = await trip.to_s3(lambda: s3.begin(key, headers))
    try:
        await trip.desk.note_upload(trip.item.id, upload)
        outcome = await _fill(trip, upload)
    except BaseException:
        with anyio.move_on_after(_ABORT_SECONDS, shield=True), suppress(StoreError):
            await s3.abort(key, upload)
        raise
    return outcome


async def _fill(trip: Trip, upload: str) -> Outcome:
    """Send all parts, prove them, join them; what S3 then says of the whole must agree."""
    key, s3 = trip.item.key, trip.desk.s3
    parts: dict[int, SentPart] = {}

    async def send(block: Block, body: Body, crc: int) -> None:
        number = block.index + 1
        parts[number] = await trip.to_s3(lambda: s3.send_part(key, upload, number, body, crc64=crc), bulk=True)
        trip.bench.counters.bytes_written += block.length

    found = await _pass(trip, wanted_of(trip, None), send)
    proof = await prove(trip, found, lambda: _md5_again(trip))
    ordered = [parts[number] for number in sorted(parts)]
    try:
        joined = await trip.to_s3(
            lambda: s3.join(key, upload, ordered, crc64=found["crc64nvme"], size=trip.blob.size)
        )
    except StoreError as error:
        # The answer to an earlier attempt may have been lost; or somebody else was quicker.
        if error.kind not in (Kind.EXISTS, Kind.DISTURBED) or (there := await trip.look()) is None:
            raise
        with suppress(StoreError):
            await trip.to_s3(lambda: s3.abort(key, upload))
        return await compared(trip, there, found, proof)
    return ended(trip, State.COPIED, found, await _confirmed(trip, found, proof, joined.crc64), joined.etag)


async def _confirmed(trip: Trip, found: Digests, proof: Proof, told: bytes | None) -> Proof:
    """The proof, once S3 names the CRC-64 that the parts were joined to; else by its own record, or its bytes."""
    if told is None:
        there = await trip.look()
        good = there is not None and await same(trip, there, found)
    else:
        good = told == found["crc64nvme"]
    if not good:
        text = "S3 holds other bytes than were sent"
        raise StoreError(Side.SOURCE, Kind.REJECTED, "JoinedOtherwise", text, status=422)
    return proof
