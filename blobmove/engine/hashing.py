"""Checksums over bodies: CRCs by awscrt, the others by hashlib, large bodies in a thread."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from anyio import to_thread

THREAD_BYTES: Final = 256 * 1024
"""From here on hashing goes to a thread: MD5 takes 1.7 ms a MiB (s3.md section 3)."""

_CRC_BYTES: Final = {"crc64nvme": 8, "crc32c": 4, "crc32": 4}
"""The CRCs of S3 and how long they are."""


@cache
def _awscrt(name: str) -> Any:  # noqa: ANN401 - a function of a library without types
    """A function of awscrt. Loaded at need (50 ms of CPU): objects whose ETag is an MD5 have none."""
    from awscrt import checksums

    return getattr(checksums, name)


def crc64(body: Any) -> int:  # noqa: ANN401 - anything with the buffer protocol
    """CRC-64/NVME, the checksum both clouds share."""
    return int(_awscrt("crc64nvme")(body, 0))


def digest(algorithm: str, body: Any) -> bytes:  # noqa: ANN401 - anything with the buffer protocol
    """The raw digest, CRCs big-endian as S3 writes them."""
    if is_crc(algorithm):
        return crc_of(algorithm, body).to_bytes(_CRC_BYTES[algorithm], "big")
    return hashlib.new(algorithm, body).digest()


def is_crc(algorithm: str) -> bool:
    """Whether blocks can be hashed in any order and joined afterwards."""
    return algorithm in _CRC_BYTES


def crc_of(algorithm: str, body: Any) -> int:  # noqa: ANN401 - anything with the buffer protocol
    return int(_awscrt(algorithm)(body, 0))


def join_crcs(algorithm: str, pieces: Sequence[tuple[int, int]]) -> bytes:
    """The CRC of a whole from (crc, length) of its pieces in order, big-endian."""
    combine, whole = _awscrt(f"combine_{algorithm}"), 0
    for crc, length in pieces:
        whole = int(combine(whole, crc, length))
    return whole.to_bytes(_CRC_BYTES[algorithm], "big")


async def digest_away(algorithm: str, body: Any) -> bytes:  # noqa: ANN401 - anything with the buffer protocol
    """Like digest(), in a thread where the body is large enough to pay for it."""
    if len(body) < THREAD_BYTES or is_crc(algorithm):
        return digest(algorithm, body)
    return await to_thread.run_sync(digest, algorithm, body)


class OrderedHash:
    """Hashes that need the bytes in order: over the whole object, and over each part.

    `feed` takes pieces that never cross a part boundary. Used by one task; the work is done in a thread.
    """

    def __init__(self, wholes: Sequence[str], per_part: str | None) -> None:
        self._wholes = {name: hashlib.new(name) for name in wholes}
        self._per_part = per_part
        self._part_index = 0
        self._part: Any = None
        self._part_crc: list[tuple[int, int]] = []
        self._parts: list[bytes] = []

    async def feed(self, part: int, body: Any) -> None:  # noqa: ANN401 - anything with the buffer protocol
        if len(body) < THREAD_BYTES:
            self._feed(part, body)
        else:
            await to_thread.run_sync(self._feed, part, body)

    def _feed(self, part: int, body: Any) -> None:  # noqa: ANN401 - anything with the buffer protocol
        for whole in self._wholes.values():
            whole.update(body)
        if self._per_part is None:
            return
        if part != self._part_index:
            self._close_part()
            self._part_index = part
        if is_crc(self._per_part):
            self._part_crc.append((crc_of(self._per_part, body), len(body)))
        else:
            self._part = self._part or hashlib.new(self._per_part)
            self._part.update(body)

    def _close_part(self) -> None:
        if self._per_part is None:
            return
        if is_crc(self._per_part):
            self._parts.append(join_crcs(self._per_part, self._part_crc))
        else:
            self._parts.append((self._part or hashlib.new(self._per_part)).digest())
        self._part, self._part_crc = None, []

    def result(self) -> tuple[dict[str, bytes], list[bytes]]:
        """The digests of the whole by algorithm, and those of the parts. Call once, at the end."""
        self._close_part()
        return {name: whole.digest() for name, whole in self._wholes.items()}, self._parts
