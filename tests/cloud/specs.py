"""The words of the control API: what to store, how the network behaves, what goes wrong. Plain data, sent as JSON."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

SideName = Literal["s3", "azure"]
Deed = Literal[
    "answer",      # status and code, before anything is done
    "expired",     # the credential of this request counts as expired (400 ExpiredToken, 401 InvalidAuthenticationInfo)
    "reset",       # the connection is reset; `when` says where
    "lost",        # the request is done, its answer never sent (the connection is reset)
    "cut",         # the answer's body ends after `at` bytes; with `lie` Content-Length says so too
    "drip",        # the answer's body comes `chunk` bytes every `seconds`
    "flip",        # one bit of the body is wrong: `bit` counts from the body's start, None: a random one
    "stale_etag",  # the answer names another ETag (`etag`)
    "hang",        # no answer for `seconds`, then a reset
    "delay",       # the answer comes `seconds` late
    "overwrite",   # the source object is replaced by `replacement` just before this request is looked at
    "remove",      # the source object is deleted just before this request is looked at
]
When = Literal["before_read", "before_answer", "in_body", "after_body"]


class Spec:
    """A dataclass that travels as JSON."""

    __slots__ = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)  # type: ignore[call-overload, no-any-return]  # every Spec is a dataclass

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        """Raises TypeError on a field that does not exist, so that a misspelt one is not ignored."""
        return cls(**told)


def in_base64(data: bytes) -> str:
    """The recipe for exactly these bytes."""
    return "base64:" + base64.b64encode(data).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectSpec(Spec):
    """One object version in S3.

    `recipe`: `mod251`, `mod251:START`, `seeded:SEED` (with `size`), or `in_base64(...)`. `parts`: sizes in bytes of a
    multipart upload. `headers`: content headers under their HTTP names, `expires` and
    `x-amz-website-redirect-location` too. `encryption`: None and `AES256` mean SSE-S3, `aws:kms`, `aws:kms:dsse`,
    `SSE-C`. `checksum`: CRC64NVME, CRC32C, CRC32, SHA256, SHA1; `checksum_type`: FULL_OBJECT or COMPOSITE.
    `restore`: the text of x-amz-restore. `archive_status`: ARCHIVE_ACCESS or DEEP_ARCHIVE_ACCESS of
    INTELLIGENT_TIERING. `etag` overrules the computed one (nothing is hashed then). `modified`: seconds since 1970.
    """

    key: str
    size: int = 0
    recipe: str = "mod251"
    parts: tuple[int, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    storage_class: str = "STANDARD"
    restore: str | None = None
    archive_status: str | None = None
    encryption: str | None = None
    checksum: str | None = None
    checksum_type: str = "FULL_OBJECT"
    checksum_value: str | None = None
    etag: str | None = None
    version_id: str | None = None
    modified: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesSpec(Spec):
    """Many small objects in one request: `count` keys `pattern.format(n=0...)`, sizes between `smallest` and `largest`
    (drawn with `seed`), contents `seeded:{seed}-{n}` or, where `recipe` is mod251, the cycle starting at n."""

    pattern: str
    count: int
    smallest: int = 4096
    largest: int = 4096
    seed: int = 0
    recipe: Literal["mod251", "seeded"] = "mod251"
    content_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobSpec(Spec):
    """One blob that is there already. `md5`: `computed`, `none`, or base64 text stored as it is. `lease`: a lease id.
    `staged`: uncommitted blocks as (raw block id, recipe, size); with `committed` False there is nothing else."""

    name: str
    size: int = 0
    recipe: str = "mod251"
    headers: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    md5: str = "computed"
    tier: str | None = None
    lease: str | None = None
    blob_type: str = "BlockBlob"
    staged: tuple[tuple[str, str, int], ...] = ()
    committed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather(Spec):
    """How one side behaves: `latency_ms` plus up to `jitter_ms` around each request (half of it before it is done),
    `bandwidth` in bytes/s over all connections together, `limit` requests/s (burst of a tenth) beyond which 503
    comes, with `retry_after` seconds."""

    latency_ms: float = 0.0
    jitter_ms: float = 0.0
    bandwidth: float | None = None
    limit: float | None = None
    retry_after: int | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(Spec):
    """When a request matches, `do` happens to it.

    `operation` is the service's own name (GetObject, HeadObject, ListObjectsV2, PutBlob, PutBlock, PutBlockList,
    PutBlobFromURL, PutBlockFromURL, GetBlockList, GetBlob, GetBlobProperties, ListBlobs ...), `key` an fnmatch pattern
    of the key or blob name, `span` one of the Range header (which is "" where there is none).
    `nth`: only these matches (1, 2, ...), counted for each key where `per_key`.
    `probability` is drawn with `seed`; `count`: at most so often. The first rule that fires wins.
    """

    side: SideName
    do: Deed
    operation: str = "*"
    key: str = "*"
    span: str = "*"
    nth: tuple[int, ...] = ()
    per_key: bool = False
    probability: float = 1.0
    seed: int = 0
    count: int | None = None
    status: int = 503
    code: str = ""
    message: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    retry_after: int | None = None
    when: When = "before_answer"
    at: int | None = None
    lie: bool = False
    bit: int | None = None
    leg: Literal["in", "out"] | None = None
    seconds: float = 0.05
    chunk: int = 1024
    etag: str = "stale"
    replacement: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Key(Spec):
    """An AWS credential the cloud knows; `expires` in seconds since 1970 for temporary ones."""

    access_key: str
    secret_key: str
    token: str | None = None
    expires: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Spec):
    """`clock_offset`: seconds added to the cloud's clock. `check_signatures`: recompute SigV4 with `keys`.
    `bearer`: tokens and when they expire (seconds since 1970); empty: any token is good. `lease_first`: a write to a
    leased blob answers 412 LeaseIdMissing even where its condition fails too (undocumented; Azurite: condition first).
    `hierarchical`: the account says that it has a hierarchical namespace (names are kept as they come all the same).
    """

    clock_offset: float = 0.0
    check_signatures: bool = False
    keys: tuple[Mapping[str, Any], ...] = ()
    bearer: Mapping[str, float] = field(default_factory=dict)
    lease_first: bool = False
    hierarchical: bool = False

