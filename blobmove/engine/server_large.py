"""Moving an object of many blocks that Azure pulls by itself: the CRC-64s it answers are joined before the commit."""

from __future__ import annotations

from dataclasses import dataclass, field

import anyio

from blobmove.core.blocks import Block, block_id, block_size_for, cut, fingerprint
from blobmove.core.errors import BlobmoveError, Kind, Side, StoreError
from blobmove.core.lanes import WINDOW
from blobmove.core.model import Outcome, State
from blobmove.engine.bench import Bench
from blobmove.engine.existing import Existing, Verdict, judge
from blobmove.engine.hashing import join_crcs
from blobmove.engine.leftovers import make_room, staged_under
from blobmove.engine.pulls import Asking, Left, Source, outcome_of
from blobmove.engine.requests import Attempts
from blobmove.stores.azure.blobs import ABSENT, Condition, Origin

_UNKNOWN_CRC = 0
"""Stands in the ids of pulled blocks: they are named before anybody has seen their bytes."""


async def pull_blocks(bench: Bench, source: Source, attempts: Attempts) -> Outcome | Left:
    """Put Block From URL for every block, then Put Block List if together they have S3's CRC-64.

    Raises StoreError; CORRUPT where they have not: then nothing has been committed.
    """
    present, condition = await _look(bench, source, attempts)
    if present is not None:
        return _ended(source, present, attempts)
    name, blocks = source.transfer.blob_name, _blocks(bench, source)
    staged = await staged_under(bench, name, attempts)
    room = await make_room(bench, name, staged, condition, attempts)
    # Not the mark of streamed blocks: those are trusted by the CRC-64 in their ids, which here is not known.
    mark = fingerprint(f"{source.etag}|pulled", source.size, blocks)
    ids = [block_id(mark, block.index, _UNKNOWN_CRC, room.width) for block in blocks]
    crcs = await _Staging(bench, source, attempts, ids).run(blocks)
    if len(crcs) < len(blocks):
        return Left("NoBlockCrc64")
    joined = join_crcs("crc64nvme", [(crcs[block.index], block.length) for block in blocks])
    if joined != source.pull.crc64:
        raise StoreError(Side.SOURCE, Kind.CORRUPT, "ChecksumDiffers", "the blocks pulled do not have S3's CRC-64")
    try:
        blob_etag = await bench.azure.run(
            lambda: bench.destination.put_block_list(
                name, ids, md5=source.pull.md5, properties=source.properties, condition=room.condition,
                tier=bench.options.tier,
            ),
            attempts, corrupt=True,
        )
    except StoreError as error:
        if error.kind is not Kind.EXISTS:
            raise
        return _ended(source, await judge(bench, name, source.size, source.pull.md5, attempts), attempts)
    return outcome_of(source, attempts, State.COPIED, blob_etag, crc64=joined)


def _blocks(bench: Bench, source: Source) -> tuple[Block, ...]:
    return cut((source.size,), block_size_for(source.size, bench.options.block_size))


async def _look(bench: Bench, source: Source, attempts: Attempts) -> tuple[Existing | None, Condition]:
    """Before any block is pulled: is the blob there? Put Block From URL has no conditions on it."""
    name, own = source.transfer.blob_name, source.transfer.own_blob_etag
    facts = await bench.azure.run(lambda: bench.destination.properties(name), attempts)
    if facts is None:
        return None, ABSENT
    if own and facts.etag == own:
        return None, Condition(own)
    existing = await judge(bench, name, source.size, source.pull.md5, attempts)
    if existing.verdict is Verdict.WRITE:
        return None, existing.condition
    return existing, ABSENT


def _ended(source: Source, existing: Existing, attempts: Attempts) -> Outcome:
    """The outcome of an object whose blob is there. Raises StoreError where it has gone again meanwhile."""
    if existing.verdict is Verdict.WRITE:
        raise StoreError(Side.DESTINATION, Kind.DISTURBED, "DestinationChanging", "the blob came and went")
    if existing.verdict is Verdict.CONFLICT:
        return outcome_of(source, attempts, State.CONFLICT, reason=existing.reason)
    state = State.COPIED if attempts.lost else State.PRESENT
    return outcome_of(source, attempts, state, existing.blob_etag)


@dataclass(slots=True)
class _Staging:
    """Pulls blocks in parallel. A failure of one lets the others finish and is raised at the end."""

    bench: Bench
    source: Source
    attempts: Attempts
    ids: list[str]
    _crcs: dict[int, int] = field(default_factory=dict)
    _error: StoreError | BlobmoveError | None = None

    async def run(self, blocks: tuple[Block, ...]) -> dict[int, int]:
        """The CRC-64 of every block for which Azure told it. Raises the first error of any block."""
        window = anyio.Semaphore(WINDOW)
        async with anyio.create_task_group() as tasks:
            for block in blocks:
                await window.acquire()
                if self._error is not None:
                    window.release()
                    break
                tasks.start_soon(self._one, block, window)
        if self._error is not None:
            raise self._error
        return self._crcs

    async def _one(self, block: Block, window: anyio.Semaphore) -> None:
        async def send(origin: Origin) -> bytes | None:
            return await self.bench.destination.put_block_from_url(
                self.source.transfer.blob_name, self.ids[block.index], origin
            )

        try:
            asking = Asking(self.bench, self.source, send, (block.offset, block.length))
            crc64 = await self.bench.azure.run(asking, self.attempts)
            if crc64 is not None:
                self._crcs[block.index] = int.from_bytes(crc64, "big")
        except (StoreError, BlobmoveError) as error:  # the latter: credentials, say, that cannot be renewed
            self._error = self._error or error
        finally:
            window.release()
