"""Hashing: the same digests as the standard library, in any cut, joined or in order."""

from __future__ import annotations

import base64
import hashlib
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blobmove.core.blocks import cut
from blobmove.core.digests import ALGORITHMS
from blobmove.engine.hashing import THREAD_BYTES, OrderedHash, crc64, crc_of, digest, digest_away, is_crc, join_crcs

CRCS = ("crc64nvme", "crc32c", "crc32")
LARGE = bytes(range(256)) * (THREAD_BYTES // 256 + 1)


@pytest.mark.parametrize(("algorithm", "value"), [
    ("crc32", "cbf43926"), ("crc32c", "e3069283"), ("crc64nvme", "ae8b14860a799888"),
])
def test_the_check_values_are_the_published_ones(algorithm: str, value: str) -> None:
    assert digest(algorithm, b"123456789").hex() == value


def test_the_crc64_of_hello_world_is_what_s3_prints() -> None:
    assert base64.b64encode(digest("crc64nvme", b"hello world")) == b"jSnVw/bqjr4="
    assert crc64(b"hello world").to_bytes(8, "big") == digest("crc64nvme", b"hello world")


@given(st.binary())
def test_digests_are_those_of_the_standard_library(body: bytes) -> None:
    assert digest("crc32", body) == zlib.crc32(body).to_bytes(4, "big")
    for name in ("md5", "sha256", "sha1"):
        assert digest(name, memoryview(body)) == hashlib.new(name, body).digest()


@given(st.sampled_from(CRCS), st.lists(st.binary(max_size=50), max_size=6))
def test_crcs_of_pieces_join_to_the_crc_of_the_whole(algorithm: str, pieces: list[bytes]) -> None:
    joined = join_crcs(algorithm, [(crc_of(algorithm, piece), len(piece)) for piece in pieces])
    assert joined == digest(algorithm, b"".join(pieces))


def test_only_crcs_can_be_joined() -> None:
    assert [name for name in ALGORITHMS if is_crc(name)] == list(CRCS)


@pytest.mark.parametrize("algorithm", ["md5", "crc32c"])
@pytest.mark.parametrize("body", [b"small", LARGE], ids=["small", "large"])
async def test_away_is_the_same_digest(algorithm: str, body: bytes) -> None:
    assert await digest_away(algorithm, body) == digest(algorithm, body)


@given(
    st.sets(st.sampled_from(("md5", "sha256"))), st.none() | st.sampled_from(("md5", *ALGORITHMS)),
    st.lists(st.integers(1, 60), min_size=1, max_size=5), st.integers(1, 25),
)
async def test_in_order_over_the_whole_and_over_each_part(
    wholes: set[str], per_part: str | None, parts: list[int], block_size: int
) -> None:
    body = bytes(number * 7 % 251 for number in range(sum(parts)))
    ordered = OrderedHash(sorted(wholes), per_part)
    for block in cut(parts, block_size):
        await ordered.feed(block.part, body[block.offset:block.offset + block.length])
    found, found_parts = ordered.result()
    assert found == {name: hashlib.new(name, body).digest() for name in wholes}
    bounds = [sum(parts[:number]) for number in range(len(parts) + 1)]
    assert found_parts == ([digest(per_part, body[a:b]) for a, b in pairwise(bounds)] if per_part else [])


async def test_large_pieces_go_through_a_thread_and_count_the_same() -> None:
    ordered = OrderedHash(("md5",), "md5")
    await ordered.feed(0, LARGE)
    await ordered.feed(1, LARGE)
    found, parts = ordered.result()
    assert found["md5"] == hashlib.md5(LARGE * 2).digest()
    assert parts == [hashlib.md5(LARGE).digest()] * 2


@pytest.mark.parametrize("algorithm", ["md5", "crc32"])
def test_an_empty_object_has_one_empty_part(algorithm: str) -> None:
    assert OrderedHash((), algorithm).result() == ({}, [digest(algorithm, b"")])
