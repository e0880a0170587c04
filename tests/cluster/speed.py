"""How much faster several workers are, each with a fixed limit of its own, against the simulated cloud with latency.

Each figure is the time of `copy` as its own summary tells it, without the time it takes to join the cluster. The
workers are real processes of a Dask cluster; the limit stands for the network card that each machine has. They share
this machine's CPUs with the simulated cloud: who else uses them makes four workers slower, and one hardly. So one and
four take turns as often as is asked for, of each the shortest time counts, and what others have used is told beside it.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from tests.acceptance.commands import Terminal
from tests.cloud.control import Cloud
from tests.cloud.specs import ObjectSpec, SeriesSpec, Weather
from tests.cluster.company import environment_of
from tests.cluster.dask_cluster import DaskCluster
from tests.cluster.neighbours import Neighbours, cpu_of

LATENCY_MS: Final = 50.0
IN_FLIGHT: Final = 16
"""Requests in flight to a side that one worker may have."""

MIB: Final = 1 << 20
Say = Callable[[str], None]


@dataclass
class Speeds:
    """Seconds by the number of workers, and the coordinator's CPU for so many objects."""

    objects: int
    giant_mib: int
    rate_mib: int
    small: dict[str, float] = field(default_factory=dict)
    giant: dict[str, float] = field(default_factory=dict)
    parts: dict[str, float] = field(default_factory=dict)
    coordinator: dict[str, float] = field(default_factory=dict)
    conditions: dict[str, str] = field(default_factory=dict)
    rounds: int = 1

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def gain(self, seconds: dict[str, float]) -> float:
        """How many times faster four workers are than one."""
        return seconds["1"] / seconds["4"]


@dataclass
class Stage:
    """A cloud and a folder to work in."""

    cloud: Cloud
    folder: Path
    say: Say
    others: list[float] = field(default_factory=list)
    _number: int = 0

    def run(self, workers: int, fill: Callable[[Cloud], None], words: tuple[str, ...]) -> tuple[float, float]:
        """Seconds of one copy, and the coordinator's CPU seconds; the copy must leave nothing."""
        self._number += 1
        desk = self.folder / f"desk-{self._number}"
        desk.mkdir()
        self.cloud.reset()
        self.cloud.bucket("src")
        self.cloud.container("dst")
        fill(self.cloud)
        environment = environment_of(self.cloud, desk)
        terminal = Terminal(desk, environment, None, [])
        terminal.run("plan", "--source", "s3://src", "--destination", self.cloud.destination("dst"), "--list")
        for side in ("s3", "azure"):
            self.cloud.weather(side, Weather(latency_ms=LATENCY_MS))
        cluster = DaskCluster(desk / "cluster", environment)
        try:
            cluster.start(workers)
            processes = [cluster.scheduler, *cluster.workers]
            neighbours = Neighbours([pid for pid in (self.cloud.pid, *(one.pid for one in processes if one)) if pid])
            process = terminal.start("copy", "--resume", "--json", "--scheduler", cluster.address, *words)
            cpu = _cpu_until_end(process.handle.pid, lambda: process.handle.poll() is None)
            summary = process.ended(None).summary
            self.others.append(neighbours.share())
        finally:
            cluster.stop()
        assert summary["outcomes"]["pending"] == 0, summary
        self.say(f"{workers} workers: {summary['seconds']:.1f} s, coordinator {cpu:.2f} s of CPU, others used"
                 f" {self.others[-1]:.0%} of the CPUs")
        return float(summary["seconds"]), cpu

    def shorter(self, times: dict[str, float], workers: int, fill: Callable[[Cloud], None], *words: str) -> None:
        """Run it, and keep the time if it is the shortest of so many workers."""
        seconds = self.run(workers, fill, words)[0]
        times[str(workers)] = min(seconds, times.get(str(workers), seconds))


def measured(objects: int, giant_mib: int, rate_mib: int, rounds: int, say: Say) -> Speeds:
    """One and four workers in turns, small objects and one giant, whole and in parts; then the coordinator's CPU."""
    found = Speeds(objects, giant_mib, rate_mib, rounds=rounds)
    cloud = Cloud.start()
    try:
        with tempfile.TemporaryDirectory(prefix="blobmove-speed-") as folder:
            stage = Stage(cloud, Path(folder), say)
            for workers in (1, 4) * rounds:
                words = ("--concurrency", str(IN_FLIGHT * workers))
                stage.shorter(found.small, workers, lambda cloud: _small(cloud, objects), *words)
            for workers in (1, 4) * rounds:
                words = ("--bandwidth", f"{rate_mib * workers}MiB")
                stage.shorter(found.giant, workers, lambda cloud: _giant(cloud, giant_mib), *words)
                stage.shorter(found.parts, workers, lambda cloud: _parts(cloud, giant_mib), *words)
            for number in (objects // 4, objects * 2):
                words = ("--concurrency", "128")
                found.coordinator[str(number)] = stage.run(2, partial(_small, number=number), words)[1]
    finally:
        cloud.stop()
    found.conditions = {
        "when": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": f"{os.cpu_count()} CPUs shared by the simulated cloud and all workers",
        "CPUs used by others meanwhile": f"{min(stage.others):.0%} to {max(stage.others):.0%}",
    }
    return found


def _small(cloud: Cloud, number: int) -> None:
    cloud.put_series("src", SeriesSpec(pattern="{n:08d}", count=number, smallest=4096, largest=4096))


def _giant(cloud: Cloud, mib: int) -> None:
    cloud.put("src", ObjectSpec(key="giant", size=mib * MIB, checksum="CRC64NVME"))


def _parts(cloud: Cloud, mib: int) -> None:
    """The same bytes uploaded in parts of 64 MiB: proven by the multipart ETag, with an MD5 of the whole to compute."""
    cloud.put("src", ObjectSpec(key="giant", parts=(64 * MIB,) * (mib // 64)))


def _cpu_until_end(pid: int, alive: Callable[[], bool]) -> float:
    """The CPU seconds of a process, as last seen before its end."""
    seen = 0.0
    while alive():
        try:
            seen = max(seen, cpu_of(pid))
        except (OSError, IndexError):
            break
        time.sleep(0.05)
    return seen
