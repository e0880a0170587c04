"""The cases: which objects are moved."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from random import Random
from statistics import NormalDist
from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB
GIB: Final = 1024 * MIB

_MIX_SEED: Final = 20261122
_MIX_MEDIAN: Final = 80 * KIB
_MIX_P99: Final = 20 * MIB


START: Final = "start"
"""The case that shows what a tool costs before its first object."""


@dataclass(frozen=True, slots=True)
class Case:
    """One set of objects. `sizes`: bytes of each. `concurrency`: requests the bare path has in flight."""

    name: str
    title: str
    sizes: tuple[int, ...]
    concurrency: int = 32

    @property
    def objects(self) -> int:
        return len(self.sizes)

    @property
    def bytes(self) -> int:
        return sum(self.sizes)

    def shortened(self, objects: int) -> Case:
        """The same with fewer objects; the mix keeps its shape, having been drawn in random order."""
        return replace(self, sizes=self.sizes[:objects])


def mixed(objects: int) -> tuple[int, ...]:
    """Log-normal sizes: the distribution's own quantiles in a drawn order, so that no sample is a lucky one."""
    bell = NormalDist()
    spread = math.log(_MIX_P99 / _MIX_MEDIAN) / bell.inv_cdf(0.99)
    places = [bell.inv_cdf((number + 0.5) / objects) for number in range(objects)]
    sizes = [round(_MIX_MEDIAN * math.exp(spread * place)) for place in places]
    Random(_MIX_SEED).shuffle(sizes)
    return tuple(sizes)


ALL: Final = (
    Case(START, "10 x 4 KiB: start-up", (4 * KIB,) * 10),
    Case("4k", "20,000 x 4 KiB", (4 * KIB,) * 20_000),
    Case("64k", "20,000 x 64 KiB", (64 * KIB,) * 20_000),
    Case("1m", "2,000 x 1 MiB", (MIB,) * 2_000),
    Case("64m", "40 x 64 MiB", (64 * MIB,) * 40, concurrency=8),
    Case("1g", "2 x 1 GiB", (GIB,) * 2, concurrency=8),
    Case("mix", "2,000 mixed, median 80 KiB, p99 20 MiB", mixed(2_000)),
)
BY_NAME: Final = {one.name: one for one in ALL}
