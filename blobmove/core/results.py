"""What each command has to tell when it is done: plain values that the faces turn into text or JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from blobmove.core.model import State


@dataclass(frozen=True, slots=True)
class SizeBucket:
    """Objects up to `up_to` bytes (None: no upper bound) and above the bucket before."""

    up_to: int | None
    objects: int
    bytes: int


@dataclass(frozen=True, slots=True)
class InventoryFacts:
    """Where the list of objects came from. `format`: CSV, ORC, Parquet, list or keys. `created`: ISO 8601, UTC.

    `outside` counts rows that lie outside the prefix asked for, `twice` rows whose key and version came before.
    """

    format: str
    created: str | None
    files: int
    rows: int
    outside: int = 0
    twice: int = 0


@dataclass(frozen=True, slots=True)
class RailsCheck:
    """The three-way look at bucket and `active_storage_blobs`; counts of rows, `objects_without_row` of objects."""

    rows: int
    by_service: dict[str, int]
    matched: int
    missing_attached: int
    missing_unattached: int
    size_differs: int
    checksum_differs: int
    objects_without_row: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """Time in seconds (low, high), money in US dollars by item, requests by operation."""

    seconds: tuple[float, float]
    dollars: dict[str, float]
    requests: dict[str, int]


@dataclass(frozen=True, slots=True)
class PlanChange:
    """What a newer plan changed in an existing checkpoint."""

    previous: str
    new: int
    changed: int


@dataclass(frozen=True, slots=True)
class PlanResult:
    """The sizing of a copy. listed = to_copy + sum(skipped) + sum(refused).

    `settled` counts those of `to_copy` that an earlier run has copied already.
    """

    plan: str
    source: str
    destination: str
    checkpoint: str
    inventory: InventoryFacts
    listed: int
    to_copy: int
    to_copy_bytes: int
    unknown_sizes: int
    settled: int
    skipped: dict[str, int]
    refused: dict[str, int]
    sizes: tuple[SizeBucket, ...]
    storage_classes: dict[str, int]
    proofs: dict[str, int]
    rails: RailsCheck | None
    forecast: Forecast
    change: PlanChange | None = None
    samples: tuple[tuple[str, int | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Totals:
    """Objects and bytes by state; planned = sum over all states."""

    objects: dict[State, int]
    bytes: dict[State, int]

    @property
    def planned(self) -> int:
        return sum(self.objects.values())

    @property
    def planned_bytes(self) -> int:
        return sum(self.bytes.values())


@dataclass(frozen=True, slots=True)
class CopySummary:
    """The end of a `copy`: the whole plan's outcomes, and this run's bytes, requests and seconds.

    `reasons` counts the codes behind skipped, refused, changed, conflict and failed; `proofs` the proofs of all
    copied objects; `stopped` says why a run ended before its work was done ("" if it did not).
    """

    plan: str
    source: str
    destination: str
    totals: Totals
    reasons: dict[str, int]
    proofs: dict[str, int]
    notes: dict[str, int]
    bytes_read: int
    bytes_written: int
    requests_s3: dict[str, int]
    requests_azure: dict[str, int]
    retries: int
    seconds: float
    next: str
    stopped: str = ""


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """The second look. checked = identical + different + missing; extra blobs are on Azure but not in the plan."""

    how: str
    checked: int
    identical: int
    different: int
    missing: int
    extra: int
    read_back: int
    examples: tuple[tuple[str, str], ...]
    seconds: float
    next: str


@dataclass(frozen=True, slots=True)
class StatusResult:
    """Where things stand, from the checkpoint alone. `rate` in bytes a second over the last two minutes."""

    summary: CopySummary
    running: str | None
    pid: int | None
    eta_seconds: float | None
    rate: float | None
    planned_at: str
    last_verify: str | None
    failures: tuple[Failure, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """One object that is not well, for `status --failed`."""

    key: str
    state: str
    reason: str
    detail: str
    attempts: int


@dataclass(frozen=True, slots=True)
class FlipResult:
    """One run of `flip-service`: rows = flipped (or would flip) + sum(refused) + remaining.

    `rows` counts the rows that name one of `from_services`; `remaining` those a limit left for the next run.
    `stopped` says why a run ended before its work was done ("" if it did not).
    """

    from_services: tuple[str, ...]
    to_service: str
    dry_run: bool
    run: int | None
    rows: int
    flipped: int
    refused: dict[str, int]
    remaining: int
    by_service: dict[str, int]
    proven_by_service: dict[str, int]
    examples: dict[str, tuple[str, ...]] = field(default_factory=dict)
    batches: int = 0
    batch_size: int = 1000
    statement: str = ""
    database: str = ""
    undo_of: int | None = None
    other_services: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    next: str = ""
    stopped: str = ""
