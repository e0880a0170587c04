"""What the Azure side holds: containers, blobs, committed and staged blocks."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.cloud.azure_answers import AzureError
from tests.cloud.content import Content
from tests.cloud.ordered import Ordered
from tests.cloud.wire import Request

BlockId = str
"""A block id as it stands in requests and XML: base64."""


@dataclass(slots=True, eq=False)
class Blob:
    """A committed blob. `headers` are its content headers under their HTTP names; `blocks` what it was joined from."""

    name: str
    content: Content
    etag: str
    modified: float
    created: float
    md5: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    tags: str = ""
    tier: str | None = None
    blob_type: str = "BlockBlob"
    lease: str | None = None
    blocks: list[tuple[BlockId, Content]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Container:
    """`staged`: uncommitted blocks by blob name. `writes` counts the commits of each name."""

    name: str
    etag: str
    modified: float
    blobs: dict[str, Blob] = field(default_factory=dict)
    ordered: Ordered = field(default_factory=Ordered)
    staged: dict[str, dict[BlockId, Content]] = field(default_factory=dict)
    writes: dict[str, int] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """Of all committed blobs, in order."""
        return self.ordered.all()

    def commit(self, blob: Blob) -> None:
        """Make it the blob of its name. Whatever was staged and not used is garbage (azure-blob.md section 4)."""
        if blob.name not in self.blobs:
            self.ordered.add(blob.name)
        self.blobs[blob.name] = blob
        self.staged.pop(blob.name, None)
        self.writes[blob.name] = self.writes.get(blob.name, 0) + 1

    def drop(self, name: str) -> bool:
        """Delete blob and staged blocks; whether there was anything."""
        found = self.blobs.pop(name, None) is not None
        if found:
            self.ordered.remove(name)
        return self.staged.pop(name, None) is not None or found

    def stage(self, name: str, block_id: BlockId, content: Content) -> None:
        self.staged.setdefault(name, {})[block_id] = content


@dataclass(slots=True, eq=False)
class Account:
    """All containers, and the one counter behind all etags."""

    containers: dict[str, Container] = field(default_factory=dict)
    changes: int = 0
    lease_first: bool = False

    def next_etag(self) -> str:
        self.changes += 1
        return f"0x8DE2A{self.changes:010X}"

    def container(self, name: str) -> Container:
        found = self.containers.get(name)
        if found is None:
            raise AzureError(404, "ContainerNotFound")
        return found


def check_lease(blob: Blob | None, request: Request) -> None:
    """A leased blob takes no write, and no block, without its lease id."""
    if blob is None or blob.lease is None:
        return
    told = request.headers.get("x-ms-lease-id")
    if told is None:
        raise AzureError(412, "LeaseIdMissing")
    if told != blob.lease:
        raise AzureError(412, "LeaseIdMismatchWithBlobOperation")


def check_write(blob: Blob | None, request: Request, *, lease_first: bool) -> None:
    """Conditions, lease and tier of the blob a write would replace; staged blocks alone are no blob.

    Which of condition and lease the live service looks at first is not documented; Azurite takes the condition.
    """
    if lease_first:
        check_lease(blob, request)
    headers = request.headers
    if headers.get("if-none-match") == "*" and blob is not None:
        raise AzureError(409, "BlobAlreadyExists")
    expected = headers.get("if-match")
    if expected is not None and not matches(expected, blob):
        raise AzureError(412, "ConditionNotMet")
    check_lease(blob, request)
    if blob is not None and blob.tier == "Archive":
        raise AzureError(409, "BlobArchived")
    if blob is not None and blob.blob_type != "BlockBlob":
        raise AzureError(409, "InvalidBlobType")


def matches(header: str, blob: Blob | None) -> bool:
    return blob is not None and (header == "*" or header.strip().strip('"') == blob.etag)
