"""Time and money: what a copy will take and cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from blobmove.core.blocks import MAX_BLOCKS, MIB, ObjectTooLarge, block_size_for
from blobmove.core.plan_results import Forecast, SizeBucket

GIB: Final = 1024 * MIB

SIZE_BOUNDS: Final = (64 * 1024, MIB, 32 * MIB, GIB, None)
"""Upper bounds of the size classes in the plan; the third is the default limit for one-request copies."""

PRICES: Final[Mapping[str, float]] = {
    # US dollars. AWS us-east-1 and Azure East US, hot, LRS, list prices of 2026 (azure-blob.md section 6).
    "s3_get_per_1000": 0.0004,
    "s3_retrieval_per_gib": 0.01,
    "egress_free_gib": 100.0,
    "egress_per_gib_to_10_tib": 0.09,
    "egress_per_gib_to_50_tib": 0.085,
    "egress_per_gib_to_150_tib": 0.07,
    "egress_per_gib_above": 0.05,
    "azure_write_per_10000": 0.05,
    "azure_month_per_gib": 0.0208,
}

_EGRESS_TIERS: Final = (
    (10 * 1024.0, "egress_per_gib_to_10_tib"),
    (40 * 1024.0, "egress_per_gib_to_50_tib"),
    (100 * 1024.0, "egress_per_gib_to_150_tib"),
    (float("inf"), "egress_per_gib_above"),
)

# One machine in the same region as one end; the honest range until a copy has been measured.
_FAST: Final = (1024.0 * MIB, 3000.0)
_SLOW: Final = (150.0 * MIB, 300.0)


@dataclass(slots=True)
class Sizing:
    """Counts while a plan is read: objects and bytes by size class, and the requests they will take.

    `read_bytes` leave S3: more than `bytes` where an object is read twice.
    """

    whole_limit: int
    block_size: int
    objects: int = 0
    bytes: int = 0
    unknown: int = 0
    read_bytes: int = 0
    retrieval_bytes: int = 0
    gets: int = 0
    writes: int = 0
    _classes: list[list[int]] = field(default_factory=lambda: [[0, 0] for _ in SIZE_BOUNDS])

    def add(self, size: int | None, storage_class: str = "STANDARD", *, readings: int = 1) -> None:
        """Count one object to copy that S3 has to send so many times (core.proof.readings)."""
        self.objects += 1
        if size is None:
            self.unknown += 1
            self.gets += readings
            self.writes += 1
            return
        self.bytes += size
        self.read_bytes += size * readings
        if storage_class in ("STANDARD_IA", "ONEZONE_IA", "GLACIER_IR"):
            self.retrieval_bytes += size * readings
        place = next(i for i, bound in enumerate(SIZE_BOUNDS) if bound is None or size <= bound)
        self._classes[place][0] += 1
        self._classes[place][1] += size
        large = size > self.whole_limit
        blocks = self._blocks(size) if large else 1
        self.gets += blocks * readings
        self.writes += blocks + large  # the blocks of a large object have to be committed

    def _blocks(self, size: int) -> int:
        try:
            return -(-size // block_size_for(size, self.block_size))
        except ObjectTooLarge:
            return MAX_BLOCKS  # the copy of this object will fail and say why

    def buckets(self) -> tuple[SizeBucket, ...]:
        return tuple(SizeBucket(bound, *counts) for bound, counts in zip(SIZE_BOUNDS, self._classes, strict=True))

    def forecast(self, prices: Mapping[str, float] = PRICES) -> Forecast:
        """Time from measured-elsewhere speeds, money from `prices`."""
        gib, read_gib = self.bytes / GIB, self.read_bytes / GIB
        dollars = {
            "s3_requests": self.gets / 1000 * prices["s3_get_per_1000"],
            "s3_retrieval": self.retrieval_bytes / GIB * prices["s3_retrieval_per_gib"],
            "egress": egress_dollars(read_gib, prices),
            "azure_writes": self.writes / 10_000 * prices["azure_write_per_10000"],
        }
        dollars["total"] = sum(dollars.values())
        dollars["azure_storage_per_month"] = gib * prices["azure_month_per_gib"]
        seconds = tuple(max(self.read_bytes / rate, self.objects / per_second) for rate, per_second in (_FAST, _SLOW))
        requests = {"s3_get": self.gets, "azure_write": self.writes}
        return Forecast((seconds[0], seconds[1]), {k: round(v, 4) for k, v in dollars.items()}, requests,
                        dict(prices), (_FAST, _SLOW))


def egress_dollars(gib: float, prices: Mapping[str, float]) -> float:
    """What AWS asks for `gib` GiB to the internet in one month, tier by tier."""
    left = max(0.0, gib - prices["egress_free_gib"])
    total = 0.0
    for width, price in _EGRESS_TIERS:
        part = min(left, width)
        total += part * prices[price]
        left -= part
    return total
