"""How the sample company came to be: the seed turned into objects and rows, the odd ones first."""

from __future__ import annotations

import random
import string
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from blobmove.demo.company import (
    Attachment,
    BlobRecord,
    Company,
    CompanySize,
    Content,
    StoredObject,
    Variant,
)
from blobmove.demo.odd_objects import deleted_keys, large_objects, odd_objects, overwritten_objects

if TYPE_CHECKING:
    from typing import Unpack

    from blobmove.demo.company import ObjectTraits

BASE36: Final = string.digits + string.ascii_lowercase
BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
KEY_LENGTH_52: Final = 24
KEY_LENGTH_60: Final = 28
"""Keys of Rails 5.2 are 24 of base58, since 6.0 they are 28 of base36 (rails-and-mysql.md section 1)."""

MIB: Final = 1 << 20
_OPENED = datetime(2018, 5, 2, 7, 30)
_IMAGES: Final = (
    ("image/png", "png", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"),
    ("image/jpeg", "jpg", b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"),
    ("application/pdf", "pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"),
)
_WORKER_FILES: Final = (
    ("packing-slips", "application/pdf", "pdf", b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"),
    ("shipping-labels", "image/png", "png", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"),
    ("customs/scans", "image/tiff", "tif", b"II*\x00"),
    ("invoices", "application/pdf", "pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"),
)


def build(size: CompanySize) -> Company:
    """The company of that size; equal sizes give equal companies, byte for byte."""
    draft = _Draft(size, random.Random(size.seed))
    draft.files.extend(odd_objects(size.seed))
    if size.large:
        draft.files.extend(large_objects(size.seed))
    _odd_blobs(draft)
    if size.large:
        _large_blobs(draft)
    after, deleted = overwritten_objects(size.seed), deleted_keys()
    today = {stored.key for stored in after} - {stored.key for stored in draft.files}
    _fill(draft, size.objects - len(today) + len(deleted))
    return Company(
        tuple(draft.files), after, deleted, tuple(draft.blobs), tuple(draft.attachments), tuple(draft.variants)
    )


@dataclass(slots=True)
class _Draft:
    size: CompanySize
    rng: random.Random
    files: list[StoredObject] = field(default_factory=list)
    blobs: list[BlobRecord] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    variants: list[Variant] = field(default_factory=list)

    def key(self, alphabet: str = BASE36, length: int = KEY_LENGTH_60) -> str:
        return "".join(self.rng.choices(alphabet, k=length))

    def moment(self) -> datetime:
        """The next moment of the company's history: later than every one before, years before today's inventory."""
        hours = int(32 * len(self.files) ** 0.95)
        return _OPENED + timedelta(hours=hours, minutes=13 * len(self.blobs) % 60)

    def small(self) -> int:
        """A size in bytes up to 64 KiB, mostly a few KiB, as icons, labels and thumbnails are."""
        return int(65536 * self.rng.random() ** 3) + 70

    def file(
        self, key: str, size: int, magic: bytes, headers: dict[str, str], **traits: Unpack[ObjectTraits]
    ) -> StoredObject:
        content = Content(f"{self.size.seed}:{key}", size, magic)
        stored = StoredObject(key, content, self.moment(), headers, **traits)
        self.files.append(stored)
        return stored

    def row(self, stored: StoredObject, filename: str, service: str) -> BlobRecord:
        """The row Rails wrote for that file."""
        row = self.row_without_file(stored.key, filename, service, stored.content.size)
        content_type = stored.headers["Content-Type"]
        self.blobs[row.id - 1] = replace(row, content_type=content_type, content=stored.content)
        return self.blobs[row.id - 1]

    def row_without_file(self, key: str, filename: str, service: str, size: int) -> BlobRecord:
        metadata = '{"identified":true,"analyzed":true}'
        row_id, content_type = len(self.blobs) + 1, "image/png"
        row = BlobRecord(row_id, key, filename, content_type, metadata, service, size, self.moment(), None)
        self.blobs.append(row)
        return row

    def attach(self, row: BlobRecord, name: str, record_type: str, record_id: int) -> None:
        self.attachments.append(Attachment(name, record_type, record_id, row.id, row.created_at))


def _blob(
    draft: _Draft, key: str, size: int, service: str = "amazon", **traits: Unpack[ObjectTraits]
) -> BlobRecord:
    """One file of ActiveStorage: the object with the headers Rails sends, its row, and what it is attached to."""
    content_type, extension, magic = draft.rng.choice(_IMAGES)
    filename = f"{draft.rng.choice(('photo', 'scan', 'Lieferschein', 'Größe'))} {len(draft.blobs) + 1}.{extension}"
    disposition = f"inline; filename=\"{filename.encode('ascii', 'replace').decode().replace('?', '_')}\""
    disposition += f"; filename*=UTF-8''{quote(filename)}"
    headers = {"Content-Type": content_type, "Content-Disposition": disposition}
    stored = draft.file(key, size, magic, headers, **traits)
    row = draft.row(stored, filename, service)
    draft.attach(row, "documents", "Order", 1 + row.id % 200)
    return row


def _variant(draft: _Draft, original: BlobRecord) -> None:
    """A tracked variant: a file and row of its own on the original's service, attached to a variant record."""
    digest = draft.key(BASE36, 27)
    variant = Variant(len(draft.variants) + 1, original.id, digest)
    draft.variants.append(variant)
    key, size = draft.key(), draft.small() // 4 + 70
    content_type, extension, magic = _IMAGES[1]
    name = f"{original.filename.rsplit('.', 1)[0]}.{extension}"
    stored = draft.file(key, size, magic, {"Content-Type": content_type})
    row = draft.row(stored, name, original.service_name)
    draft.attach(row, "image", "ActiveStorage::VariantRecord", variant.id)


def _untracked_variant(draft: _Draft, original: BlobRecord) -> None:
    """A variant of Rails 5.2 or of an app without track_variants: an object that no row mentions."""
    digest = sha256(f"{original.key}:{len(draft.files)}".encode()).hexdigest()
    content_type, _, magic = _IMAGES[1]
    draft.file(f"variants/{original.key}/{digest}", draft.small() // 4 + 70, magic, {"Content-Type": content_type})


def _odd_blobs(draft: _Draft) -> None:
    """The rows every migration trips over."""
    old = draft.key(BASE58, KEY_LENGTH_52 - 4) + "AbXy"
    for key in (old, old.swapcase()):  # differ by case alone: a case-insensitive collation takes them for one
        _blob(draft, key, draft.small(), encrypted=False)
    _blob(draft, draft.key(), 0)
    _blob(draft, draft.key(), 5000, metadata={"order-id": "4711", "tenant": "acme"})
    composed_parts = (5 * MIB, 5 * MIB, 3 * MIB + 17) if draft.size.large else (5 * MIB, 4321)
    composed = _blob(draft, draft.key(), sum(composed_parts), part_sizes=composed_parts)
    draft.blobs[composed.id - 1] = replace(composed, composed=True, metadata='{"identified":true,"composed":true}')
    draft.row_without_file(draft.key(), "abandoned upload.png", "amazon", 2_413_127)
    for number in range(8):
        row = draft.row_without_file(draft.key(), f"avatar {number}.png", "local", 900 + number)
        draft.attach(row, "avatar", "Customer", number + 1)


def _large_blobs(draft: _Draft) -> None:
    """From 100 MB on ActiveStorage uploads in parts of 5 MiB: the ETag is no MD5, the row's checksum is."""
    size = 101 * MIB + 4242
    whole, rest = divmod(size, 5 * MIB)
    _blob(draft, draft.key(), size, part_sizes=(5 * MIB,) * whole + (rest,))


def _fill(draft: _Draft, objects: int) -> None:
    """Everyday files until there are `objects` of them."""
    while len(draft.files) < objects:
        dice = draft.rng.random()
        if dice < 0.24:
            _worker_file(draft)
        elif dice < 0.36:
            _untracked_variant(draft, draft.rng.choice([draft.blobs[0], draft.blobs[1], draft.blobs[2]]))
        elif dice < 0.50:
            originals = [row for row in draft.blobs[-40:] if row.content is not None]
            _variant(draft, draft.rng.choice(originals))
        elif dice < 0.62:
            _blob(draft, draft.key(BASE58, KEY_LENGTH_52), draft.small(), encrypted=False)
        else:
            _blob(draft, draft.key(), draft.small(), service="mirror" if dice > 0.93 else "amazon")


def _worker_file(draft: _Draft) -> None:
    """A file a worker wrote with the raw SDK; no row knows it."""
    folder, content_type, extension, magic = draft.rng.choice(_WORKER_FILES)
    number = 100_000 + len(draft.files)
    written = draft.moment()
    key = f"{folder}/{written:%Y/%m}/{number}.{extension}"
    metadata = {"order-number": str(number), "tenant": "acme"} if number % 3 == 0 else {}
    checksum = {0: "CRC64NVME", 1: "SHA256"}.get(number % 5)
    draft.file(key, draft.small(), magic, {"Content-Type": content_type}, metadata=metadata, checksum=checksum)
