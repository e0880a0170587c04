"""What was measured: runs, lanes of runs, medians and spread; in and out of JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

from tests.bench.cases import START

FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one contestant. Seconds and bytes; `requests`: what the cloud counted, by side and operation.

    `complete`: exit code 0, and every object arrived byte for byte. Only such a run counts. `plan_*`: of blobmove's
    `plan --list` before it. `server_cpu`: seconds the cloud worked meanwhile.
    """

    wall: float
    cpu: float
    rss: int
    complete: bool
    requests: dict[str, int] = field(default_factory=dict)
    plan_wall: float = 0.0
    plan_cpu: float = 0.0
    plan_rss: int = 0
    note: str = ""
    server_cpu: float = 0.0


@dataclass(frozen=True, slots=True)
class Figure:
    """A median with its spread."""

    middle: float
    low: float
    high: float


@dataclass(slots=True)
class Lane:
    """All runs of one contestant in one case on one network. `settings`: the flags it was given."""

    case: str
    tls: bool
    latency_ms: float
    contestant: str
    objects: int
    bytes: int
    settings: list[str] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)

    @property
    def good(self) -> list[Run]:
        return [one for one in self.runs if one.complete]

    def figure(self, of: Callable[[Run], float]) -> Figure | None:
        """Median, lowest and highest of the complete runs; None where there is none."""
        values = [of(one) for one in self.good]
        return Figure(median(values), min(values), max(values)) if values else None

    def cpu_per_object(self) -> Figure | None:
        """Microseconds of CPU for each object, the move alone."""
        return self.figure(lambda run: run.cpu / self.objects * 1e6)

    def cpu_with_plan(self) -> Figure | None:
        """The same with the plan."""
        return self.figure(lambda run: (run.cpu + run.plan_cpu) / self.objects * 1e6)

    def per_cpu_second(self) -> Figure | None:
        """MiB moved for each second of CPU."""
        return self.figure(lambda run: self.bytes / 2**20 / run.cpu)

    def wall(self) -> Figure | None:
        return self.figure(lambda run: run.wall)

    def rss(self) -> Figure | None:
        """MiB, the plan's too."""
        return self.figure(lambda run: max(run.rss, run.plan_rss) / 2**20)

    def server_busy(self) -> Figure | None:
        """Percent of the time in which the cloud was computing: near 100 it is what limits the wall time."""
        return self.figure(lambda run: 100 * run.server_cpu / run.wall)

    def requests_per_object(self, side: str = "") -> float | None:
        """Of the first complete run; `side`: s3 or azure."""
        if not self.good:
            return None
        counted = self.good[0].requests
        return sum(times for name, times in counted.items() if name.startswith(side)) / self.objects


@dataclass(slots=True)
class Results:
    """Everything of one or several calls. `conditions`: machine and versions, name to text."""

    conditions: dict[str, str] = field(default_factory=dict)
    lanes: list[Lane] = field(default_factory=list)

    def lane(self, case: str, tls: bool, latency_ms: float, contestant: str) -> Lane | None:
        wanted = (case, tls, latency_ms, contestant)
        return next((one for one in self.lanes
                     if (one.case, one.tls, one.latency_ms, one.contestant) == wanted), None)

    def marginal_cpu(self, lane: Lane) -> float | None:
        """Microseconds of CPU for one more object: what the start-up takes is left out. None where it is not known."""
        start = self.lane(START, lane.tls, 0.0, lane.contestant)
        if start is None or lane.objects <= start.objects:
            return None
        first, whole = (one.figure(lambda run: run.cpu) for one in (start, lane))
        if first is None or whole is None:
            return None
        return (whole.middle - first.middle) / (lane.objects - start.objects) * 1e6

    def stages(self) -> list[tuple[str, bool, float]]:
        """Case and network of every stage, in the order of measuring."""
        return list(dict.fromkeys((one.case, one.tls, one.latency_ms) for one in self.lanes))


def write(results: Results, file: Path) -> None:
    document = {"format": FORMAT, "conditions": results.conditions, "lanes": [asdict(one) for one in results.lanes]}
    file.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def read(files: Iterable[Path]) -> Results:
    """The results of several files; a lane of a later file takes the place of the same lane of an earlier one.

    Raises ValueError for a file of another format.
    """
    merged, found = Results(), {}
    for file in files:
        told: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        if told.get("format") != FORMAT:
            raise ValueError(f"{file} has another format")
        merged.conditions |= told["conditions"]
        for one in told["lanes"]:
            lane = Lane(**{**one, "runs": [Run(**run) for run in one["runs"]]})
            found[lane.case, lane.tls, lane.latency_ms, lane.contestant] = lane
    merged.lanes = list(found.values())
    return merged
