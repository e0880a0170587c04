"""Writing objects, for the way back: nothing is ever overwritten, every body goes with its checksum."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from blobmove.core.digests import bare, from_base64, to_base64
from blobmove.core.errors import Kind, Side, StoreError
from blobmove.core.frozen import frozen
from blobmove.stores.s3.answers import error_of

if TYPE_CHECKING:
    from blobmove.stores.http import Answer, Body
    from blobmove.stores.s3.objects import Pairs, S3Objects

_CRC64: Final = "x-amz-checksum-crc64nvme"
_ABSENT: Final = ("if-none-match", "*")
_TAG: Final = r"<{0}>([^<]+)</{0}>"

_PATIENCE_BYTES: Final = 32 << 20
"""Joining parts may take minutes without a word (CompleteMultipartUpload): the time such a body would be given."""

_KINDS: Final = {
    "PreconditionFailed": Kind.EXISTS,           # If-None-Match: *
    "ConditionalRequestConflict": Kind.TRANSIENT,  # two writers at once: the vendor says, try again
    "BadDigest": Kind.CORRUPT,
    "NoSuchUpload": Kind.DISTURBED,              # completed or aborted already
    "IncompleteBody": Kind.TRANSIENT,
    "NotImplemented": Kind.STOP_CONFIG,          # an S3-compatible store without conditional writes or this checksum
}
_READING: Final = frozenset({Kind.MISSING, Kind.CHANGED, Kind.ARCHIVED})


@frozen
class SentPart:
    """A part as S3 has taken it: its ETag, and the CRC-64 it was sent with."""

    etag: str
    crc64: int


@frozen
class Joined:
    """An object that S3 has joined from parts: its ETag, and the CRC-64 of the whole (None: it does not say)."""

    etag: str
    crc64: bytes | None


class S3Writing:
    """The writing half of one bucket's data path, over the signer and the connections of the reading half."""

    def __init__(self, objects: S3Objects) -> None:
        self._objects = objects

    async def look(self, key: str) -> Answer | None:
        """The headers of an object, stored checksums among them; None where there is none. Raises StoreError."""
        asked = [("x-amz-checksum-mode", "ENABLED")]
        answer = await self._objects.ask("HeadObject", "HEAD", key, [], asked)
        if answer.status == 404:
            return None
        if answer.status in (400, 403):
            # The answer to a HEAD has no body, so no code: a GET tells an expired token from a refused object.
            await self._objects.get(key, etag=None, byte_range=(0, 1))
        if answer.status != 200:
            raise error_of(answer)
        return answer

    async def put(self, key: str, body: Body, *, md5: bytes, headers: Pairs) -> str:
        """PutObject where there is none; S3 recomputes `md5` over what arrived and refuses on a difference.

        Returns the ETag. Raises StoreError: EXISTS where there is an object, CORRUPT on BadDigest.
        """
        told = [*headers, ("content-md5", to_base64(md5)), _ABSENT]
        answer = await self._objects.ask("PutObject", "PUT", key, [], told, body)
        _require(answer)
        return answer.etag

    async def begin(self, key: str, headers: Pairs) -> str:
        """CreateMultipartUpload for an object with a CRC-64 of the whole. Returns the upload id."""
        told = [*headers, ("x-amz-checksum-algorithm", "CRC64NVME"), ("x-amz-checksum-type", "FULL_OBJECT")]
        answer = await self._objects.ask("CreateMultipartUpload", "POST", key, [("uploads", "")], told)
        _require(answer)
        upload = _inner(answer, "UploadId")
        if not upload:
            raise StoreError(Side.SOURCE, Kind.REJECTED, "NoUploadId", "S3 did not name the upload")
        return upload

    async def send_part(self, key: str, upload: str, number: int, body: Body, *, crc64: int) -> SentPart:
        """UploadPart `number` (1, 2, ...); S3 recomputes the CRC-64. Raises StoreError (CORRUPT on BadDigest)."""
        extra = [("partNumber", str(number)), ("uploadId", upload)]
        told = [(_CRC64, _big_endian(crc64))]
        answer = await self._objects.ask("UploadPart", "PUT", key, extra, told, body)
        _require(answer)
        return SentPart(answer.etag, crc64)

    async def join(self, key: str, upload: str, parts: Sequence[SentPart], *, crc64: bytes, size: int) -> Joined:
        """CompleteMultipartUpload where there is no object; S3 refuses when the whole has not this CRC-64 or size.

        Raises StoreError: EXISTS, CORRUPT on BadDigest, DISTURBED where the upload is gone, as after a lost answer.
        """
        rows = "".join(
            f"<Part><ChecksumCRC64NVME>{_big_endian(part.crc64)}</ChecksumCRC64NVME>"
            f"<ETag>&quot;{part.etag}&quot;</ETag><PartNumber>{number}</PartNumber></Part>"
            for number, part in enumerate(parts, start=1)
        )
        space = "http://s3.amazonaws.com/doc/2006-03-01/"
        body = f'<CompleteMultipartUpload xmlns="{space}">{rows}</CompleteMultipartUpload>'.encode()
        told = [
            (_CRC64, to_base64(crc64)), ("x-amz-checksum-type", "FULL_OBJECT"), ("x-amz-mp-object-size", str(size)),
            _ABSENT,
        ]  # fmt: skip
        answer = await self._objects.ask(
            "CompleteMultipartUpload", "POST", key, [("uploadId", upload)], told, body,
            expect_bytes=_PATIENCE_BYTES, late=True,
        )
        _require(answer)
        if b"<Error>" in bytes(answer.body[:4096]):  # S3 may answer 200 before it knows
            raise _error(answer, status=500)
        stored = from_base64(_inner(answer, "ChecksumCRC64NVME") or answer.headers.get(_CRC64))
        return Joined(bare(html.unescape(_inner(answer, "ETag"))), stored)

    async def abort(self, key: str, upload: str) -> None:
        """AbortMultipartUpload: its parts are dropped. An upload that is gone already is none the worse."""
        answer = await self._objects.ask("AbortMultipartUpload", "DELETE", key, [("uploadId", upload)], [])
        if answer.status != 404:
            _require(answer)


def _require(answer: Answer) -> None:
    if not 200 <= answer.status < 300:
        raise _error(answer)


def _error(answer: Answer, status: int = 0) -> StoreError:
    """The classified error of a write: what a code of S3 means there is not what it means for a read."""
    error = error_of(answer)
    error.status = status or error.status
    kind = _KINDS.get(error.code, Kind.TRANSIENT if status else error.kind)
    error.kind = Kind.REJECTED if kind in _READING else kind
    return error


def _inner(answer: Answer, tag: str) -> str:
    """The text within the first element of this name, "" where there is none."""
    found = re.search(_TAG.format(tag), bytes(answer.body).decode("utf-8", "replace"))
    return html.unescape(found.group(1)) if found else ""


def _big_endian(crc64: int) -> str:
    return to_base64(crc64.to_bytes(8, "big"))
