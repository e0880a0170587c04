"""What `plan` has to tell when it is done: plain values that the faces turn into text, JSON or a page."""

from __future__ import annotations

from dataclasses import field

from blobmove.core.frozen import frozen


@frozen
class SizeBucket:
    """Objects up to `up_to` bytes (None: no upper bound) and above the bucket before."""

    up_to: int | None
    objects: int
    bytes: int


@frozen
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


@frozen
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


@frozen
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


@frozen
class PlanChange:
    """What a newer plan changed in an existing checkpoint."""

    previous: str
    new: int
    changed: int


@frozen
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
