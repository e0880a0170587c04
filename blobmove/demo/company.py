"""The sample company's nouns: what lies in its bucket and its database, decided by a seed alone.

Nothing here touches a server. `recipe.build` fills a `Company`; the S3 server loads the objects in its own process
(moto_launcher), `company_database` writes the rows, and the check asks what must have arrived.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import shake_128
from typing import TYPE_CHECKING, Final, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping

BUCKET: Final = "acme-uploads"
INVENTORY_BUCKET: Final = "acme-inventory"
CONTAINER: Final = "uploads"
DEFAULT_OBJECTS: Final = 3100
DESTINATION_SERVICE: Final = "azure"
S3_SERVICES: Final = ("amazon", "mirror")
"""Service names of Rails' storage.yml whose files lie in the bucket; rows of any other service must not change."""


@dataclass(frozen=True, slots=True)
class CompanySize:
    """Which company: `objects` counts the files of today; without `large` nothing is above 6 MiB (for tests)."""

    seed: int = 2026
    objects: int = DEFAULT_OBJECTS
    large: bool = True

    @property
    def text(self) -> str:
        """One word for a command line: `2026:3100:large`."""
        return f"{self.seed}:{self.objects}:{'large' if self.large else 'small'}"

    @classmethod
    def parse(cls, text: str) -> CompanySize:
        seed, objects, size = text.split(":")
        return cls(int(seed), int(objects), size == "large")


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes that are a function of `label`: `size` bytes beginning with `magic`, or gzipped lines of text."""

    label: str
    size: int
    magic: bytes = b""
    gzipped: bool = False

    def read(self) -> bytes:
        if self.gzipped:
            lines = "".join(f"{n};{self.label};{n * 7919 % 10007}\n" for n in range(self.size // 24))
            return gzip.compress(lines.encode(), mtime=0)
        noise = shake_128(self.label.encode()).digest(max(self.size - len(self.magic), 0))
        return (self.magic + noise)[: self.size]


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object as somebody wrote it to S3.

    `headers` are the content headers by their HTTP names, `metadata` the user's names without `x-amz-meta-`.
    `part_sizes` in bytes: empty for one PutObject, else a multipart upload. `checksum` names the algorithm S3 stores
    a value of (CRC64NVME; SHA256 for a single PutObject only), None for older objects. `written` is naive UTC.
    """

    key: str
    content: Content
    written: datetime
    headers: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    part_sizes: tuple[int, ...] = ()
    storage_class: str = "STANDARD"
    encrypted: bool = True
    checksum: str | None = None


class ObjectTraits(TypedDict, total=False):
    """What an object may have besides key, content, time and headers; the fields of StoredObject."""

    metadata: Mapping[str, str]
    part_sizes: tuple[int, ...]
    storage_class: str
    encrypted: bool
    checksum: str | None


@dataclass(frozen=True, slots=True)
class BlobRecord:
    """One row of active_storage_blobs. `content` is None where no file was ever uploaded; then `byte_size` counts.

    `composed` rows have no checksum (Rails 7.0+).
    """

    id: int
    key: str
    filename: str
    content_type: str
    metadata: str
    service_name: str
    byte_size: int
    created_at: datetime
    content: Content | None
    composed: bool = False


@dataclass(frozen=True, slots=True)
class Attachment:
    """One row of active_storage_attachments."""

    name: str
    record_type: str
    record_id: int
    blob_id: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Variant:
    """One row of active_storage_variant_records; its file is attached to it as `image`."""

    id: int
    blob_id: int
    variation_digest: str


@dataclass(frozen=True, slots=True)
class Company:
    """Everything Acme has.

    `before` was written before versioning was switched on, `after` overwrites or adds to it, `deleted` are keys
    that then got a delete marker.
    """

    before: tuple[StoredObject, ...]
    after: tuple[StoredObject, ...]
    deleted: tuple[str, ...]
    blobs: tuple[BlobRecord, ...]
    attachments: tuple[Attachment, ...]
    variants: tuple[Variant, ...]

    def current(self) -> dict[str, StoredObject]:
        """The objects a listing of today shows, by key."""
        latest = {stored.key: stored for stored in (*self.before, *self.after)}
        return {key: stored for key, stored in latest.items() if key not in self.deleted}

    def must_arrive(self) -> dict[str, StoredObject]:
        """The objects that must be on Azure at the end: current, readable, not a folder, with a name Azure holds."""
        return {key: stored for key, stored in self.current().items() if _arrives(stored)}


def _arrives(stored: StoredObject) -> bool:
    archived = stored.storage_class in {"GLACIER", "DEEP_ARCHIVE"}
    placeholder = stored.key.endswith("/") and stored.content.size == 0
    unholdable = any(segment.endswith(".") for segment in stored.key.split("/"))
    return not (archived or placeholder or unholdable)
