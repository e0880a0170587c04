"""What the cloud tells about itself: the answers of the control API as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object version in S3. `md5`: hex of the real bytes, whatever the ETag says; "" where it was not asked."""

    key: str
    version_id: str
    size: int
    etag: str
    modified: float
    md5: str = ""
    marker: bool = False
    latest: bool = True
    storage_class: str = "STANDARD"
    restore: str | None = None
    checksum: str | None = None


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """One blob. `content_md5`: what is stored with it, hex; `md5`: of the real bytes, hex. `blocks`: committed ones
    as (raw id, size), `staged` the others; a blob with `committed` False consists of nothing else. `writes`: how often
    this name was committed."""

    name: str
    size: int
    etag: str
    content_md5: str | None
    md5: str
    committed: bool = True
    headers: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    tags: str = ""
    tier: str | None = None
    blob_type: str = "BlockBlob"
    lease: str | None = None
    blocks: list[tuple[str, int]] = field(default_factory=list)
    staged: list[tuple[str, int]] = field(default_factory=list)
    writes: int = 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every current object of a bucket against the blob of its name, byte for byte. `wrong_md5`: blobs whose stored
    Content-MD5 is not that of their bytes, or missing."""

    identical: int
    missing: list[str]
    different: list[str]
    extra: list[str]
    wrong_md5: list[str]


@dataclass(frozen=True, slots=True)
class SideCounts:
    """What one side has seen since the start or the last `reset_counts`. `answers`: {operation: {status: times}}.
    `requests` counts arrivals, also those reset unread; connections are those open now, `most_` the peak.
    `most_in_flight` sees only requests that take time: under a rule, latency or limited bandwidth."""

    requests: dict[str, int]
    answers: dict[str, dict[str, int]]
    bytes_in: int
    bytes_out: int
    connections: int
    most_connections: int
    most_in_flight: int
    throttled: int

    @property
    def total(self) -> int:
        return sum(self.requests.values())


@dataclass(frozen=True, slots=True)
class Counts:
    """Both sides, and the CPU seconds of the cloud's process since it started; `_counted`: since `reset_counts`."""

    s3: SideCounts
    azure: SideCounts
    cpu_seconds: float
    cpu_seconds_counted: float = 0.0


@dataclass(frozen=True, slots=True)
class RuleReport:
    """What a rule has seen and done. `log`: (operation, key, deed or place) of each time it fired."""

    id: int
    matched: int
    fired: int
    log: list[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class Series:
    """What a SeriesSpec made."""

    objects: int
    bytes: int
