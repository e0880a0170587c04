"""The nouns: an object at the source, a transfer of the plan, a blob row of Rails, the two ends of a copy."""

from __future__ import annotations

from enum import StrEnum
from hashlib import blake2b
from typing import TYPE_CHECKING

from blobmove.core.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable


@frozen
class ObjectVersion:
    """One row of an inventory or a listing: a hint of what S3 holds, confirmed by the GET.

    `size` in bytes; `size` and `etag` are None where the report has no such column and for delete markers; `etag`
    is unquoted; `modified_ms` counts milliseconds since 1970 in UTC. `version_id` is None in a report of current
    versions, "null" for the version written before versioning was switched on.
    Source of the fields: S3 Inventory, s3.md section 1.
    """

    key: str
    size: int | None = None
    etag: str | None = None
    version_id: str | None = None
    modified_ms: int | None = None
    storage_class: str = "STANDARD"
    is_latest: bool = True
    is_delete_marker: bool = False
    is_multipart: bool | None = None
    encryption: str | None = None          # SSE-S3 | SSE-C | SSE-KMS | DSSE-KMS | NOT-SSE
    archive_tier: str | None = None        # IntelligentTieringAccessTier
    checksum_algorithm: str | None = None  # CRC64NVME, SHA256, ...


@frozen
class BlobRow:
    """One row of `active_storage_blobs`, as read; `attached` is None where it was not asked.

    `id` is an int for bigint keys and a str for uuid keys. `checksum` is Rails' text: base64 MD5, or
    `sha256:<base64>` (Rails 8.2), or None for composed blobs.
    """

    id: int | str
    key: str
    service_name: str
    byte_size: int
    checksum: str | None
    content_type: str | None = None
    attached: bool | None = None


@frozen
class RailsFacts:
    """What a blob row can say about one object: digests are raw bytes, size in bytes."""

    id: int | str
    service_name: str
    size: int
    md5: bytes | None
    sha256: bytes | None
    content_type: str | None

    def agree(self, md5: bytes, sha256: bytes | None) -> bool:
        """Whether one of the row's digests is that of the bytes: it may be wrong, but not agree by chance."""
        return self.md5 == md5 or (self.sha256 is not None and self.sha256 == sha256)


@frozen
class Transfer:
    """One line of the plan that is to be moved. Picklable: it is what a batch consists of.

    `own_blob_etag` is the etag of that blob as this program wrote it, or proved it identical to S3's version of then;
    only with it may an existing blob be overwritten.
    """

    id: int
    key: str
    blob_name: str
    size: int | None
    etag: str | None
    version_id: str | None
    encryption: str | None
    own_blob_etag: str | None
    attempts: int
    rails: RailsFacts | None


class State(StrEnum):
    """Where a planned object stands. In flight is not a state: a crash must leave nothing to clean up."""

    __hash__ = str.__hash__  # an Enum's own is written in Python, and every object is looked up by its state

    PENDING = "pending"
    COPIED = "copied"
    PRESENT = "present"
    SKIPPED = "skipped"
    REFUSED = "refused"
    CHANGED = "changed"
    GONE = "gone"
    CONFLICT = "conflict"
    FAILED = "failed"


ARCHIVED = "archived"
"""The reason of objects that a later `copy --retry-failed` tries again, since a restore does not change the class."""

PROVEN_STATES = (State.COPIED, State.PRESENT)
"""The states in which the blob on Azure is proven equal to what S3 held."""

UNWELL_STATES = (State.REFUSED, State.CHANGED, State.CONFLICT, State.FAILED)
"""The states that make a finished run end with exit code 1. `gone` is not among them: there is nothing to copy."""


class Proof(StrEnum):
    """The checksum by which a copy was proven, in order of preference (design section 4)."""

    __hash__ = str.__hash__

    ETAG_MD5 = "etag-md5"
    CRC64NVME = "crc64nvme"
    CRC32C = "crc32c"
    CRC32 = "crc32"
    SHA256 = "sha256"
    SHA1 = "sha1"
    MULTIPART_ETAG = "multipart-etag"
    COMPOSITE = "composite"
    RAILS_MD5 = "rails-md5"
    READ_BACK = "read-back"
    AZURE_MD5 = "azure-md5"  # on the way back only: the Content-MD5 stored with the blob


@frozen
class Outcome:
    """How one transfer ended. Flat on purpose: it is a row of the checkpoint and a record of the report.

    `reason` is a stable code (a skip reason, `E403-SOURCE`, ...), `detail` text for people without secrets.
    `md5` and `crc64` are raw digests (16 bytes; 8 bytes big-endian as S3 prints them). `seconds` is the time from
    the first request to the last answer. `notes` are codes of differences that do not touch the bytes.
    """

    transfer_id: int
    state: State
    reason: str = ""
    detail: str = ""
    attempts: int = 1
    size: int | None = None
    proof: Proof | None = None
    md5: bytes | None = None
    crc64: bytes | None = None
    source_etag: str | None = None
    blob_etag: str | None = None
    content_type: str | None = None
    seconds: float = 0.0
    notes: tuple[str, ...] = ()


@frozen
class Source:
    """`s3://BUCKET[/PREFIX]`. The prefix limits what is planned; it is never cut off the blob name."""

    bucket: str
    prefix: str = ""

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}" if self.prefix else f"s3://{self.bucket}"


@frozen
class Destination:
    """`https://ACCOUNT.blob.core.windows.net/CONTAINER`, or an emulator's address with the account in the path."""

    account_url: str
    container: str

    def __str__(self) -> str:
        return f"{self.account_url}/{self.container}"


def slot(key: str, version_id: str | None = None) -> int:
    """The row id of an object in the checkpoint: 63 bits of BLAKE2b over key and version.

    The current version of a key has the slot of the key alone, so that a newer version takes its place; older
    versions have slots of their own. Walking the table by this id visits keys in hashed order, so that no
    partition of S3 or Azure is hammered (peers.md section 5), and no second index on the key is needed.
    """
    data = key.encode("utf-8", "surrogatepass")  # slots() does the same
    if version_id is not None:
        data += b"\x00" + version_id.encode()
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big") >> 1


def slots(keys: Iterable[str]) -> list[int]:
    """The slots of the current versions of many keys, in half the time."""
    digest, number = blake2b, int.from_bytes
    return [number(digest(key.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") >> 1 for key in keys]
