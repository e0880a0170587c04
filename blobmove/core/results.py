"""What each command has to tell when it is done: plain values that the faces turn into text or JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from blobmove.core.crew import WorkerShown
    from blobmove.core.flipping import Outlook
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
    """Time in seconds (low, high), money in US dollars by item, requests by operation.

    What it rests on: `prices` by their names in the price list, `speeds` as (bytes a second, objects a second) of the
    low and the high end.
    """

    seconds: tuple[float, float]
    dollars: dict[str, float]
    requests: dict[str, int]
    prices: dict[str, float] = field(default_factory=dict)
    speeds: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class PlanChange:
    """What a newer plan changed in an existing checkpoint."""

    previous: str
    new: int
    changed: int


@dataclass(frozen=True, slots=True)
class PlanResult:
    """The sizing of a copy. listed = to_copy + sum(skipped) + sum(refused).

    `settled` counts those of `to_copy` that an earlier run has copied already. `examples` are a few keys by reason of
    `skipped` and `refused`, and by the fields of `rails` that count what does not fit.
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
    examples: dict[str, tuple[str, ...]] = field(default_factory=dict)


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
class Travelled:
    """How the objects copied in one run got to Azure: `server` pulled by itself, `stream` through this machine.

    `bytes_pulled` are those of `server`. `given_up` is the code after which Azure was asked to pull no more.
    """

    server: int = 0
    stream: int = 0
    bytes_pulled: int = 0
    given_up: str = ""


@dataclass(frozen=True, slots=True)
class Effort:
    """What one run has done by now: bytes of bodies, requests by operation, and those tried again by their code.

    `bytes_pulled` went from S3 to Azure by themselves.
    """

    bytes_read: int = 0
    bytes_written: int = 0
    bytes_pulled: int = 0
    requests_s3: Mapping[str, int] = field(default_factory=dict)
    requests_azure: Mapping[str, int] = field(default_factory=dict)
    retries_s3: Mapping[str, int] = field(default_factory=dict)
    retries_azure: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CopySummary:
    """The end of a `copy`: the whole plan's outcomes, and this run's bytes, requests and seconds.

    `reasons` counts the codes behind skipped, refused, changed, conflict and failed; `proofs` the proofs of all
    copied objects; `stopped` says why a run ended before its work was done ("" if it did not).
    `direction` is "forward" or "reverse": then `source` is Azure, and all counts are those of the list of this run.
    `effort` is what this run has done, in full: its retries by code.
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
    travelled: Travelled = Travelled()
    direction: str = "forward"
    effort: Effort = Effort()


@dataclass(frozen=True, slots=True)
class ReverseResult:
    """The end of a `copy --reverse`: its summary, and the first blobs that did not end well."""

    summary: CopySummary
    failures: tuple[Failure, ...] = ()


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
    """Where things stand, from the checkpoint alone. `rate` in bytes a second over the last two minutes.

    `workers` are those of a copy that is running on several."""

    summary: CopySummary
    running: str | None
    pid: int | None
    eta_seconds: float | None
    rate: float | None
    planned_at: str
    last_verify: str | None
    failures: tuple[Failure, ...]
    workers: tuple[WorkerShown, ...] = ()


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
    Of a dry run only: `estimate_seconds` at least and at most, `log_bytes` that replicas will have to read, what the
    server says (`outlook`), and the rows that were `born` on the new service: they name it and no flip has let them.
    `script` is the file that holds the statements instead, and `undo_script` the way back; "" for none.
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
    first_id: str | None = None
    last_id: str | None = None
    sample_key: str = ""
    estimate_seconds: tuple[float, float] = (0.0, 0.0)
    log_bytes: int = 0
    outlook: Outlook | None = None
    born: int = 0
    born_examples: tuple[str, ...] = ()
    script: str = ""
    undo_script: str = ""


@dataclass(frozen=True, slots=True)
class BornResult:
    """`flip-service --born`: rows that name `to_service` and that no flip of the journal has let.

    `file` has their keys; `bytes` is the sum of their sizes.
    """

    to_service: str
    rows: int
    bytes: int
    file: str
