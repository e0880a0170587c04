"""Where the emulators differ from the vendors' documentation: the one table, each line asserted by a test.

The tests ask `Server.deviates(name)`; where it says yes they assert what the emulator does, so that the day it is
repaired shows as a failure and the line can go. A name that no test asks for is a failure too (test_deviations.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Deviation:
    """`vendor`: what the documentation says; `emulator`: what the emulator does instead; `source`: where it stands."""

    server: str
    vendor: str
    emulator: str
    source: str


_MOTO: Final = "s3.md section 8, moto 5.2.5"
_AZURITE: Final = "azure-blob.md section 8.3, Azurite 3.37.0"

DEVIATIONS: Final = {
    "get-part-number": Deviation(
        "moto", "GET with partNumber answers 206 with that part", "the whole object, 200", _MOTO),
    "head-part-etag": Deviation(
        "moto", "HEAD with partNumber carries the object's ETag", "the part's ETag", _MOTO),
    "delete-marker-header": Deviation(
        "moto", "404 on a delete marker says x-amz-delete-marker: true", "no such header", _MOTO),
    "delete-marker-by-id": Deviation(
        "moto", "a GET of a delete marker by its version id: 405 MethodNotAllowed", "404 NoSuchVersion",
        "tried, moto 5.2.5"),
    "kms-etag-is-md5": Deviation(
        "moto", "the ETag of an SSE-KMS object is no MD5", "it is the MD5", _MOTO),
    "sse-c-not-enforced": Deviation(
        "moto", "an SSE-C object without its key in the request: 400", "the object, 200", _MOTO),
    "no-expiry": Deviation(
        "moto", "a presigned URL after its time: 403 `Request has expired`", "the object, 200", _MOTO),
    "no-signature-check": Deviation(
        "moto", "a wrong signature: 403 SignatureDoesNotMatch", "the object, 200", _MOTO),
    "newline-key": Deviation(
        "moto", "a key may hold a newline", "PutObject answers 404", _MOTO),
    "long-key-accepted": Deviation(
        "moto", "a key of more than 1,024 bytes: 400 KeyTooLongError", "accepted", _MOTO),
    "no-checksum-type": Deviation(
        "moto", "a checksum comes with x-amz-checksum-type", "not for an object of one part", "tried, moto 5.2.5"),
    "composite-crc32c-is-crc32": Deviation(
        "moto", "a composite CRC32C is made of CRC32Cs", "of CRC32s, without the optional library crc32c",
        "moto 5.2.5, moto/s3/models.py"),
    "no-content-md5": Deviation(
        "moto", "PutObject compares Content-MD5: 400 BadDigest", "any MD5 will do", "tried, moto 5.2.5"),
    "no-such-upload": Deviation(
        "moto", "CompleteMultipartUpload of an upload that is gone: 404 NoSuchUpload", "500", "tried, moto 5.2.5"),
    "no-checksum-of-joined": Deviation(
        "moto", "CompleteMultipartUpload answers the checksum of the whole", "none", _MOTO),
    "no-checksum-of-parts": Deviation(
        "moto", "UploadPart compares the checksum sent along: 400 BadDigest", "any will do", "tried, moto 5.2.5"),
    "no-checksum-of-whole": Deviation(
        "moto", "CompleteMultipartUpload compares the checksum of the whole", "any will do", "tried, moto 5.2.5"),
    "long-names-accepted": Deviation(
        "azurite", "names of more than 1,024 characters or 254 segments: 400", "accepted", _AZURITE),
    "control-characters-accepted": Deviation(
        "azurite", "control characters in names: 400", "accepted, and List Blobs then answers 500", _AZURITE),
    "trailing-dots-kept": Deviation(
        "azurite", "dots at the end of a name are cut off", "kept", _AZURITE),
    "metadata-unlimited": Deviation(
        "azurite", "more than 8 KiB of metadata: 400 MetadataTooLarge", "accepted", _AZURITE),
    "metadata-case-duplicates": Deviation(
        "azurite", "the same metadata name twice: 400 InvalidMetadata", "both accepted", _AZURITE),
    "staged-blocks-survive": Deviation(
        "azurite", "Put Blob discards the uncommitted blocks of its name", "they stay", _AZURITE),
    "staged-blocks-block": Deviation(
        "azurite", "uncommitted blocks alone are no blob for If-None-Match: * (unconfirmed live)",
        "409 BlobAlreadyExists", _AZURITE),
    "staged-blocks-unsorted": Deviation(
        "azurite", "Get Block List shows uncommitted blocks in the order of their ids", "in the order of arrival",
        "tried, Azurite 3.37.0"),
    "range-at-the-end": Deviation(
        "azurite", "a range that begins at the end of the blob: 416 InvalidRange", "an answer without bytes",
        "tried, Azurite 3.37.0"),
    "no-put-blob-from-url": Deviation(
        "azurite", "Put Blob From URL", "501 APINotImplemented, or 500 without a body", "azure-blob.md section 8.2"),
    "no-foreign-source": Deviation(
        "azurite", "Put Block From URL reads any HTTP source", "404 CannotVerifyCopySource, never asked",
        "azure-blob.md section 8.2"),
}
