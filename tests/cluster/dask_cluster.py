"""A Dask cluster of separate processes, as an operator would start one by hand: a scheduler and workers."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

IMPATIENT: Final = "3s"
"""The `patience` of a cluster whose workers are stopped or cut off; see `DaskCluster.tend`."""

STARTING_SECONDS: Final = 150.0
_DASK: Final = {
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "false",
    "DASK_DISTRIBUTED__ADMIN__TICK__LIMIT": "1m",
}


class Program(Protocol):
    """Something that ends."""

    def poll(self) -> int | None: ...


@dataclass
class DaskCluster:
    """Processes of one cluster. `environment` is what workers find their credentials in; the scheduler has none."""

    folder: Path
    environment: Mapping[str, str]
    security: tuple[str, ...] = ()
    protocol: str = "tcp"
    scheduler_words: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    patience: str = "60s"
    """After so long without a word a worker is taken for lost, and ends: no test of anything else may depend on it."""
    worker_words: tuple[str, ...] = ()
    address: str = ""
    scheduler: subprocess.Popen[bytes] | None = None
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _number: int = 0

    @property
    def _dask(self) -> dict[str, str]:
        return {**_DASK, "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": self.patience}

    def start(self, workers: int, *, threads: int = 2) -> DaskCluster:
        """A scheduler on a free port, and its workers; returns when all have joined."""
        self.folder.mkdir(exist_ok=True)
        told = self.folder / "scheduler.json"
        told.unlink(missing_ok=True)
        plain = {name: value for name, value in self.environment.items() if name in ("PATH", "PYTHONPATH", "HOME")}
        self.scheduler = self._process(
            "scheduler", {**plain, **self._dask}, "distributed.cli.dask_scheduler",
            "--host", f"{self.protocol}://{self.host}", "--port", "0", "--no-dashboard",
            "--dashboard-address", "127.0.0.1:0", "--scheduler-file", str(told),
            *self.scheduler_words,
        )
        end = time.monotonic() + STARTING_SECONDS
        while not (told.exists() and told.read_text().endswith("}")):
            assert time.monotonic() < end, self.logs()
            assert self.scheduler.poll() is None, self.logs()
            time.sleep(0.02)
        self.address = json.loads(told.read_text())["address"]
        for _ in range(workers):
            self.add(threads=threads)
        for worker in self.workers[-workers:] if workers else ():
            self._until_joined(worker)
        return self

    def _until_joined(self, worker: subprocess.Popen[bytes]) -> None:
        log, end = self._log_of(worker), time.monotonic() + STARTING_SECONDS
        while "Registered to:" not in log.read_text(errors="replace"):
            assert time.monotonic() < end, self.logs()
            assert worker.poll() is None, self.logs()
            time.sleep(0.02)

    def _log_of(self, worker: subprocess.Popen[bytes]) -> Path:
        return self.folder / f"worker-{self.workers.index(worker) + 1}.log"

    def add(
        self, *, threads: int = 2, host: str = "127.0.0.1", launcher: tuple[str, ...] = (), **more: str
    ) -> subprocess.Popen[bytes]:
        """One worker more, at `host`, started by `launcher`. It has no nanny: who dies stays dead."""
        self._number += 1
        worker = self._process(
            f"worker-{self._number}", {**self.environment, **self._dask, **more}, "distributed.cli.dask_worker",
            self.address, "--no-nanny", "--nthreads", str(threads), "--no-dashboard", "--memory-limit", "0",
            "--host", f"{self.protocol}://{host}", "--local-directory", str(self.folder), "--death-timeout", "120",
            *self.worker_words, launcher=launcher,
        )
        self.workers.append(worker)
        return worker

    def _process(
        self, name: str, environment: Mapping[str, str], module: str, *words: str, launcher: tuple[str, ...] = ()
    ) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("wb") as log:
            return subprocess.Popen(
                [*launcher, sys.executable, "-m", module, *self.security, *words], env=dict(environment),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=self.folder,
            )

    def address_of(self, worker: subprocess.Popen[bytes]) -> str:
        """Where a worker listens, as it has told in its log."""
        log = self._log_of(worker)
        found = re.search(rf"Start worker at: +({self.protocol}://[0-9.:]+)", log.read_text(errors="replace"))
        assert found is not None, log.read_text(errors="replace")
        return found.group(1)

    def living(self) -> list[subprocess.Popen[bytes]]:
        """The workers that have not ended."""
        return [worker for worker in self.workers if worker.poll() is None]

    def tend(self, process: Program, least: int = 1) -> None:
        """Until a program ends, start workers where fewer than `least` live, as a Deployment does.

        A machine that stands still for a while loses all of them at once where `patience` is short.
        """
        end = time.monotonic() + STARTING_SECONDS
        while process.poll() is None and time.monotonic() < end:
            while len(self.living()) < least:
                self.add()
            time.sleep(0.2)

    def logs(self) -> str:
        """All that the processes have said."""
        return "\n".join(f"== {path.name}\n{path.read_text(errors='replace')}"
                         for path in sorted(self.folder.glob("*.log")))

    def stop(self) -> None:
        """End all processes of this cluster, also stopped ones."""
        for process in (*self.workers, self.scheduler):
            if process is not None and process.poll() is None:
                with suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)
                process.wait(10)
