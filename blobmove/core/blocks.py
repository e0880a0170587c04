"""Cutting an object into blocks, and block ids that say by themselves what they hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Final

from blobmove.core.frozen import frozen

MIB: Final = 1024 * 1024
MAX_BLOCKS: Final = 50_000
MAX_BLOCK_BYTES: Final = 4000 * MIB
"""Azure's limits of a block blob for service versions from 2019-12-12 (azure-blob.md section 1.1)."""

ID_CHARACTERS: Final = 32
MAX_ID_BYTES: Final = 64

_ID: Final = re.compile(r"([0-9a-f]{8})-([0-9]{6})-([0-9a-f]{16})-*\Z")


@frozen
class Block:
    """One piece of an object: `offset` and `length` in bytes; `part` is the index of the S3 part it lies in."""

    index: int
    offset: int
    length: int
    part: int = 0


class ObjectTooLarge(ValueError):
    """Raised when no block size within Azure's limits can hold the object."""


def block_size_for(size: int, wanted: int, parts: int = 1) -> int:
    """The block size in bytes to use: the one wanted, or as much more as 50,000 blocks demand, in whole MiB.

    Every part boundary may cost one extra block, so `parts` blocks are kept in reserve.
    """
    room = MAX_BLOCKS - parts if parts > 1 else MAX_BLOCKS
    least = -(-size // room)
    if least > wanted:
        wanted = -(-least // MIB) * MIB
    if wanted > MAX_BLOCK_BYTES:
        raise ObjectTooLarge(f"{size} bytes need blocks above {MAX_BLOCK_BYTES}")
    return wanted


def cut(part_sizes: Sequence[int], block_size: int) -> tuple[Block, ...]:
    """The blocks of an object made of these parts, none crossing a part boundary (one part: the whole object)."""
    blocks: list[Block] = []
    offset = 0
    for part, size in enumerate(part_sizes):
        end = offset + size
        while offset < end:
            length = min(block_size, end - offset)
            blocks.append(Block(len(blocks), offset, length, part))
            offset += length
    return tuple(blocks)


def fingerprint(etag: str, size: int, blocks: Sequence[Block]) -> str:
    """Eight hex digits that stand for this version of the object cut this way.

    Blocks of another version, or of the same one cut otherwise, have another fingerprint and are never used.
    """
    cuts = ",".join(str(block.offset) for block in blocks)
    return blake2b(f"{etag}|{size}|{cuts}".encode(), digest_size=4).hexdigest()


def block_id(fingerprint: str, index: int, crc64: int, width: int = ID_CHARACTERS) -> str:
    """The id of a block, always of `width` characters: Azure demands one length for all ids of a blob."""
    return f"{fingerprint}-{index:06d}-{crc64:016x}".ljust(width, "-")


def room_for_ids(present: Iterable[str]) -> int | None:
    """The width our ids must have beside the ids present, or None where those are too short for ours."""
    width = max((len(text) for text in present), default=ID_CHARACTERS)
    return width if ID_CHARACTERS <= width <= MAX_ID_BYTES else None


def read_block_id(text: str) -> tuple[str, int, int] | None:
    """Fingerprint, index and CRC-64 of an id this program made, or None for anybody else's."""
    found = _ID.match(text)
    return (found.group(1), int(found.group(2)), int(found.group(3), 16)) if found else None


def uniform_parts(size: int, first: int, count: int) -> tuple[int, ...] | None:
    """The part sizes if all but the last are as large as the first, or None if that cannot be."""
    last = size - first * (count - 1)
    if count < 1 or not 0 < last <= first:
        return (0,) if size == 0 and count == 1 else None
    return (first,) * (count - 1) + (last,)


def likely_part_sizes(size: int, count: int) -> tuple[int, ...]:
    """Part sizes worth trying for a multipart object of `count` parts, the likeliest first (s3.md section 2)."""
    if count == 1:
        return (size,)
    low, high = -(-size // count), (size - 1) // (count - 1)
    rails = max(-(-size // 10_000), 5 * MIB)
    common = [rails, *(n * MIB for n in _COMMON_MIB), *_COMMON_BYTES, -(-low // MIB) * MIB, low]
    return tuple(dict.fromkeys(n for n in common if low <= n <= high))


_COMMON_MIB: Final = (5, 6, 7, 8, 10, 15, 16, 17, 20, 25, 32, 50, 64, 100, 128, 200, 256, 512, 1024, 2048, 5120)
_COMMON_BYTES: Final = (5_000_000, 8_000_000, 10_000_000, 16_000_000, 17_179_870)
