"""Uncommitted blocks that somebody left under a name: ids that fit beside them, or a way to be rid of them.

Azure wants one length for all uncommitted ids of a blob (else 400 InvalidBlobOrBlock), keeps them for a week, and
drops them at the next commit of that name (azure-blob.md section 4). Nothing here can touch a committed blob: what is
written is written only where there is none, what is deleted is what was just written.
"""

from __future__ import annotations

from collections.abc import Sequence

from blobmove.core.blocks import ID_CHARACTERS, room_for_ids
from blobmove.core.errors import Kind, Side, StoreError
from blobmove.core.frozen import frozen
from blobmove.engine.bench import Bench
from blobmove.engine.requests import Attempts
from blobmove.stores.azure.blobs import ABSENT, Condition

Staged = Sequence[tuple[str, int]]
"""Ids and sizes of uncommitted blocks, as Get Block List tells them."""


@frozen
class Room:
    """How long our block ids must be, and under which condition the blob is to be written."""

    width: int
    condition: Condition


async def make_room(bench: Bench, name: str, staged: Staged, condition: Condition, attempts: Attempts) -> Room:
    """Ids as long as those that lie there already, where ours can be; else those blocks are dropped first.

    Raises StoreError: REJECTED where a committed blob is to be replaced and foreign ids leave no room for ours.
    """
    width = room_for_ids([text for text, _ in staged])
    if width is not None:
        return Room(width, condition)
    if condition != ABSENT:
        text = f"uncommitted blocks with ids of {len(staged[0][0])} characters are in the way for at most a week"
        raise StoreError(Side.DESTINATION, Kind.REJECTED, "ForeignBlocks", text, status=409)
    return Room(ID_CHARACTERS, await drop(bench, name, attempts))


async def staged_under(bench: Bench, name: str, attempts: Attempts) -> list[tuple[str, int]]:
    """The uncommitted blocks of a name, whoever sent them."""
    return await bench.azure.run(lambda: bench.destination.blocks(name, committed=False), attempts)


async def drop(bench: Bench, name: str, attempts: Attempts) -> Condition:
    """Drop the uncommitted blocks of a name without a blob; the condition under which to write it now.

    An empty blob is committed, which only happens where there is none, and deleted again if it is still that one. Cut
    off in between, the empty blob stays: it is marked, and engine.existing knows it. Raises StoreError (DISTURBED
    where a blob has come meanwhile).
    """
    try:
        etag = await bench.azure.run(lambda: bench.destination.put_placeholder(name), attempts)
    except StoreError as error:
        if error.kind is not Kind.EXISTS:
            raise
        raise StoreError(Side.DESTINATION, Kind.DISTURBED, "DestinationChanging", "a blob has come") from None
    try:
        await bench.azure.run(lambda: bench.destination.delete(name, etag), attempts)
    except StoreError as error:
        # Without the permission to delete it is written over; if it has gone or changed, the write will tell.
        return ABSENT if error.kind in (Kind.MISSING, Kind.EXISTS) else Condition(etag)
    return ABSENT
