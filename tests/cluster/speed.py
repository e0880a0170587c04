"""How much faster several workers are, each with a fixed limit of its own, against the simulated cloud with latency.

Each figure is the time of `copy` as its own summary tells it, without the time it takes to join the cluster. The
workers are real processes of a Dask cluster; the limit stands for the network card that each machine has.
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
            process = terminal.start("copy", "--resume", "--json", "--scheduler", cluster.address, *words)
            cpu = _cpu_until_end(process.handle.pid, lambda: process.handle.poll() is None)
            summary = process.ended(None).summary
        finally:
            cluster.stop()
        assert summary["outcomes"]["pending"] == 0, summary
        self.say(f"{workers} workers: {summary['seconds']:.1f} s, coordinator {cpu:.2f} s of CPU")
        return float(summary["seconds"]), cpu


def measured(objects: int, giant_mib: int, rate_mib: int, say: Say) -> Speeds:
    """One and four workers, small objects and one giant, whole and in parts; then the coordinator's CPU."""
    found = Speeds(objects, giant_mib, rate_mib)
    cloud = Cloud.start()
    try:
        with tempfile.TemporaryDirectory(prefix="blobmove-speed-") as folder:
            stage = Stage(cloud, Path(folder), say)
            for workers in (1, 4):
                words = ("--concurrency", str(IN_FLIGHT * workers))
                found.small[str(workers)] = stage.run(workers, lambda cloud: _small(cloud, objects), words)[0]
            for workers in (1, 4):
                words = ("--bandwidth", f"{rate_mib * workers}MiB")
                found.giant[str(workers)] = stage.run(workers, lambda cloud: _giant(cloud, giant_mib), words)[0]
                found.parts[str(workers)] = stage.run(workers, lambda cloud: _parts(cloud, giant_mib), words)[0]
            for number in (objects // 4, objects * 2):
                words = ("--concurrency", "128")
                found.coordinator[str(number)] = stage.run(2, partial(_small, number=number), words)[1]
    finally:
        cloud.stop()
    found.conditions = {
        "when": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": f"{os.cpu_count()} CPUs shared by the simulated cloud, all workers and others",
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
    tick, seen = os.sysconf("SC_CLK_TCK"), 0.0
    stat = Path(f"/proc/{pid}/stat")
    while alive():
        try:
            parts = stat.read_text().rpartition(")")[2].split()
            seen = max(seen, (int(parts[11]) + int(parts[12])) / tick)
        except (OSError, IndexError):
            break
        time.sleep(0.05)
    return seen
