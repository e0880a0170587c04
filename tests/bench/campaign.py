"""The campaign: every contestant on every stage, in alternating runs."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.cases import Case
from tests.bench.contestants import Contestant
from tests.bench.results import Lane, Results, Run
from tests.bench.stage import Network, Stage, staged
from tests.cloud.facts import Counts

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Cores:
    """Which CPUs the cloud and the tools get; empty: as the system likes."""

    cloud: frozenset[int] = frozenset()
    tools: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Entry:
    """One stage of the campaign and how often each contestant enters it."""

    case: Case
    network: Network
    rounds: int


def measure(entries: Sequence[Entry], contestants: Sequence[Contestant], cores: Cores, say: Say) -> Results:
    """Run everything: on each stage A B C, A B C, ... so that a change of the machine's mood hits all alike."""
    results = Results()
    for entry in entries:
        with tempfile.TemporaryDirectory(prefix="blobmove-bench-") as folder, \
                staged(entry.case, entry.network, Path(folder), cores.cloud) as stage:
            say(f"{entry.case.title}, {entry.network.title}")
            results.lanes += _alternate(stage, entry, contestants, cores, say)
    return results


def _alternate(
    stage: Stage, entry: Entry, contestants: Sequence[Contestant], cores: Cores, say: Say
) -> list[Lane]:
    lanes = []
    for one in contestants:
        reason = one.lacks()
        if reason:
            say(f"  {one.name}: left out, {reason}")
            continue
        lanes.append((one, Lane(
            entry.case.name, entry.network.tls, entry.network.latency_ms, one.name, entry.case.objects,
            entry.case.bytes, list(one.settings(stage)))))
    for _ in range(entry.rounds):
        for one, lane in lanes:
            lane.runs.append(one_run(stage, one, cores))
            say(_told(lane))
    return [lane for _, lane in lanes]


def one_run(stage: Stage, contestant: Contestant, cores: Cores) -> Run:
    """Into an empty container, and compared byte for byte afterwards."""
    stage.clear()
    folder = Path(tempfile.mkdtemp(dir=stage.folder))
    try:
        went = contestant.go(stage, folder, cores.tools)
        counts = stage.cloud.counts()
        arrived = stage.arrived()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    whole = arrived.identical == stage.case.objects and not arrived.extra
    failed = went.failed
    note = f"exit code {failed.exit_code}: {failed.tail}" if failed else "" if whole else "not everything arrived"
    plan = went.plan
    return Run(
        went.move.wall, went.move.cpu, went.move.rss, whole and failed is None, _requests(counts),
        plan.wall if plan else 0.0, plan.cpu if plan else 0.0, plan.rss if plan else 0, note,
        counts.cpu_seconds_counted,
    )


def _requests(counts: Counts) -> dict[str, int]:
    return {
        f"{side}.{operation}": times
        for side, told in (("s3", counts.s3), ("azure", counts.azure))
        for operation, times in sorted(told.requests.items())
    }


def _told(lane: Lane) -> str:
    run = lane.runs[-1]
    if not run.complete:
        return f"  {lane.contestant:16} does not count: {run.note}"
    plan = f"  (plan {run.plan_cpu / lane.objects * 1e6:.0f})" if run.plan_cpu else ""
    return (f"  {lane.contestant:16} {run.cpu / lane.objects * 1e6:9.0f} us CPU an object  "
            f"{lane.bytes / 2**20 / run.cpu:7.0f} MiB/CPU-s  {run.wall:7.2f} s  {run.rss >> 20:4d} MiB{plan}")
