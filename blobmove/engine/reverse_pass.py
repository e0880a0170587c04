"""One pass over the blocks of a blob on its way back: read in parallel, handed on, hashed in their order."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import anyio
from anyio import to_thread

from blobmove.core.blocks import Block
from blobmove.core.errors import StoreError
from blobmove.engine.bench import Bench
from blobmove.engine.hashing import crc64, crc_of, is_crc, join_crcs
from blobmove.stores.http import Body

WINDOW: Final = 8
"""Blocks of one blob in flight. The memory budget may allow fewer."""

ReadBlock = Callable[[Block], Awaitable[Body]]
SendBlock = Callable[[Block, Body, int], Awaitable[None]]


async def keep_none(_block: Block, _body: Body, _crc64: int) -> None:
    """For a pass that only looks."""


@dataclass(slots=True)
class Pass:
    """Reads every block with `read` and hands it, with its CRC-64, to `send`; finds the digests `wanted` of the whole.

    A failure of one block lets the others finish and is raised at the end: nothing is cancelled in a door.
    """

    bench: Bench
    blocks: Sequence[Block]
    wanted: Sequence[str]
    read: ReadBlock
    send: SendBlock = keep_none
    _error: StoreError | None = None
    _ready: dict[int, Body] = field(default_factory=dict)
    _next: int = 0
    _crcs: dict[tuple[str, int], int] = field(default_factory=dict)
    _order: anyio.Lock = field(default_factory=anyio.Lock)

    async def run(self) -> dict[str, bytes]:
        """The raw digests by algorithm; `crc64nvme` is always among them. Raises the first StoreError of any block."""
        hashes = {name: hashlib.new(name) for name in self.wanted if not is_crc(name)}
        window = anyio.Semaphore(WINDOW)
        async with anyio.create_task_group() as tasks:
            for block in self.blocks:
                # Memory is taken in the order of the blocks: the block that the hash waits for has its share.
                await window.acquire()
                await self.bench.memory.take(block.length)
                if self._error is not None:
                    self.bench.memory.give_back(block.length)
                    break
                tasks.start_soon(self._one, block, hashes, window)
        if self._error is not None:
            raise self._error
        crcs = {"crc64nvme", *(name for name in self.wanted if is_crc(name))}
        return {name: one.digest() for name, one in hashes.items()} | {name: self._joined(name) for name in crcs}

    async def _one(self, block: Block, hashes: dict[str, hashlib._Hash], window: anyio.Semaphore) -> None:
        kept = False
        try:
            body = await self.read(block)
            whole = crc64(body)
            await self.send(block, body, whole)
            for name in {*self.wanted}:
                if is_crc(name):
                    self._crcs[name, block.index] = crc_of(name, body)
            self._crcs["crc64nvme", block.index] = whole
            if self._error is None:
                self._ready[block.index] = body
                kept = True
                await self._advance(hashes)
        except StoreError as error:
            self._error = self._error or error
            self._drop()  # what waits to be hashed would hold the memory that others wait for
        finally:
            if not kept:
                self.bench.memory.give_back(block.length)
            window.release()

    async def _advance(self, hashes: dict[str, hashlib._Hash]) -> None:
        """Hash what is next in order, as far as it is there."""
        async with self._order:
            while self._next in self._ready:
                body = self._ready[self._next]
                await to_thread.run_sync(_feed, hashes, body)
                if self._ready.pop(self._next, None) is not None:
                    self.bench.memory.give_back(self.blocks[self._next].length)
                self._next += 1

    def _drop(self) -> None:
        for index in list(self._ready):
            self._ready.pop(index)
            self.bench.memory.give_back(self.blocks[index].length)

    def _joined(self, name: str) -> bytes:
        return join_crcs(name, [(self._crcs[name, block.index], block.length) for block in self.blocks])


def _feed(hashes: dict[str, hashlib._Hash], body: Body) -> None:
    for one in hashes.values():
        one.update(body)
