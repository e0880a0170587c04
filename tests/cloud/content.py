"""What objects consist of: bytes named by a recipe and made when they are read, so that a GiB costs no memory."""

from __future__ import annotations

import base64
import hashlib
import random
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Final, Protocol

from awscrt import checksums

_CYCLE: Final = 251
_PATTERN: Final = bytes(range(_CYCLE)) * 4200  # about 1 MiB
_VIEW: Final = memoryview(_PATTERN)
_STRETCH: Final = _CYCLE * 4000  # of the pattern, from any phase
_BLOCK: Final = 64 * 1024
_STRIDE: Final = 1024 * 1024
_WORTH_RECOGNISING: Final = 1024

CRCS: Final = {
    "CRC32": (checksums.crc32, 4),
    "CRC32C": (checksums.crc32c, 4),
    "CRC64NVME": (checksums.crc64nvme, 8),
}
HASHES: Final = {"MD5": "md5", "SHA1": "sha1", "SHA256": "sha256"}


class Content(Protocol):
    """`size` bytes that can be read from any offset."""

    @property
    def size(self) -> int: ...

    def read(self, offset: int, length: int) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes as they came."""

    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    def read(self, offset: int, length: int) -> bytes:
        if offset == 0 and length == len(self.data):
            return self.data
        return self.data[offset : offset + length]


@dataclass(frozen=True, slots=True)
class Mod251:
    """Byte i is (start + i) % 251: shifted or swapped blocks change every hash."""

    size: int
    start: int = 0

    def read(self, offset: int, length: int) -> bytes:
        length = max(0, min(length, self.size - offset))
        phase = (self.start + offset) % _CYCLE
        if phase + length <= len(_PATTERN):
            return _PATTERN[phase : phase + length]
        return (_PATTERN * ((phase + length) // len(_PATTERN) + 1))[phase : phase + length]

    def view(self, offset: int, length: int) -> memoryview | bytes:
        """As `read`, without a copy where the pattern holds the whole stretch."""
        phase = (self.start + offset) % _CYCLE
        if phase + length <= len(_PATTERN) and offset + length <= self.size:
            return _VIEW[phase : phase + length]
        return self.read(offset, length)

    def stretch(self, offset: int, length: int) -> Mod251:
        """The content of a part of this one."""
        return Mod251(length, (self.start + offset) % _CYCLE)


@dataclass(frozen=True, slots=True)
class Seeded:
    """Pseudo-random bytes: block b of 64 KiB is Python's `Random(f"{seed}/{b}").randbytes(65536)`."""

    size: int
    seed: str

    def read(self, offset: int, length: int) -> bytes:
        end = min(offset + length, self.size)
        if offset >= end:
            return b""
        first, last = offset // _BLOCK, (end - 1) // _BLOCK
        if self.size <= _BLOCK:
            whole = _random_block(self.seed, 0, -(-self.size // 4) * 4)  # a prefix of the full block
        else:
            whole = b"".join(_random_block(self.seed, block, _BLOCK) for block in range(first, last + 1))
        return whole[offset - first * _BLOCK : end - first * _BLOCK]


@lru_cache(maxsize=1024)
def _random_block(seed: str, block: int, length: int) -> bytes:
    return random.Random(f"{seed}/{block}").randbytes(length)


class Joined:
    """Several contents one after the other, as a blob consists of its blocks."""

    def __init__(self, pieces: list[Content]) -> None:
        self._pieces = pieces
        self._starts = [0, *accumulate(piece.size for piece in pieces)]

    @property
    def size(self) -> int:
        return self._starts[-1]

    def read(self, offset: int, length: int) -> bytes:
        end = min(offset + length, self.size)
        found = []
        index = bisect_right(self._starts, offset) - 1
        while offset < end:
            inner = offset - self._starts[index]
            take = min(self._pieces[index].size - inner, end - offset)
            found.append(self._pieces[index].read(inner, take))
            offset, index = offset + take, index + 1
        return b"".join(found)


def from_recipe(recipe: str, size: int) -> Content:
    """The content a recipe names: `mod251`, `mod251:START`, `seeded:SEED`, `base64:...` (then `size` is ignored)."""
    kind, _, rest = recipe.partition(":")
    if kind == "mod251":
        return Mod251(size, int(rest or "0") % _CYCLE)
    if kind == "seeded":
        return Seeded(size, rest)
    if kind == "base64":
        return Raw(base64.b64decode(rest, validate=True))
    raise ValueError(f"unknown recipe {kind!r}: mod251[:START], seeded:SEED or base64:BYTES")


def recognised(data: bytes) -> Content:
    """What arrived, kept as a recipe where it follows the cycle, so that large copies cost no memory."""
    if len(data) >= _WORTH_RECOGNISING and data[0] < _CYCLE and _follows_the_cycle(data):
        return Mod251(len(data), data[0])
    return Raw(data)


def _follows_the_cycle(data: bytes) -> bool:
    """Compared where it lies: no copy is made of either side."""
    start = data[0]
    if len(data) <= _STRETCH:
        return _PATTERN.startswith(data, start)
    view = memoryview(data)
    return all(
        _PATTERN.startswith(view[offset : offset + _STRETCH], (start + offset) % _CYCLE)
        for offset in range(0, len(data), _STRETCH)
    )


def joined(pieces: list[Content]) -> Content:
    """The pieces one after the other; a single cycle where each goes on where the one before it ended."""
    first = pieces[0] if pieces else Raw(b"")
    if not isinstance(first, Mod251):
        return Joined(pieces)
    size = 0
    for piece in pieces:
        if not isinstance(piece, Mod251) or piece.start != (first.start + size) % _CYCLE:
            return Joined(pieces)
        size += piece.size
    return Mod251(size, first.start)


def pieces(content: Content, offset: int, length: int) -> Iterator[bytes]:
    """`length` bytes from `offset`, in strides of 1 MiB."""
    end = offset + length
    while offset < end:
        take = min(_STRIDE, end - offset)
        yield content.read(offset, take)
        offset += take


def digest(content: Content, algorithm: str, offset: int = 0, length: int | None = None) -> bytes:
    """Raw digest (CRCs big-endian) of a stretch of the content; `algorithm` as S3 names them, and MD5."""
    if algorithm == "MD5" and length is None and type(content) is Raw:
        return hashlib.md5(content.data[offset:], usedforsecurity=False).digest()
    span = content.size - offset if length is None else length
    if isinstance(content, (Mod251, Seeded)):
        return _remembered(content, algorithm, offset, span)
    return _digest(content, algorithm, offset, span)


@lru_cache(maxsize=8192)
def _remembered(content: Mod251 | Seeded, algorithm: str, offset: int, length: int) -> bytes:
    return _digest(content, algorithm, offset, length)


def _digest(content: Content, algorithm: str, offset: int, length: int) -> bytes:
    if algorithm == "MD5" and length <= _STRIDE:
        return hashlib.md5(content.read(offset, length), usedforsecurity=False).digest()
    if algorithm in CRCS:
        function, width = CRCS[algorithm]
        value = 0
        for piece in pieces(content, offset, length):
            value = function(piece, value)
        return int(value).to_bytes(width, "big")
    hasher = hashlib.new(HASHES[algorithm], usedforsecurity=False)
    for piece in pieces(content, offset, length):
        hasher.update(piece)
    return hasher.digest()


def same(one: Content, other: Content) -> bool:
    """Whether two contents are equal byte for byte."""
    if one.size != other.size:
        return False
    if isinstance(one, Mod251) and isinstance(other, Mod251):
        return one.start == other.start or one.size == 0
    both = zip(pieces(one, 0, one.size), pieces(other, 0, other.size), strict=True)
    return all(left == right for left, right in both)
