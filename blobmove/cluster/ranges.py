"""A range of blocks on a worker: read and staged, kept for its turn in the object's MD5s, and hashed in its turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import anyio
from anyio import to_thread

from blobmove.cluster.payloads import Turn
from blobmove.core.blocks import Block
from blobmove.core.errors import Kind, Side, StoreError
from blobmove.engine.bench import Bench
from blobmove.engine.blockpass import BlockPass, Sums, Wanted
from blobmove.engine.carried import Carried
from blobmove.engine.hashing import crc64 as crc64_of
from blobmove.engine.limits import Budget, Part, Ranked
from blobmove.engine.requests import Attempts
from blobmove.engine.staging import Staging, read_block, staging_pass, to_azure
from blobmove.stores.http import Body

ROOM_SECONDS: Final = 20.0
"""How long a range waits for room to be kept. Then it is read again in its turn: that never waits for another.

And how long the memory may stand still, with somebody waiting for it, before what is kept for longer gives way.
"""

KEPT_SECONDS: Final = 300.0
"""Who has waited so long for its turn has most likely been given to another worker."""

_Name = tuple[str, int]


@dataclass(slots=True)
class _Range:
    bodies: dict[int, Body]
    size: int
    memory: Ranked
    since: float


@dataclass(slots=True)
class Kept:
    """The bodies of this worker that wait for their turn; `room` is the part of the memory that they may take.

    A cache: what is forgotten is read again.
    """

    room: Part
    clock: Callable[[], float] = time.monotonic
    _ranges: dict[_Name, _Range] = field(default_factory=dict)
    _used: int = -1
    _still_since: float = 0.0

    async def reserve(self, size: int) -> Ranked | None:
        """Room for all bodies of a range, None where there is none for long: who began earlier comes first."""
        memory = self.room.ranked()
        with anyio.move_on_after(ROOM_SECONDS):
            await memory.take(size)
            return memory
        return None

    def keep(self, name: _Name, bodies: dict[int, Body], memory: Ranked) -> None:
        """Keep these bodies with the room that was reserved for them."""
        self.forget(name)
        size = sum(len(body) for body in bodies.values())
        self._ranges[name] = _Range(bodies, size, memory, self.clock())

    def holds(self, staging: Staging) -> bool:
        """Whether the bodies of this range are here."""
        return _name(staging) in self._ranges

    def claim(self, name: _Name) -> _Range | None:
        """The bodies of a range, for the one who hashes them and then gives their room back."""
        return self._ranges.pop(name, None)

    def forget(self, name: _Name) -> None:
        """Give back what is kept under a name."""
        found = self._ranges.pop(name, None)
        if found is not None:
            found.memory.give_back(found.size)

    def forget_all(self, ticket: str) -> None:
        """Give back what is kept of one object."""
        for name in [name for name in self._ranges if name[0] == ticket]:
            self.forget(name)

    def give_way(self, memory: Budget | Ranked) -> None:
        """Forget what no turn has come for, and more of it where this memory stands still. To be called by the pulse.

        Who waits for memory may be what the turn of a kept range waits for, through whatever stands in the row behind
        it, here or at another worker: then nothing moves any more unless this cache gives way. In a row that moves,
        what is used changes all the time.
        """
        now = self.clock()
        if not memory.waiting or memory.used != self._used:
            self._used, self._still_since = memory.used, now
        if now - self._still_since > ROOM_SECONDS:
            self._let_in(memory, now)
        for name in self._older(KEPT_SECONDS, now):
            self.forget(name)

    def _let_in(self, memory: Budget | Ranked, now: float) -> None:
        """Forget until the first who waits has what he waits for: with what he gives back others go on."""
        waiting = memory.waiting
        for name in self._older(ROOM_SECONDS, now):
            if memory.waiting == waiting:
                self.forget(name)

    def _older(self, seconds: float, now: float) -> list[_Name]:
        return [name for name, kept in self._ranges.items() if now - kept.since > seconds]


async def stage(bench: Bench, kept: Kept, staging: Staging, attempts: Attempts) -> Sums:
    """Stage a range; where digests of all bytes in order are wanted, keep its bodies for them. Raises StoreError."""
    if not staging.ticket:
        return await staging_pass(bench.for_large(), staging, Wanted(crc=staging.crc), attempts).sums()
    size = sum(block.length for block in staging.blocks)
    room = await kept.reserve(size)
    if room is None:
        return await staging_pass(bench.for_large(), staging, Wanted(crc=staging.crc), attempts).sums()
    bodies: dict[int, Body] = {}
    try:
        sums = await _keeping(bench, staging, bodies, size, attempts)
    except BaseException:
        room.give_back(size)
        raise
    kept.keep(_name(staging), bodies, room)
    return sums


async def _keeping(bench: Bench, staging: Staging, bodies: dict[int, Body], size: int, attempts: Attempts) -> Sums:
    """A pass over all blocks, also those that Azure has: their bytes are needed."""
    again, staged = to_azure(bench, staging, attempts), 0

    async def read(block: Block) -> Body:
        bodies[block.index] = await read_block(bench, staging.transfer, staging.etag, block, attempts)
        return bodies[block.index]

    async def send(block: Block, body: Body, crc64: int) -> None:
        nonlocal staged
        if staging.held.get(block.index) != crc64:
            await again(block, body, crc64)
            staged += 1

    sums = await BlockPass(Budget(lambda: size), staging.blocks, Wanted(crc=staging.crc), read, send).sums()
    return replace(sums, staged=staged)


async def hashed(bench: Bench, kept: Kept, turn: Turn, attempts: Attempts) -> tuple[Carried, tuple[bytes, ...]]:
    """How far the MD5s are after this range, and those of the parts that have ended in it. Raises StoreError.

    What is not kept here, or not any more, is read again.
    """
    found = kept.claim(_name(turn.staging))
    try:
        return await _fed(bench, found.bodies if found is not None else {}, turn, attempts)
    finally:
        if found is not None:
            found.memory.give_back(found.size)


async def _fed(
    bench: Bench, bodies: Mapping[int, Body], turn: Turn, attempts: Attempts
) -> tuple[Carried, tuple[bytes, ...]]:
    staging, carried, ended = turn.staging, turn.carried, []
    for block in staging.blocks:
        body = bodies.get(block.index)
        if body is not None:
            carried, closed = await _fed_with(carried, block, body, turn)
        else:
            async with bench.read_back.hold(block.length):
                body = await read_block(bench, staging.transfer, staging.etag, block, attempts)
                carried, closed = await _fed_with(carried, block, body, turn)
        ended += [closed] if closed is not None else []
    return carried, tuple(ended)


async def _fed_with(carried: Carried, block: Block, body: Body, turn: Turn) -> tuple[Carried, bytes | None]:
    """The MD5s after one block more, if these are the bytes that were staged. Raises StoreError CORRUPT if not.

    They may come from another reading than those: one of both is wrong then, and a proof by the MD5s would speak of
    bytes that Azure does not have. Both sums are computed at a time, since all turns of an object wait for each other.
    """
    seen: list[int] = []

    async def sum_up() -> None:
        seen.append(await to_thread.run_sync(crc64_of, body))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sum_up)
        after = await carried.fed(block, body)
    if [turn.crc64.get(block.index)] != seen:
        raise StoreError(
            Side.SOURCE, Kind.CORRUPT, "ChecksumDiffers", f"two readings of the block at {block.offset} differ"
        )
    return after


def _name(staging: Staging) -> _Name:
    return staging.ticket, staging.blocks[0].index
