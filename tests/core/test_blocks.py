"""Blocks: every byte in exactly one block, none across a part boundary, ids that say what they hold."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from blobmove.core.blocks import (
    ID_CHARACTERS,
    MAX_BLOCK_BYTES,
    MAX_BLOCKS,
    MAX_ID_BYTES,
    MIB,
    Block,
    ObjectTooLarge,
    block_id,
    block_size_for,
    cut,
    fingerprint,
    likely_part_sizes,
    read_block_id,
    room_for_ids,
    uniform_parts,
)

PARTS = st.lists(st.integers(1, 60), max_size=8)


@given(PARTS, st.integers(1, 25))
def test_cutting_and_joining_gives_the_same_bytes(parts: list[int], block_size: int) -> None:
    body = bytes(number % 251 for number in range(sum(parts)))
    blocks = cut(parts, block_size)
    assert b"".join(body[block.offset:block.offset + block.length] for block in blocks) == body
    assert [block.index for block in blocks] == list(range(len(blocks)))
    assert all(0 < block.length <= block_size for block in blocks)


@given(PARTS, st.integers(1, 25))
def test_no_block_crosses_a_part_boundary(parts: list[int], block_size: int) -> None:
    found = [0] * len(parts)
    for block in cut(parts, block_size):
        assert block.offset >= sum(parts[:block.part])
        found[block.part] += block.length
    assert found == parts


def test_an_empty_object_has_no_blocks() -> None:
    assert cut((0,), 8) == ()


@given(st.integers(0, MAX_BLOCKS * MAX_BLOCK_BYTES), st.integers(1, 1024), st.integers(1, 10_000))
def test_the_block_size_keeps_within_azures_limits(size: int, wanted_mib: int, parts: int) -> None:
    wanted = wanted_mib * MIB
    try:
        chosen = block_size_for(size, wanted, parts)
    except ObjectTooLarge:
        assert size > (MAX_BLOCKS - parts) * MAX_BLOCK_BYTES
        return
    worst_count = -(-size // chosen) + (parts if parts > 1 else 0)
    assert worst_count <= MAX_BLOCKS
    assert wanted <= chosen <= MAX_BLOCK_BYTES
    assert chosen % MIB == 0


@pytest.mark.parametrize(("size", "wanted", "chosen"), [
    (0, 8 * MIB, 8 * MIB),
    (MAX_BLOCKS * 8 * MIB, 8 * MIB, 8 * MIB),
    (MAX_BLOCKS * 8 * MIB + 1, 8 * MIB, 9 * MIB),
    (MAX_BLOCKS * MAX_BLOCK_BYTES, 8 * MIB, MAX_BLOCK_BYTES),
])
def test_blocks_grow_only_when_there_would_be_too_many(size: int, wanted: int, chosen: int) -> None:
    assert block_size_for(size, wanted) == chosen


def test_an_object_beyond_azures_largest_blob_is_refused() -> None:
    with pytest.raises(ObjectTooLarge):
        block_size_for(MAX_BLOCKS * MAX_BLOCK_BYTES + 1, 8 * MIB)


@given(st.binary(min_size=4, max_size=4), st.integers(0, MAX_BLOCKS - 1), st.integers(0, 2**64 - 1))
def test_block_ids_have_one_length_and_are_read_back(mark: bytes, index: int, crc64: int) -> None:
    text = block_id(mark.hex(), index, crc64)
    assert len(text) == 32
    assert text.isascii()
    assert read_block_id(text) == (mark.hex(), index, crc64)


@given(st.binary(min_size=4, max_size=4), st.integers(0, MAX_BLOCKS - 1), st.integers(0, 2**64 - 1),
       st.integers(ID_CHARACTERS, MAX_ID_BYTES))
def test_block_ids_are_as_long_as_asked_for_and_mean_the_same(mark: bytes, index: int, crc64: int, width: int) -> None:
    text = block_id(mark.hex(), index, crc64, width)
    assert len(text) == width
    assert read_block_id(text) == (mark.hex(), index, crc64)


@pytest.mark.parametrize(("present", "width"), [
    ([], 32), (["x" * 32], 32), (["x" * 48, "y" * 48], 48), (["x" * 64], 64), (["x" * 31], None), (["x"], None),
    (["x" * 65], None),
])
def test_our_ids_are_as_long_as_those_that_lie_there_or_do_not_fit(present: list[str], width: int | None) -> None:
    assert room_for_ids(present) == width


@pytest.mark.parametrize("text", ["", "0" * 48, "abcdef01-000001-00", "ABCDEF01-000001-0000000000000000",
                                  "abcdef01-000001-0000000000000000\n", "abcdef01_000001_0000000000000000"])
def test_ids_of_other_tools_are_not_ours(text: str) -> None:
    assert read_block_id(text) is None


@given(st.text("0123456789abcdef-", max_size=40), st.integers(0, 10**6), PARTS, st.integers(1, 9))
def test_another_version_or_another_cut_has_another_fingerprint(
    etag: str, size: int, parts: list[int], block_size: int
) -> None:
    blocks = cut(parts, block_size)
    mark = fingerprint(etag, size, blocks)
    assert len(mark) == 8
    assert mark == fingerprint(etag, size, blocks)
    assert mark != fingerprint(etag + "0", size, blocks)
    assert mark != fingerprint(etag, size + 1, blocks)
    assert mark != fingerprint(etag, size, (*blocks, Block(len(blocks), sum(parts), 1)))


@given(st.integers(1, 1000), st.integers(1, 40), st.data())
def test_uniform_parts_are_recognised(first: int, count: int, data: st.DataObject) -> None:
    last = data.draw(st.integers(1, first))
    size = first * (count - 1) + last
    assert uniform_parts(size, first, count) == (first,) * (count - 1) + (last,)


@pytest.mark.parametrize(("size", "first", "count", "parts"), [
    (0, 0, 1, (0,)), (0, 5, 2, None), (10, 5, 0, None), (11, 5, 2, None), (5, 5, 2, None), (0, 0, 0, None),
])
def test_parts_that_cannot_be_uniform_are_not_claimed(
    size: int, first: int, count: int, parts: tuple[int, ...] | None
) -> None:
    assert uniform_parts(size, first, count) == parts


@given(st.integers(1, 200 * MIB), st.integers(1, 40))
def test_every_likely_part_size_gives_that_many_parts(size: int, count: int) -> None:
    assume(size >= count)
    sizes = likely_part_sizes(size, count)
    assert len(set(sizes)) == len(sizes)
    for part in sizes:
        assert -(-size // part) == count


@pytest.mark.parametrize(("size", "count", "first"), [
    (5 * MIB + 3, 2, 5 * MIB),              # Rails' 5 MiB
    (100 * MIB, 20, 5 * MIB),
    (60 * 1024 * MIB, 9981, 6442451),       # Rails: more than 10,000 parts of 5 MiB, so a ten-thousandth each
    (8 * MIB + 1, 2, 5 * MIB),
    (40 * MIB, 5, 8 * MIB),                 # the AWS command line
    (30_000_000, 3, 10 * MIB),
    (12_000_000, 2, 6 * MIB),
    (7, 1, 7),
])
def test_the_likeliest_part_size_comes_first(size: int, count: int, first: int) -> None:
    if first == 6442451:
        first = max(-(-size // 10_000), 5 * MIB)
        count = -(-size // first)
    assert likely_part_sizes(size, count)[0] == first


@given(st.sampled_from((5, 8, 15, 16, 64, 100)), st.integers(2, 30), st.data())
def test_the_part_sizes_of_the_usual_tools_are_among_the_guesses(
    part_mib: int, count: int, data: st.DataObject
) -> None:
    part = part_mib * MIB
    size = part * (count - 1) + data.draw(st.integers(1, part))
    assert part in likely_part_sizes(size, count)
