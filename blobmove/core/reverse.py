"""The decisions of the way back: what may go to S3, in which parts, and which record proves that it arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from blobmove.core.blocks import MIB, ObjectTooLarge
from blobmove.core.digests import from_base64, stored_checksums
from blobmove.core.frozen import frozen
from blobmove.core.model import Proof
from blobmove.core.proof import etag_md5, whole_checksum

if TYPE_CHECKING:
    from collections.abc import Mapping

    from blobmove.core.digests import StoredChecksum
    from blobmove.core.model import RailsFacts, State

MAX_KEY_BYTES: Final = 1024
MAX_PUT_BYTES: Final = 5 * 1024 * MIB
LEAST_PART_BYTES: Final = 5 * MIB
MAX_PART_BYTES: Final = 5 * 1024 * MIB
MAX_PARTS: Final = 10_000
"""S3's limits: PutObject and a part hold 5 GiB, all parts but the last at least 5 MiB (s3.md section 2)."""


@frozen
class Wanted:
    """One blob that somebody wants back in S3: its key, and what he knows of it (size in bytes)."""

    key: str
    size: int | None = None
    rails: RailsFacts | None = None


@frozen
class Done:
    """How a blob went to S3 in an earlier run: the etags tell whether both sides are still what they were then."""

    state: State
    proof: Proof | None
    md5: bytes | None
    crc64: bytes | None
    source_etag: str
    blob_etag: str


@frozen
class Returning:
    """One blob on its way back, as the checkpoint has it. `upload`: a multipart upload that a killed run has left."""

    id: int
    key: str
    size: int | None = None
    rails: RailsFacts | None = None
    upload: str | None = None
    done: Done | None = None


@frozen
class Blob:
    """A blob as Azure describes it: size in bytes, its etag, the MD5 stored with it, all headers (lower case)."""

    size: int
    etag: str
    md5: bytes | None
    headers: Mapping[str, str]


def read_blob(headers: Mapping[str, str]) -> Blob:
    """From the headers of Get Blob Properties."""
    return Blob(
        int(headers.get("content-length", "0")), headers.get("etag", "").strip('" '),
        from_base64(headers.get("content-md5")), headers,
    )


def refusal_back(key: str, prefix: str) -> str | None:
    """The reason why S3 cannot hold an object of this key, or this migration must not write it; else None.

    Reasons: `name-too-long` (Azure counts characters, S3 bytes), `outside-prefix`.
    """
    if len(key.encode("utf-8", "surrogatepass")) > MAX_KEY_BYTES:
        return "name-too-long"
    return None if key.startswith(prefix) else "outside-prefix"


def part_size_for(size: int, wanted: int) -> int:
    """The size of all parts but the last, in bytes: the one wanted as far as S3's limits allow, in whole MiB above.

    Raises ObjectTooLarge.
    """
    least = max(LEAST_PART_BYTES, -(-size // MAX_PARTS))
    if least > wanted:
        wanted = -(-least // MIB) * MIB
    if wanted > MAX_PART_BYTES:
        raise ObjectTooLarge(f"{size} bytes need parts above {MAX_PART_BYTES}")
    return wanted


def proof_back(blob_md5: bytes | None, rails: RailsFacts | None, md5: bytes, sha256: bytes | None) -> Proof | None:
    """The record that agrees with the bytes read from Azure, None where none does.

    A row of Rails, and the Content-MD5 of a blob in blocks, are what an uploader said of his file: that can be wrong,
    but not agree by chance. What to make of a difference depends on whether Azure computed the MD5 itself.
    """
    if rails is not None and rails.agree(md5, sha256):
        return Proof.RAILS_MD5
    return Proof.AZURE_MD5 if blob_md5 == md5 else None


@frozen
class There:
    """An object that S3 holds under the key already, as it describes it: size in bytes, ETag, checksums."""

    size: int
    etag: str
    encryption: str | None
    stored: tuple[StoredChecksum, ...]

    def yardstick(self) -> tuple[str, bytes] | None:
        """Algorithm and value of S3's own checksum over the whole; None where its bytes must be read."""
        md5 = etag_md5(self.etag, self.encryption)
        if md5 is not None:
            return "md5", md5
        whole = whole_checksum(self.stored)
        return (whole.algorithm, whole.value) if whole is not None else None


def read_object(headers: Mapping[str, str]) -> There:
    """From the headers of HeadObject, asked for checksums, too."""
    customer = "x-amz-server-side-encryption-customer-algorithm" in headers
    return There(
        int(headers.get("content-length", "0")), headers.get("etag", "").strip('" '),
        "SSE-C" if customer else headers.get("x-amz-server-side-encryption"), stored_checksums(headers),
    )
