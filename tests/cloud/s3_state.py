"""What the S3 side holds: buckets, versions, delete markers, and how S3 computes ETags and checksums for them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Final

from tests.cloud.content import Content, Raw, digest, from_recipe
from tests.cloud.ordered import Ordered
from tests.cloud.specs import ObjectSpec

ARCHIVED_CLASSES: Final = frozenset({"GLACIER", "DEEP_ARCHIVE"})
_KMS_KEY: Final = "arn:aws:kms:eu-central-1:111122223333:key/0f1e2d3c-0000-4000-8000-abcdefabcdef"


@dataclass(slots=True, eq=False)
class Version:
    """One version of an object, or a delete marker (`marker`)."""

    key: str
    version_id: str
    modified: float
    spec: ObjectSpec
    content: Content = field(default_factory=lambda: Raw(b""))
    etag: str = ""
    marker: bool = False
    head: dict[str, str] = field(default_factory=dict)
    restore: str | None = None

    @property
    def encrypted_by_customer(self) -> bool:
        return self.spec.encryption == "SSE-C"

    @property
    def archived(self) -> bool:
        """Not readable: in an archive class or tier and not restored."""
        restored = self.restore is not None and 'ongoing-request="false"' in self.restore
        return (self.spec.storage_class in ARCHIVED_CLASSES or self.spec.archive_status is not None) and not restored

    def part(self, number: int) -> tuple[int, int] | None:
        """Offset and size of a part (1, 2, ...), or None where there is none. A single PUT has one part."""
        sizes = self.spec.parts or (self.content.size,)
        if not 1 <= number <= len(sizes):
            return None
        return sum(sizes[: number - 1]), sizes[number - 1]

    def checksum(self, part: int | None = None) -> str | None:
        """The stored checksum in base64: of the whole, or of one part where parts have their own (s3.md section 3)."""
        algorithm = self.spec.checksum
        if algorithm is None:
            return None
        composite = self.spec.checksum_type == "COMPOSITE"
        if part is not None and composite:
            offset, size = self.part(part) or (0, 0)
            return _b64(digest(self.content, algorithm, offset, size))
        if part is not None and self.spec.parts:
            return None  # a full-object checksum says nothing of a part
        if self.spec.checksum_value is not None:
            return self.spec.checksum_value
        if not composite:
            return _b64(digest(self.content, algorithm))
        joined = b"".join(_part_digests(self.content, self.spec.parts, algorithm))
        return f"{_b64(digest(Raw(joined), algorithm))}-{len(self.spec.parts)}"


@dataclass(slots=True, eq=False)
class Upload:
    """A multipart upload under way: what it began with, and its parts by number with their ETags."""

    key: str
    spec: ObjectSpec
    parts: dict[int, tuple[Content, str]] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Bucket:
    """`versions` by key, the newest last. `listable` False: a missing key answers 403, as without s3:ListBucket."""

    name: str
    region: str = "eu-central-1"
    versioned: bool = False
    listable: bool = True
    versions: dict[str, list[Version]] = field(default_factory=dict)
    ordered: Ordered = field(default_factory=Ordered)
    issued: int = 0
    uploads: dict[str, Upload] = field(default_factory=dict)

    @property
    def keys(self) -> list[str]:
        """All keys that have a version, in order."""
        return self.ordered.all()

    def put(self, spec: ObjectSpec, now: float, content: Content | None = None) -> Version:
        """Store one object as its newest version; without versioning it takes the place of the old one.

        `content` is what was sent, where no recipe makes it.
        """
        made = _version(spec, self._next_id(spec), now, content)
        self._add(made)
        return made

    def delete(self, key: str, version_id: str | None, now: float) -> None:
        """Delete as S3 does: a marker on a versioned bucket, or exactly the version named."""
        if version_id is not None:
            left = [one for one in self.versions.get(key, []) if one.version_id != version_id]
            self._set(key, left)
        elif self.versioned:
            spec = ObjectSpec(key=key)
            self._add(Version(key, self._next_id(spec), now, spec, marker=True))
        else:
            self._set(key, [])

    def find(self, key: str, version_id: str | None = None) -> Version | None:
        """The newest version (markers too), or the one named."""
        found = self.versions.get(key)
        if not found:
            return None
        if version_id is None:
            return found[-1]
        return next((one for one in found if one.version_id == version_id), None)

    def current(self) -> Iterator[Version]:
        """Current objects in key order."""
        for key in self.keys:
            newest = self.versions[key][-1]
            if not newest.marker:
                yield newest

    def _next_id(self, spec: ObjectSpec) -> str:
        self.issued += 1
        if spec.version_id is not None:
            return spec.version_id
        if not self.versioned:
            return "null"
        return hashlib.sha256(f"{self.name}/{self.issued}".encode()).hexdigest()[:32]

    def _add(self, made: Version) -> None:
        old = self.versions.get(made.key, [])
        self._set(made.key, [*(one for one in old if one.version_id != made.version_id), made])

    def _set(self, key: str, versions: list[Version]) -> None:
        if versions and key not in self.versions:
            self.ordered.add(key)
        if versions:
            self.versions[key] = versions
        elif self.versions.pop(key, None) is not None:
            self.ordered.remove(key)


def _version(spec: ObjectSpec, version_id: str, now: float, content: Content | None) -> Version:
    if content is None:
        content = from_recipe(spec.recipe, spec.size if not spec.parts else sum(spec.parts))
    modified = spec.modified if spec.modified is not None else now
    made = Version(spec.key, version_id, float(int(modified)), spec, content, restore=spec.restore)
    made.etag = spec.etag if spec.etag is not None else _etag(content, spec)
    made.head = _head(made)
    return made


def _etag(content: Content, spec: ObjectSpec) -> str:
    """MD5 only for SSE-S3; for KMS and customer keys 32 digits that are none (s3.md section 2)."""
    opaque = spec.encryption in ("aws:kms", "aws:kms:dsse", "SSE-C")
    if not spec.parts:
        md5 = digest(content, "MD5")
        return hashlib.md5(b"encrypted" + md5).hexdigest() if opaque else md5.hex()
    digests = b"".join(_part_digests(content, spec.parts, "MD5"))
    joined = hashlib.md5((b"encrypted" if opaque else b"") + digests).hexdigest()
    return f"{joined}-{len(spec.parts)}"


def _part_digests(content: Content, parts: tuple[int, ...], algorithm: str) -> Iterator[bytes]:
    offset = 0
    for size in parts:
        yield digest(content, algorithm, offset, size)
        offset += size


def _head(version: Version) -> dict[str, str]:
    """The answer headers that belong to the object; S3's system headers first, then the user's."""
    spec = version.spec
    head = {
        "Last-Modified": formatdate(version.modified, usegmt=True),
        "ETag": f'"{version.etag}"',
        "Accept-Ranges": "bytes",
        "Content-Type": "binary/octet-stream",
        **_encryption(spec.encryption),
    }
    if version.version_id != "null":
        head["x-amz-version-id"] = version.version_id
    if spec.storage_class != "STANDARD":
        head["x-amz-storage-class"] = spec.storage_class
    if spec.archive_status:
        head["x-amz-archive-status"] = spec.archive_status
    if spec.tags:
        head["x-amz-tagging-count"] = str(len(spec.tags))
    for name, value in spec.headers.items():
        head["Content-Type" if name.lower() == "content-type" else name] = value
    for name, value in spec.metadata.items():
        head[f"x-amz-meta-{name.lower()}"] = value
    return head


def _encryption(kind: str | None) -> dict[str, str]:
    if kind == "SSE-C":
        return {"x-amz-server-side-encryption-customer-algorithm": "AES256"}
    if kind in ("aws:kms", "aws:kms:dsse"):
        return {"x-amz-server-side-encryption": kind, "x-amz-server-side-encryption-aws-kms-key-id": _KMS_KEY}
    return {"x-amz-server-side-encryption": "AES256"}


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
