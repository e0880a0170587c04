"""Reading a row of `active_storage_blobs`: what its checksum text says, as raw digests."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from typing import TYPE_CHECKING, Final

from blobmove.core.model import RailsFacts

if TYPE_CHECKING:
    from blobmove.core.model import BlobRow

_SHA256_PREFIX: Final = "sha256:"


def parse_rails_checksum(text: str | None) -> tuple[bytes | None, bytes | None]:
    """(MD5 as 16 bytes or None, SHA-256 as 32 bytes or None) of a row's `checksum`.

    Rails writes base64 of the MD5 of the whole file, `sha256:<base64>` where S3 is configured so (Rails 8.2), and
    NULL for composed blobs. Anything else (hex, cut off, another algorithm) says nothing: (None, None).
    Source: reference of the schema, activestorage/app/models/active_storage/blob.rb.
    """
    if text is None:
        return None, None
    stripped = text.strip()
    if stripped.startswith(_SHA256_PREFIX):
        return None, _decoded(stripped.removeprefix(_SHA256_PREFIX), 32)
    return _decoded(stripped.removeprefix("md5:"), 16), None


def rails_facts(row: BlobRow) -> RailsFacts:
    """What the row can say about the object of the same key."""
    md5, sha256 = parse_rails_checksum(row.checksum)
    return RailsFacts(row.id, row.service_name, row.byte_size, md5, sha256, row.content_type)


def _decoded(text: str, length: int) -> bytes | None:
    try:
        digest = b64decode(text, validate=True)
    except (Base64Error, ValueError):
        return None
    return digest if len(digest) == length else None
