"""Every byte that gets into an MD5 is one that was staged, whoever has read it, and however often."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace

import pytest

from blobmove.cluster import ranges, spread
from blobmove.cluster.payloads import Turn
from blobmove.cluster.ranges import Kept, hashed, stage
from blobmove.core.digests import multipart_etag
from blobmove.core.errors import BlobmoveError, Kind, StoreError
from blobmove.engine.carried import Carried, Md5State
from blobmove.engine.hashing import crc64
from blobmove.engine.requests import Attempts
from tests.cluster.hands import BLOCKS, BODY, ETAG, PARTS, READINGS, S3, STAGING, Azure, Hands, bench_with, kept_by

RIGHT: Mapping[int, int] = {block.index: crc64(BODY[block.offset:block.offset + block.length]) for block in BLOCKS}
TICKET = replace(STAGING, ticket="t-1")


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "ROOM_SECONDS", 0.01)


async def full() -> Kept:
    """A worker without room for what waits."""
    kept = kept_by(900)
    assert await kept.reserve(900) is not None
    return kept


async def test_what_is_read_twice_gives_the_digests_of_what_was_staged() -> None:
    s3, azure = S3(), Azure()
    hands = Hands(bench_with(s3, azure), await full())
    found = await hands.spreader()(STAGING, Attempts())
    assert (found.wholes, multipart_etag(found.parts)) == ({"md5": hashlib.md5(BODY).digest()}, ETAG)
    assert found.sums.crc64 == RIGHT
    assert (s3.readings, set(hands.turns)) == (2 * READINGS, {"task"})


@pytest.mark.parametrize("wrong", [3, READINGS + 3])
async def test_a_flipped_bit_is_noticed_in_the_first_reading_and_in_the_second(wrong: int) -> None:
    bench, kept = bench_with(S3(wrong)), await full()
    sums = await stage(bench, kept, TICKET, Attempts())
    with pytest.raises(StoreError, match="two readings") as told:
        await hashed(bench, kept, Turn(TICKET, Carried(part=Md5State()), sums.crc64), Attempts())
    assert (told.value.kind, told.value.code) == (Kind.CORRUPT, "ChecksumDiffers")


@pytest.mark.parametrize("wrong", [3, READINGS + 3])
async def test_an_object_of_which_one_reading_differs_is_not_spread_to_the_end(wrong: int) -> None:
    hands = Hands(bench_with(S3(wrong)), await full())
    with pytest.raises(StoreError) as told:
        await hands.spreader()(STAGING, Attempts())
    assert told.value.kind is Kind.CORRUPT, "so that it is tried again, trusting no block that Azure has"
    assert len(hands.forgotten) == 1


async def test_what_azure_holds_from_before_is_compared_with_what_is_hashed() -> None:
    s3 = S3(wrong=4)
    bench, kept, held = bench_with(s3), await full(), replace(TICKET, held=RIGHT)
    sums = await stage(bench, kept, held, Attempts())
    assert s3.readings == 0, "the CRC-64 is all that is asked for: without room nothing is read"
    with pytest.raises(StoreError, match="two readings"):
        await hashed(bench, kept, Turn(held, Carried(part=Md5State()), sums.crc64), Attempts())


async def test_bodies_of_another_execution_than_the_one_reported_are_compared_too() -> None:
    azure = Azure()
    kept = kept_by(900)
    await stage(bench_with(S3(wrong=2), azure), kept, TICKET, Attempts())  # its report was lost
    reported = await stage(bench_with(S3(), azure), kept_by(900), TICKET, Attempts())
    with pytest.raises(StoreError, match="two readings"):
        await hashed(
            bench_with(S3()), kept, Turn(TICKET, Carried(part=Md5State()), reported.crc64), Attempts()
        )
    assert kept.room.used == 0


async def test_a_block_whose_crc_nobody_has_told_is_not_hashed() -> None:
    bench, kept = bench_with(S3()), await full()
    with pytest.raises(StoreError, match="two readings"):
        await hashed(bench, kept, Turn(TICKET, Carried(part=Md5State()), {}), Attempts())


async def test_what_is_kept_is_read_once_and_nothing_is_left_to_forget() -> None:
    s3 = S3()
    hands = Hands(bench_with(s3))
    found = await hands.spreader()(STAGING, Attempts())
    assert multipart_etag(found.parts) == ETAG
    assert (s3.readings, set(hands.turns)) == (READINGS, {"kept"})
    assert (hands.forgotten, hands.kept.room.used) == ([], 0)


async def test_what_was_kept_for_a_turn_taken_elsewhere_is_forgotten_at_the_end() -> None:
    hands = Hands(bench_with(S3()), deaf=True)
    found = await hands.spreader()(STAGING, Attempts())
    assert multipart_etag(found.parts) == ETAG
    assert (len(hands.forgotten), hands.kept.room.used) == (1, 0)


@pytest.mark.parametrize("unfit", [1, 4])
async def test_a_range_that_meets_a_worker_that_cannot_work_goes_to_another_one(unfit: int) -> None:
    hands = Hands(bench_with(S3()), unfit=unfit)
    found = await hands.spreader(2700)(STAGING, Attempts())
    assert multipart_etag(found.parts) == ETAG
    assert hands.dismissed == ["unfit"] * unfit


async def test_a_turn_that_meets_a_worker_that_cannot_work_goes_to_another_one() -> None:
    hands = Hands(bench_with(S3()), await full())
    spreader = hands.spreader()
    sums = await stage(hands.bench, hands.kept, TICKET, Attempts())
    hands.unfit = 2
    report = await spreader.ask_anybody(Turn(TICKET, Carried(part=Md5State()), sums.crc64))
    assert report.carried is not None
    assert report.carried.at == len(BODY)
    assert hands.dismissed == ["unfit"] * 2


async def test_where_nobody_can_work_the_run_ends_with_their_trouble() -> None:
    hands = Hands(bench_with(S3()), unfit=1000)
    with pytest.raises(BlobmoveError, match="no doors open"):
        await hands.spreader()(STAGING, Attempts())


async def test_a_drain_ends_the_search_for_a_worker_that_can_work() -> None:
    hands = Hands(bench_with(S3()), unfit=1000)
    spreader = hands.spreader()
    spreader.stop.ask("drain")
    with pytest.raises(spread.Unfinished):
        await spreader.ask(TICKET)
    assert hands.dismissed == ["unfit"]


@pytest.mark.parametrize(("most", "longest"), [(10_000, 300), (200, 200)])
async def test_a_range_that_is_kept_is_no_longer_than_its_room_nor_than_any_other(
    most: int, longest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spread, "RANGE_BYTES", most)
    hands = Hands(bench_with(S3()))
    spreader = hands.spreader(900)
    spreader.places = lambda: 1
    await spreader(STAGING, Attempts())
    assert max(sum(block.length for block in one.blocks) for one in hands.staged) == longest
    assert sum(PARTS) == sum(block.length for one in hands.staged for block in one.blocks)
