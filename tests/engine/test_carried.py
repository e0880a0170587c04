"""An MD5 that goes on elsewhere is the MD5 of all bytes, wherever it was interrupted."""

from __future__ import annotations

import hashlib
import pickle
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blobmove.core.blocks import Block, cut
from blobmove.engine.carried import Carried, Md5State, can_carry

BODY = bytes(number * 31 % 251 for number in range(3000))
PARTS = (1000, 37, 1200, 763)


@given(st.lists(st.integers(0, len(BODY)), max_size=6), st.sampled_from([bytes, bytearray, memoryview]))
def test_wherever_it_is_interrupted_and_pickled_it_is_hashlib_s(
    cuts: list[int], kind: type[bytes] | type[bytearray] | type[memoryview]
) -> None:
    state = Md5State()
    for start, end in pairwise([0, *sorted(cuts), len(BODY)]):
        state = pickle.loads(pickle.dumps(state.fed(kind(BODY[start:end]))))  # noqa: S301 - our own
    assert state.digest() == hashlib.md5(BODY).digest()


def test_more_than_half_a_gibibyte_is_counted_in_both_words_of_the_length() -> None:
    piece, whole, state = bytes(64 << 20), hashlib.md5(), Md5State()
    for _ in range(9):
        state = state.fed(piece)
        whole.update(piece)
    assert state.length * 8 >= 1 << 32
    whole.update(b"end")
    assert state.fed(b"end").digest() == whole.digest()


async def test_the_parts_have_md5s_of_their_own() -> None:
    carried, closed = Carried(part=Md5State()), []
    for block in cut(PARTS, 300):
        carried, ended = await carried.fed(block, BODY[block.offset:block.offset + block.length])
        closed += [ended] if ended is not None else []
    assert carried.part is not None
    starts = [sum(PARTS[:number]) for number in range(len(PARTS) + 1)]
    assert [*closed, carried.part.digest()] == [hashlib.md5(BODY[a:b]).digest() for a, b in pairwise(starts)]
    assert carried.whole.digest() == hashlib.md5(BODY).digest()
    assert carried.at == len(BODY)


@pytest.mark.parametrize("block", [Block(1, 300, 300), Block(0, 0, 299)])
async def test_any_other_block_than_the_next_is_refused(block: Block) -> None:
    with pytest.raises(ValueError, match="is not the one at 0"):
        await Carried().fed(block, BODY[:300])


def test_this_python_gives_away_the_state() -> None:
    assert can_carry()
