"""The pass over a blob on its way back: parallel reads, one order of hashing, memory given back in every case."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
from awscrt.checksums import crc32, crc64nvme

from blobmove.core.blocks import Block, cut
from blobmove.core.errors import Kind, Side, StoreError
from blobmove.engine.bench import Bench
from blobmove.engine.reverse_large import one_pass
from blobmove.stores.http import Body
from tests.engine.benches import Source, Staging, bench_of, turns

BODY = bytes(range(250)) * 4
BLOCKS = cut((len(BODY),), 100)


def bench(memory: Callable[[], int] = lambda: 10_000) -> Bench:
    return bench_of(Staging(), memory)


async def test_digests_of_the_whole_come_out_right_whatever_order_the_blocks_arrive_in() -> None:
    source, sent = Source(BODY, late=frozenset({0, 3}), expected=len(BLOCKS)), {}

    async def send(block: Block, body: Body, crc: int) -> None:
        sent[block.index] = (bytes(body), crc)

    desk = bench()
    found = await one_pass(desk.memory, BLOCKS, ("md5", "sha256", "crc32"), source.read, send)

    assert found == {
        "md5": hashlib.md5(BODY).digest(), "sha256": hashlib.sha256(BODY).digest(),
        "crc32": crc32(BODY).to_bytes(4, "big"), "crc64nvme": crc64nvme(BODY).to_bytes(8, "big"),
    }  # fmt: skip
    assert b"".join(sent[index][0] for index in sorted(sent)) == BODY
    assert {index: crc64nvme(body) for index, (body, _) in sent.items()} == {i: crc for i, (_, crc) in sent.items()}
    assert desk.memory.used == 0


async def test_no_more_is_held_than_the_memory_allows() -> None:
    desk, most = bench(lambda: 300), 0
    source = Source(BODY, expected=len(BLOCKS))

    async def send(_block: Block, _body: Body, _crc: int) -> None:
        nonlocal most
        most = max(most, desk.memory.used)
        await turns(2)

    await one_pass(desk.memory, BLOCKS, ("md5",), source.read, send)
    assert (most, desk.memory.used) == (300, 0)


@pytest.mark.parametrize("failing", [0, 4, 9])
async def test_a_block_that_fails_ends_the_pass_and_gives_all_memory_back(failing: int) -> None:
    desk = bench(lambda: 500)
    source = Source(BODY, failing={failing: Kind.CHANGED}, expected=len(BLOCKS))
    with pytest.raises(StoreError) as caught:
        await one_pass(desk.memory, BLOCKS, ("md5",), source.read)
    assert (caught.value.kind, desk.memory.used) == (Kind.CHANGED, 0)


async def test_a_part_that_s3_refuses_ends_the_pass_too() -> None:
    desk = bench()

    async def send(block: Block, _body: Body, _crc: int) -> None:
        if block.index == 2:
            raise StoreError(Side.SOURCE, Kind.REJECTED, "Refused")

    with pytest.raises(StoreError, match="Refused"):
        await one_pass(desk.memory, BLOCKS, ("md5",), Source(BODY, expected=len(BLOCKS)).read, send)
    assert desk.memory.used == 0


async def test_a_blob_without_bytes_has_the_digests_of_nothing() -> None:
    found = await one_pass(bench().memory, (), ("md5",), Source(b"").read)
    assert found == {"md5": hashlib.md5(b"").digest(), "crc64nvme": bytes(8)}
