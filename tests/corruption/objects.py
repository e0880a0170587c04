"""Objects for every way to prove a copy, of one byte to several blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from tests.cloud.specs import ObjectSpec

BLOCK: Final = 64 * 1024
LIMIT: Final = BLOCK
MOVING: Final = ("--block-size", "64KiB", "--whole-object-limit", "64KiB")
MOST: Final = 5 * BLOCK + 1000


@dataclass(frozen=True, slots=True)
class Way:
    """One way to prove objects: `small` and `large` are the proofs expected below and above the whole-object limit.

    `make` turns key, size and recipe into an object; `row` says that Rails has a row for it.
    """

    name: str
    small: str
    large: str
    make: Callable[[str, int, str], ObjectSpec]
    row: bool = False


def _single(encryption: str | None = None, checksum: str | None = None) -> Callable[[str, int, str], ObjectSpec]:
    return lambda key, size, recipe: ObjectSpec(
        key=key, size=size, recipe=recipe, encryption=encryption, checksum=checksum
    )


def _parts(
    cut: Callable[[int], tuple[int, ...]], encryption: str | None = None, checksum: str | None = None,
    checksum_type: str = "FULL_OBJECT",
) -> Callable[[str, int, str], ObjectSpec]:
    return lambda key, size, recipe: ObjectSpec(
        key=key, parts=cut(size), recipe=recipe, encryption=encryption, checksum=checksum, checksum_type=checksum_type
    )


def even(size: int) -> tuple[int, ...]:
    """Two parts as large as each other, and a smaller last one where there is something left."""
    part = max(1, size * 2 // 5)
    return tuple(length for length in (part, part, size - 2 * part) if length > 0)


def uneven(size: int) -> tuple[int, ...]:
    """Parts that grow: the first one tells nothing of the others."""
    first = max(1, size // 7)
    return tuple(length for length in (first, size // 3, size - first - size // 3) if length > 0)


def misleading(size: int) -> tuple[int, ...]:
    """Parts that could all be as large as the first one, and are not."""
    first = max(2, size * 2 // 5)
    middle = first - 1
    return tuple(length for length in (first, middle, size - first - middle) if length > 0)


WAYS: Final = (
    Way("etag", "etag-md5", "etag-md5", _single()),
    Way("etag-and-crc64nvme", "etag-md5", "crc64nvme", _single(checksum="CRC64NVME")),
    Way("kms-crc64nvme", "crc64nvme", "crc64nvme", _single("aws:kms", "CRC64NVME")),
    Way("kms-crc32c", "crc32c", "crc32c", _single("aws:kms", "CRC32C")),
    Way("kms-crc32", "crc32", "crc32", _single("aws:kms", "CRC32")),
    Way("kms-sha256", "sha256", "sha256", _single("aws:kms", "SHA256")),
    Way("kms-sha1", "sha1", "sha1", _single("aws:kms", "SHA1")),
    Way("parts-crc64nvme", "crc64nvme", "crc64nvme", _parts(even, checksum="CRC64NVME")),
    Way("even-parts", "multipart-etag", "multipart-etag", _parts(even)),
    Way("uneven-parts", "multipart-etag", "multipart-etag", _parts(uneven)),
    Way("misleading-parts", "multipart-etag", "multipart-etag", _parts(misleading)),
    Way("kms-parts-sha256", "composite", "composite", _parts(even, "aws:kms", "SHA256", "COMPOSITE")),
    Way("kms-parts-crc32c", "composite", "composite", _parts(uneven, "aws:kms", "CRC32C", "COMPOSITE")),
    Way("kms-row", "rails-md5", "rails-md5", _single("aws:kms"), row=True),
    Way("kms-nothing", "read-back", "read-back", _single("aws:kms")),
    Way("kms-parts-nothing", "read-back", "read-back", _parts(even, "aws:kms")),
)  # fmt: skip
BY_NAME: Final = {way.name: way for way in WAYS}


def objects(chance: Random, small: int, large: int, *, least_twice_read: int = 2000) -> list[ObjectSpec]:
    """So many of each way on each side of the whole-object limit, sizes drawn; keys are WAY/small/NUMBER.

    `least_twice_read`: bytes of an object that may have to be proven by reading it twice. Where bits flip by chance,
    one of a few bytes may meet the same flip twice, which nobody can see.
    """
    return [
        way.make(
            f"{way.name}/{kind}/{number}",
            max(size_of(chance, kind), least_twice_read if way.small in ("read-back", "rails-md5") else 1),
            f"seeded:{chance.random()}",
        )
        for way in WAYS
        for kind, count in (("small", small), ("large", large))
        for number in range(count)
    ]


def size_of(chance: Random, kind: str) -> int:
    """From 1 byte: small ones rather small, large ones of two to six blocks."""
    if kind == "large":
        return chance.randint(LIMIT + 1, MOST)
    return chance.choice((chance.randint(1, 16), chance.randint(1, 5000), chance.randint(1, LIMIT)))


def proof_of(key: str) -> str:
    """The proof expected for an object of this key."""
    name, kind, _ = key.split("/")
    way = BY_NAME[name]
    return way.small if kind == "small" else way.large
