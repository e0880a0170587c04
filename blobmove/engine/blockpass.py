"""One pass over the blocks of something large: read in parallel, handed on where missing, hashed in order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import anyio

from blobmove.core.blocks import Block
from blobmove.core.errors import BlobmoveError, StoreError
from blobmove.core.frozen import frozen
from blobmove.core.lanes import WINDOW
from blobmove.engine.hashing import OrderedHash, crc64, crc_of, join_crcs
from blobmove.engine.limits import Budget, Ranked
from blobmove.stores.http import Body


@frozen
class Sums:
    """The CRCs of blocks by their index, and how many of them were handed on."""

    crc64: Mapping[int, int]
    crc: Mapping[int, int]
    staged: int


ReadBlock = Callable[[Block], Awaitable[Body]]
SendBlock = Callable[[Block, Body, int], Awaitable[None]]
"""Takes a block, its bytes and their CRC-64."""


@frozen
class Wanted:
    """Which digests a pass has to find: of the whole in order, per part in order, and a CRC joined from blocks."""

    wholes: tuple[str, ...] = ()
    per_part: str | None = None
    crc: str | None = None

    def also(self, whole: str) -> Wanted:
        """One digest of the whole more."""
        return replace(self, wholes=tuple(dict.fromkeys((*self.wholes, whole))))

    @property
    def in_order(self) -> bool:
        return bool(self.wholes) or self.per_part is not None


@frozen
class Found:
    """The digests of a pass, raw, and the sums of the single blocks."""

    wholes: Mapping[str, bytes]
    parts: Sequence[bytes]
    crc: bytes | None
    crc64: bytes
    sums: Sums


@dataclass(slots=True)
class BlockPass:
    """Reads every block with `read` and hands those that `held` lacks to `send`; None: it only looks.

    `held` maps a block's index to the CRC-64 under which the other side holds it already. A failure of one block lets
    the others finish and is raised at the end: nothing is cancelled in a door.
    """

    memory: Budget | Ranked
    blocks: Sequence[Block]
    wanted: Wanted
    read: ReadBlock
    send: SendBlock | None = None
    held: Mapping[int, int] = field(default_factory=dict)
    _error: StoreError | BlobmoveError | None = None
    _ready: dict[int, Body] = field(default_factory=dict)
    _next: int = 0
    _crc64: dict[int, int] = field(default_factory=dict)
    _crc: dict[int, int] = field(default_factory=dict)
    _staged: int = 0
    _order: anyio.Lock = field(default_factory=anyio.Lock)
    _hash: OrderedHash = field(init=False)

    def __post_init__(self) -> None:
        self._hash = OrderedHash(self.wanted.wholes, self.wanted.per_part)

    async def run(self) -> Found:
        """Do the pass over all blocks of an object. Raises the first error of any block."""
        sums = await self.sums()
        wholes, parts = self._hash.result()
        return replace(joined(self.blocks, self.wanted.crc, sums), wholes=wholes, parts=parts)

    async def sums(self) -> Sums:
        """Do the pass over some blocks of an object. Raises the first error of any block."""
        window = anyio.Semaphore(WINDOW)
        async with anyio.create_task_group() as tasks:
            for block in self.blocks:
                if self._known(block):
                    continue
                # Memory is taken in the order of the blocks: the block that the hash waits for has its share.
                await window.acquire()
                await self.memory.take(block.length)
                if self._error is not None:
                    self.memory.give_back(block.length)
                    window.release()
                    break
                tasks.start_soon(self._one, block, window)
        if self._error is not None:
            self._drop_ready()
            raise self._error
        return Sums(self._crc64, self._crc, self._staged)

    def _known(self, block: Block) -> bool:
        """A block that is held there need not be read again where its CRC-64 is all that is asked for."""
        if self.wanted.in_order or self.wanted.crc not in (None, "crc64nvme") or block.index not in self.held:
            return False
        self._crc64[block.index] = self._crc[block.index] = self.held[block.index]
        return True

    async def _one(self, block: Block, window: anyio.Semaphore) -> None:
        kept = False
        try:
            body = await self.read(block)
            await self._hand_on(block, body)
            if self.wanted.in_order and self._error is None:
                self._ready[block.index] = body
                kept = True
                await self._advance()
        except (StoreError, BlobmoveError) as error:  # the latter: credentials, say, that cannot be renewed
            self._error = self._error or error
            self._drop_ready()  # what waits to be hashed would hold the memory that others wait for
        finally:
            if not kept:
                self.memory.give_back(block.length)
            window.release()

    async def _hand_on(self, block: Block, body: Body) -> None:
        value = crc64(body)
        self._crc64[block.index] = value
        if self.wanted.crc is not None:
            self._crc[block.index] = value if self.wanted.crc == "crc64nvme" else crc_of(self.wanted.crc, body)
        if self.send is None or self.held.get(block.index) == value:
            return
        await self.send(block, body, value)
        self._staged += 1

    async def _advance(self) -> None:
        """Hash what is next in order; whoever finds the lock taken waits, which is the back-pressure."""
        async with self._order:
            while (body := self._ready.pop(self._next, None)) is not None:
                block = self.blocks[self._next]
                try:
                    await self._hash.feed(block.part, body)
                finally:
                    self.memory.give_back(block.length)
                self._next += 1

    def _drop_ready(self) -> None:
        for index in list(self._ready):
            self._ready.pop(index)
            self.memory.give_back(self.blocks[index].length)


def joined(blocks: Sequence[Block], crc: str | None, sums: Sums) -> Found:
    """What the sums of all blocks say of the whole object; `crc` is the CRC wanted beside the CRC-64."""
    def join(algorithm: str, crcs: Mapping[int, int]) -> bytes:
        return join_crcs(algorithm, [(crcs[block.index], block.length) for block in blocks])

    return Found({}, (), join(crc, sums.crc) if crc else None, join("crc64nvme", sums.crc64), sums)
