"""One round of killing: parts of a cluster struck at drawn moments, then the copy resumed until it is done."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from tests.acceptance.commands import Process
from tests.cluster.company import Company
from tests.cluster.dask_cluster import IMPATIENT, DaskCluster

VICTIMS: Final = (
    "worker", "worker", "leaver", "pause", "scheduler", "coordinator", "terminate", "local worker", "local run",
)  # fmt: skip
ALLOWED: Final = {
    "worker": {0, 1}, "leaver": {0, 1}, "pause": {0}, "scheduler": {0, 2}, "coordinator": {0, -9},
    "terminate": {0, 143, -15}, "local worker": {0}, "local run": {0, -9},
}
"""How a run may end after each. 1: a batch whose every worker was killed stays pending. -15: before it listens."""

NOT_BEGUN: Final = ("E000-SCHEDULER", "E404-WORKERS", "E143-TERMINATED")
"""Why a run may end without a summary: its workers were not met."""


@dataclass(slots=True)
class Round:
    """A company on a cluster; each attempt is struck once, the last one not at all. `log` tells what was done."""

    company: Company
    folder: Path
    chance: Random
    log: list[str] = field(default_factory=list)
    cluster: DaskCluster | None = None
    _clusters: int = 0

    def play(self) -> None:
        """Plan, one to three attempts that are struck, one that is not; then every byte is compared."""
        self.company.plan()
        for _ in range(self.chance.randint(1, 3)):
            self._attempt(self.chance.choice(VICTIMS))
        told = self.company.copy("--scheduler", self._ready().address)
        assert told["outcomes"]["pending"] == 0, told
        self.company.all_is_there()

    def stop(self) -> None:
        if self.cluster is not None:
            self.cluster.stop()

    def _ready(self) -> DaskCluster:
        """A cluster with a living scheduler and two or three workers."""
        if self.cluster is None or self.cluster.scheduler is None or self.cluster.scheduler.poll() is not None:
            self.stop()
            self._clusters += 1
            folder = self.folder / f"cluster-{self._clusters}"
            self.cluster = DaskCluster(folder, self.company.terminal.environment, patience=IMPATIENT)
            self.cluster.start(self.chance.randint(2, 3))
        while len(self.cluster.living()) < 2:
            self.cluster.add()
        return self.cluster

    def _attempt(self, victim: str) -> None:
        company, local = self.company, victim.startswith("local")
        cluster = None if local else self._ready()
        process = company.start(*(("--workers", "2") if cluster is None else ("--scheduler", cluster.address)))
        moment = self._wait(process)
        self._strike(victim, cluster, process)
        self.log.append(f"{victim}@{moment}")
        if cluster is not None and cluster.scheduler is not None and cluster.scheduler.poll() is None:
            cluster.tend(process.handle)
        run = process.ended(None)
        self.log[-1] += f"={run.code}"
        told = f"{self.log}\n{run.out[-2000:]}\n{run.err[-3000:]}\n{cluster.logs()[-3000:] if cluster else ''}"
        assert run.code in ALLOWED[victim], told
        if any(line["type"] == "summary" for line in run.lines):
            company.adds_up(run.summary)
        else:
            assert run.code in (-9, -15) or any(code in run.err for code in NOT_BEGUN), run.err
        company.settled()
        company.nothing_is_wrong()

    def _wait(self, process: Process) -> str:
        """At once, or when so many blobs are there."""
        if self.chance.random() < 0.2:
            seconds = self.chance.uniform(0, 4)
            with suppress(Exception):
                process.handle.wait(seconds)
            return f"{seconds:.1f}s"
        goal = self.chance.randrange(self.company.planned)
        end = time.monotonic() + 60
        while self.company.written() < goal and process.handle.poll() is None and time.monotonic() < end:
            time.sleep(0.005)
        return f"#{goal}"

    def _strike(self, victim: str, cluster: DaskCluster | None, process: Process) -> None:
        if cluster is None:
            pids = local_workers(process.handle.pid) if victim == "local worker" else [process.handle.pid]
            if pids and process.handle.poll() is None:
                with suppress(ProcessLookupError):
                    os.kill(self.chance.choice(pids), signal.SIGKILL)
        elif victim == "worker":
            for worker in self.chance.sample(cluster.living(), self.chance.randint(1, 2)):
                worker.kill()
            cluster.add()
        elif victim == "leaver":  # as a pod that is taken away
            self.chance.choice(cluster.living()).send_signal(signal.SIGTERM)
        elif victim == "pause":
            late = self.chance.choice(cluster.living())
            late.send_signal(signal.SIGSTOP)
            with suppress(Exception):
                process.handle.wait(self.chance.uniform(0.5, 6))
            late.send_signal(signal.SIGCONT)
        elif victim == "scheduler" and cluster.scheduler is not None:
            cluster.scheduler.kill()
        elif process.handle.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(process.handle.pid, signal.SIGKILL if victim == "coordinator" else signal.SIGTERM)


def local_workers(pid: int) -> list[int]:
    """The worker processes of a copy on this machine, in the order of their birth."""
    try:
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        return [child for child in children
                if b"blobmove.cluster.process" in Path(f"/proc/{child}/cmdline").read_bytes()]
    except OSError:
        return []
