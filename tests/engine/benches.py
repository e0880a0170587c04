"""A bench with scripted doors: one object at the source, one staging area at the destination."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import anyio
from anyio.lowlevel import checkpoint

from blobmove.core.blocks import MIB, Block
from blobmove.core.concurrency import Concurrency
from blobmove.core.errors import Kind, Side, StoreError
from blobmove.core.headers import MetadataNames
from blobmove.core.settings import IfExists
from blobmove.engine.bench import Bench, MoveOptions
from blobmove.engine.limits import Bandwidth, Budget
from blobmove.engine.requests import Counters, Requests
from blobmove.engine.stopping import Stop
from blobmove.stores.azure.blobs import AzureBlobs
from blobmove.stores.http import Body
from blobmove.stores.s3.objects import S3Objects


async def turns(count: int = 10) -> None:
    """Let every task run until it waits."""
    for _ in range(count):
        await checkpoint()


@dataclass
class Source:
    """Reads blocks of one body: `late` ones wait until all others are read, `failing` ones raise."""

    body: bytes
    late: frozenset[int] = frozenset()
    failing: dict[int, Kind] = field(default_factory=dict)
    expected: int = 0
    begun: list[int] = field(default_factory=list)
    read_blocks: list[int] = field(default_factory=list)
    _rest: anyio.Event = field(default_factory=anyio.Event)

    async def read(self, block: Block) -> Body:
        """The bytes of a block."""
        self.begun.append(block.index)
        if block.index in self.late:
            await self._rest.wait()
        await turns(3)
        self.read_blocks.append(block.index)
        if len(self.read_blocks) >= self.expected - len(self.late):
            self._rest.set()
        if block.index in self.failing:
            raise StoreError(Side.SOURCE, self.failing[block.index], f"Block{block.index}")
        return self.body[block.offset:block.offset + block.length]


@dataclass
class Staging:
    """Stands for AzureBlobs: keeps staged blocks by id; `refuse` lets one id's first tries fail."""

    staged: dict[str, tuple[bytes, int]] = field(default_factory=dict)
    refuse: dict[int, list[Kind]] = field(default_factory=dict)
    sent: int = 0

    async def put_block(self, name: str, block_id: str, body: Body, *, crc64: int) -> None:
        """Keep a block."""
        assert name == "blob"
        self.sent += 1
        await checkpoint()
        refusals = self.refuse.get(int(block_id[9:15]))
        if refusals:
            raise StoreError(Side.DESTINATION, refusals.pop(0), "Refused")
        self.staged[block_id] = (bytes(body), crc64)


class ImpatientStop(Stop):
    """A stop whose sleeps take no time and are written down."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def bench_of(staging: Staging, memory: Callable[[], int] = lambda: 1000, stop: Stop | None = None) -> Bench:
    """A bench over a staging area; the source is read by the function the test passes."""
    stop = stop or ImpatientStop()
    return Bench(
        source=cast(S3Objects, None), destination=cast(AzureBlobs, staging),
        s3=Requests(Side.SOURCE, Concurrency(16), checkpoint, stop),
        azure=Requests(Side.DESTINATION, Concurrency(16), checkpoint, stop),
        memory=Budget(memory), read_back=Budget(memory), bandwidth=Bandwidth(lambda: None), counters=Counters(),
        options=MoveOptions(32 * MIB, 8 * MIB, IfExists.COMPARE, None, MetadataNames.RENAME),
    )  # fmt: skip
