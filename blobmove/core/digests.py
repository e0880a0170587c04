"""Checksums as values: how S3, Azure and Rails write them down, and what an ETag says. No hashing of bodies here."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Mapping
from hashlib import md5
from typing import Final

from blobmove.core.frozen import frozen

_MULTIPART_ETAG: Final = re.compile(r"([0-9a-f]{32})-([1-9][0-9]{0,4})\Z")

ALGORITHMS: Final = ("crc64nvme", "crc32c", "crc32", "sha256", "sha1")
"""S3's checksums that this program verifies, cheapest and strongest for the money first (s3.md section 3)."""


@frozen
class StoredChecksum:
    """A checksum that S3 stored with an object. `parts` is None for the whole object, else the number of parts."""

    algorithm: str
    value: bytes
    parts: int | None = None


def bare(etag: str) -> str:
    """An ETag without its quotes."""
    return etag.strip().strip('"')


def md5_of_etag(etag: str | None) -> bytes | None:
    """The 16 bytes that a 32-digit ETag spells, or None. Whether they are an MD5 depends on the encryption."""
    if etag is None or len(etag) != 32:
        return None
    try:
        digest = bytes.fromhex(etag)
    except ValueError:
        return None
    return digest if digest.hex() == etag else None  # S3 writes lower case, and nothing between the digits


def parts_of_etag(etag: str | None) -> int | None:
    """The number of parts in a multipart ETag `...-N`, or None for any other."""
    found = _MULTIPART_ETAG.match(etag) if etag else None
    return int(found.group(2)) if found else None


def multipart_etag(part_md5s: Iterable[bytes]) -> str:
    """The ETag S3 gives a multipart object: MD5 over the parts' MD5s, and their number (s3.md section 2)."""
    digests = list(part_md5s)
    return f"{md5(b''.join(digests)).hexdigest()}-{len(digests)}"


def stored_checksums(headers: Mapping[str, str]) -> tuple[StoredChecksum, ...]:
    """S3's `x-amz-checksum-*` answer headers (names in lower case), in the order of ALGORITHMS.

    A composite value carries `-N` or the type COMPOSITE; one of both may be missing in emulators.
    """
    kind = headers.get("x-amz-checksum-type", "").upper()
    found = []
    for algorithm in ALGORITHMS:
        text = headers.get(f"x-amz-checksum-{algorithm}")
        if not text:
            continue
        value, _, parts = text.partition("-")
        raw = from_base64(value)
        if raw is None or (kind == "COMPOSITE" and not parts) or (parts and not parts.isdecimal()):
            continue  # a composite without its number of parts cannot be recomputed
        found.append(StoredChecksum(algorithm, raw, int(parts) if parts else None))
    return tuple(found)


def from_base64(text: str | None) -> bytes | None:
    """The bytes behind base64 text, or None if it is not valid base64."""
    if text is None:
        return None
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except (binascii.Error, ValueError):
        return None


def to_base64(value: bytes) -> str:
    return binascii.b2a_base64(value, newline=False).decode("ascii")


def azure_crc64(value: int) -> str:
    """A CRC-64/NVME as Azure's `x-ms-content-crc64` wants it: base64, little-endian (azure-blob.md section 1.3)."""
    return to_base64(value.to_bytes(8, "little"))
