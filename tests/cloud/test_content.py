"""Contents: every stretch of a recipe is the same stretch of the same bytes."""

from __future__ import annotations

import hashlib
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cloud.content import (
    Content,
    Joined,
    Mod251,
    Raw,
    Seeded,
    digest,
    from_recipe,
    joined,
    recognised,
    same,
)
from tests.cloud.faults import with_bit_flipped
from tests.cloud.specs import in_base64

CONTENTS: list[Content] = [
    Mod251(3_000_000, 17), Seeded(200_000, "a"), Seeded(1001, "b"), Raw(b"hello"), Raw(b""),
    Joined([Mod251(1000), Raw(b"xyz"), Seeded(70_000, "c")]),
]


@pytest.mark.parametrize("content", CONTENTS, ids=lambda one: type(one).__name__)
@given(places=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_a_stretch_is_cut_from_the_whole(content: Content, places: tuple[float, float]) -> None:
    first, last = sorted(int(place * content.size) for place in places)

    assert content.read(first, last - first) == content.read(0, content.size)[first:last]


@pytest.mark.parametrize("content", CONTENTS, ids=lambda one: type(one).__name__)
def test_digests_are_those_of_the_bytes(content: Content) -> None:
    data = content.read(0, content.size)

    assert len(data) == content.size
    assert digest(content, "MD5") == hashlib.md5(data).digest()
    assert digest(content, "SHA256", 1, 3) == hashlib.sha256(data[1:4]).digest()
    assert digest(content, "CRC32") == zlib.crc32(data).to_bytes(4, "big")


def test_crcs_have_their_check_values() -> None:
    told = {name: digest(Raw(b"123456789"), name).hex() for name in ("CRC32", "CRC32C", "CRC64NVME")}

    assert told == {"CRC32": "cbf43926", "CRC32C": "e3069283", "CRC64NVME": "ae8b14860a799888"}


def test_what_follows_the_cycle_is_kept_as_a_recipe() -> None:
    data = Mod251(100_000, 33).read(0, 100_000)

    assert recognised(data) == Mod251(100_000, 33)
    assert recognised(data[:-1] + b"\xff") == Raw(data[:-1] + b"\xff")
    assert same(Raw(data), Mod251(100_000, 33))
    assert not same(Mod251(100_000, 34), Mod251(100_000, 33))


@pytest.mark.parametrize("place", [0, 40, 1_003_999, 1_004_000, 2_499_999])
def test_one_wrong_byte_anywhere_is_not_taken_for_the_cycle(place: int) -> None:
    data = bytearray(Mod251(2_500_000, 9).read(0, 2_500_000))
    assert recognised(bytes(data)) == Mod251(2_500_000, 9)

    data[place] ^= 1

    assert recognised(bytes(data)) == Raw(bytes(data))


def test_blocks_that_go_on_with_the_cycle_become_one() -> None:
    whole = Mod251(2_000, 33)

    assert joined([whole.stretch(0, 700), whole.stretch(700, 1_300)]) == whole
    assert isinstance(joined([whole.stretch(700, 1_300), whole.stretch(0, 700)]), Joined)
    assert joined([]).size == 0


@given(places=st.tuples(st.integers(0, 3_000_000), st.integers(0, 3_000_000)))
def test_a_view_is_what_would_be_read(places: tuple[int, int]) -> None:
    content, (first, last) = Mod251(3_000_000, 17), sorted(places)

    assert bytes(content.view(first, last - first)) == content.read(first, last - first)


def test_recipes_are_read_by_name() -> None:
    assert from_recipe("mod251:5", 10) == Mod251(10, 5)
    assert from_recipe("seeded:x", 10) == Seeded(10, "x")
    assert from_recipe(in_base64(b"abc"), 0) == Raw(b"abc")
    with pytest.raises(ValueError, match="unknown recipe"):
        from_recipe("random", 10)


@given(bit=st.integers(0, 8 * 300 - 1))
def test_a_flipped_bit_is_one_bit(bit: int) -> None:
    content = Mod251(300)
    wrong = with_bit_flipped(content, bit)

    difference = int.from_bytes(wrong.read(0, 300), "little") ^ int.from_bytes(content.read(0, 300), "little")
    assert difference == 1 << bit
    assert wrong.read(bit // 8, 1) != content.read(bit // 8, 1)
