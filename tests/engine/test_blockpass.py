"""One pass over the blocks of an object: in any order of arrival the same digests, and every byte of memory back."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from itertools import pairwise

import anyio
import pytest

from blobmove.core.blocks import ID_CHARACTERS, Block, block_id, cut
from blobmove.core.errors import AccessError, Kind, StoreError
from blobmove.core.lanes import WINDOW
from blobmove.core.model import Transfer
from blobmove.engine.bench import Bench
from blobmove.engine.blockpass import BlockPass, Found, ReadBlock, Wanted
from blobmove.engine.hashing import crc64, digest
from blobmove.engine.requests import Attempts
from blobmove.engine.staging import Staging as Asked
from blobmove.engine.staging import block_ids, to_azure
from blobmove.stores.http import Body
from tests.engine.benches import Source, Staging, bench_of, turns

PARTS = (50, 50, 37)
BODY = bytes(number * 7 % 251 for number in range(sum(PARTS)))
BLOCKS = cut(PARTS, 20)
MARK = "abcdef01"
MD5 = Wanted(("md5",))
OBJECT = Transfer(1, "key", "blob", sum(PARTS), "e", None, None, None, 0, None)
ASKED = Asked(OBJECT, "e", BLOCKS, None, MARK, {}, ID_CHARACTERS)


def source(**more: object) -> Source:
    return Source(BODY, expected=len(BLOCKS), **more)  # type: ignore[arg-type]


def piece(block: Block) -> bytes:
    return BODY[block.offset:block.offset + block.length]


def own_ids() -> tuple[str, ...]:
    return tuple(block_id(MARK, block.index, crc64(piece(block))) for block in BLOCKS)


def held(*indexes: int) -> dict[int, int]:
    return {index: crc64(piece(BLOCKS[index])) for index in indexes}


def ids_of(found: Found, blocks: tuple[Block, ...] = BLOCKS) -> tuple[str, ...]:
    return tuple(block_ids(replace(ASKED, blocks=blocks), found.sums))


def passing(bench: Bench, blocks: tuple[Block, ...], read: ReadBlock) -> BlockPass:
    """A pass that stages what it reads."""
    return BlockPass(bench.memory, blocks, MD5, read, to_azure(bench, ASKED, Attempts()))


async def run(
    bench: Bench, wanted: Wanted, reading: Source, blocks: tuple[Block, ...] = BLOCKS, *,
    held: dict[int, int] | None = None, stage: bool = True,
) -> Found:
    with anyio.fail_after(10):
        send = to_azure(bench, ASKED, Attempts()) if stage else None
        return await BlockPass(bench.memory, blocks, wanted, reading.read, send, held or {}).run()


async def test_every_block_is_staged_under_its_own_id_with_its_checksum() -> None:
    staging = Staging()
    bench = bench_of(staging)
    found = await run(bench, MD5, source())
    assert ids_of(found) == own_ids()
    assert b"".join(staging.staged[name][0] for name in ids_of(found)) == BODY
    assert all(crc64(body) == crc for body, crc in staging.staged.values())
    assert (found.sums.staged, bench.counters.bytes_written) == (len(BLOCKS), len(BODY))


@pytest.mark.parametrize("late", [frozenset(), frozenset({0}), frozenset({0, 3}), frozenset({len(BLOCKS) - 1})])
async def test_digests_do_not_depend_on_the_order_of_arrival(late: frozenset[int]) -> None:
    bench = bench_of(Staging())
    found = await run(bench, Wanted(("md5", "sha256"), per_part="md5", crc="crc32c"), source(late=late))
    assert found.wholes == {"md5": hashlib.md5(BODY).digest(), "sha256": hashlib.sha256(BODY).digest()}
    bounds = (0, 50, 100, 137)
    assert found.parts == [hashlib.md5(BODY[a:b]).digest() for a, b in pairwise(bounds)]
    assert found.crc == digest("crc32c", BODY)
    assert found.crc64 == digest("crc64nvme", BODY)
    assert bench.memory.used == 0


@pytest.mark.parametrize("crc", ["crc64nvme", "crc32", "crc32c"])
async def test_a_crc_is_joined_from_the_blocks(crc: str) -> None:
    bench = bench_of(Staging())
    found = await run(bench, Wanted(crc=crc), source(late=frozenset({0, 2})))
    assert (found.crc, found.crc64) == (digest(crc, BODY), digest("crc64nvme", BODY))
    assert (dict(found.wholes), found.parts, bench.memory.used) == ({}, [], 0)


async def test_without_a_fingerprint_nothing_is_staged() -> None:
    staging = Staging()
    found = await run(bench_of(staging), MD5, source(), stage=False)
    assert (staging.sent, found.sums.staged, found.wholes["md5"]) == (0, 0, hashlib.md5(BODY).digest())


async def test_an_object_without_blocks_has_the_digests_of_nothing() -> None:
    found = await run(bench_of(Staging()), Wanted(("md5",), crc="crc64nvme"), source(), ())
    assert (found.wholes["md5"], found.crc, ids_of(found, ())) == (hashlib.md5().digest(), bytes(8), ())


async def test_memory_for_one_block_is_enough() -> None:
    bench = bench_of(Staging(), lambda: 20)
    found = await run(bench, MD5, source())
    assert found.wholes["md5"] == hashlib.md5(BODY).digest()
    assert bench.memory.used == 0


async def test_a_slow_first_block_holds_the_others_in_memory_but_never_beyond_the_budget() -> None:
    bench, most = bench_of(Staging(), lambda: 60), 0
    first = anyio.Event()

    async def read(block: Block) -> Body:
        nonlocal most
        most = max(most, bench.memory.used)
        if block.index == 0:
            await first.wait()
        return piece(block)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(passing(bench, BLOCKS, read).run)
        await turns(50)
        assert 0 < bench.memory.used <= 60
        first.set()
    assert most <= 60
    assert bench.memory.used == 0


async def test_two_objects_share_a_small_memory_without_waiting_for_each_other() -> None:
    bench = bench_of(Staging(), lambda: 40)
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(run, bench, MD5, source(late=frozenset()))
    assert bench.memory.used == 0


async def test_no_more_blocks_are_under_way_than_the_window() -> None:
    blocks, out, most = cut((WINDOW * 5,), 1), 0, 0

    async def read(block: Block) -> Body:
        nonlocal out, most
        out += 1
        most = max(most, out)
        await turns(60)
        out -= 1
        return b"x"

    await passing(bench_of(Staging()), blocks, read).run()
    assert most == WINDOW


@pytest.mark.parametrize("failing", [0, 3, len(BLOCKS) - 1])
@pytest.mark.parametrize("wanted", [MD5, Wanted(crc="crc64nvme")], ids=["in order", "joined"])
async def test_one_failing_block_lets_the_others_finish_and_gives_all_memory_back(
    failing: int, wanted: Wanted
) -> None:
    bench, reading = bench_of(Staging()), source(failing={failing: Kind.CHANGED})
    with pytest.raises(StoreError) as caught:
        await run(bench, wanted, reading)
    assert caught.value.kind is Kind.CHANGED
    assert sorted(reading.read_blocks) == sorted(reading.begun)
    assert len(reading.begun) > failing
    assert (bench.memory.used, bench.memory.waiting) == (0, 0)


async def test_credentials_that_cannot_be_renewed_end_a_pass_as_what_they_are() -> None:
    bench = bench_of(Staging())

    async def read(block: Block) -> Body:
        if block.index == 2:
            raise AccessError("E401-SOURCE", "the AWS credentials could not be renewed")
        return piece(block)

    with pytest.raises(AccessError):
        await passing(bench, BLOCKS, read).run()
    assert (bench.memory.used, bench.memory.waiting) == (0, 0)


async def test_after_a_failure_no_further_block_is_begun() -> None:
    blocks = cut((WINDOW * 10,), 1)
    bench, reading = bench_of(Staging()), Source(bytes(WINDOW * 10), failing={0: Kind.MISSING}, expected=0)
    with pytest.raises(StoreError):
        await run(bench, MD5, reading, blocks)
    assert len(reading.read_blocks) < 3 * WINDOW
    assert bench.memory.used == 0


async def test_the_first_of_several_failures_is_told() -> None:
    reading = source(failing={1: Kind.CHANGED, 4: Kind.MISSING}, late=frozenset({1}))
    with pytest.raises(StoreError) as caught:
        await run(bench_of(Staging()), MD5, reading)
    assert caught.value.code == "Block4"


async def test_a_block_that_arrives_damaged_is_sent_again() -> None:
    staging = Staging(refuse={2: [Kind.CORRUPT, Kind.TRANSIENT]})
    found = await run(bench_of(staging), MD5, source())
    assert (staging.sent, found.sums.staged) == (len(BLOCKS) + 2, len(BLOCKS))
    assert set(staging.staged) == set(own_ids())


async def test_a_block_that_azure_refuses_fails_the_pass() -> None:
    bench = bench_of(Staging(refuse={2: [Kind.REJECTED]}))
    with pytest.raises(StoreError) as caught:
        await run(bench, MD5, source())
    assert caught.value.kind is Kind.REJECTED
    assert bench.memory.used == 0


@pytest.mark.parametrize("wanted", [Wanted(), Wanted(crc="crc64nvme")])
async def test_blocks_that_azure_holds_are_neither_read_nor_sent_where_their_crc64_is_all_that_is_asked_for(
    wanted: Wanted,
) -> None:
    staging, reading = Staging(), source()
    found = await run(bench_of(staging), wanted, reading, held=held(0, 3))
    assert sorted(reading.read_blocks) == [1, 2, *range(4, len(BLOCKS))]
    assert (ids_of(found), found.crc64) == (own_ids(), digest("crc64nvme", BODY))
    assert found.crc == (digest("crc64nvme", BODY) if wanted.crc else None)
    assert found.sums.staged == staging.sent == len(BLOCKS) - 2


@pytest.mark.parametrize("wanted", [MD5, Wanted(per_part="crc32"), Wanted(crc="crc32c")])
async def test_blocks_that_azure_holds_are_read_but_not_sent_where_another_digest_is_asked_for(
    wanted: Wanted,
) -> None:
    staging, reading = Staging(), source()
    found = await run(bench_of(staging), wanted, reading, held=held(0, 3))
    assert sorted(reading.read_blocks) == list(range(len(BLOCKS)))
    assert ids_of(found) == own_ids()
    assert found.sums.staged == staging.sent == len(BLOCKS) - 2


async def test_a_block_that_azure_holds_with_another_checksum_is_sent_again() -> None:
    staging = Staging()
    found = await run(bench_of(staging), MD5, source(), held={**held(0, 3), 3: 12345})
    assert staging.sent == len(BLOCKS) - 1
    assert own_ids()[3] in staging.staged
    assert ids_of(found) == own_ids()


async def test_a_wrong_checksum_of_a_held_block_shows_in_the_joined_crc() -> None:
    found = await run(bench_of(Staging()), Wanted(crc="crc64nvme"), source(), held={3: 12345})
    assert found.crc != digest("crc64nvme", BODY)


async def test_an_abort_gives_the_memory_of_the_blocks_back() -> None:
    bench = bench_of(Staging())

    async def read(_block: Block) -> Body:
        await anyio.sleep_forever()
        return b""

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(passing(bench, BLOCKS, read).run)
        await turns()
        assert bench.memory.used > 0
        tasks.cancel_scope.cancel()
    assert bench.memory.used == 0
