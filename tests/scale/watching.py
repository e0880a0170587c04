"""Runs commands of blobmove against a simulated cloud and watches: time, peak memory, the first request that comes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.cloud.control import Cloud

ROOT: Final = Path(__file__).resolve().parents[2]
_POLL: Final = 0.02


@dataclass(frozen=True, slots=True)
class Seen:
    """What a command took: seconds of wall and CPU time, peak memory in bytes, seconds until the request waited for.

    A command that was killed when it had shown what was asked has a negative `exit_code`, and no `rss` (0).
    """

    exit_code: int
    wall: float
    cpu: float
    rss: int
    first: float | None = None
    out: str = ""
    err: str = ""

    def require(self, *codes: int) -> Seen:
        """Raises AssertionError with what the command said, unless it ended as expected."""
        assert self.exit_code in codes, f"exit code {self.exit_code}: {self.err[-2000:]}"
        return self


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait for so many requests of an operation at one side; `then`: the signal the command is sent (None: none)."""

    side: str
    operation: str
    count: int = 1
    then: signal.Signals | None = signal.SIGKILL


@dataclass(frozen=True, slots=True)
class Desk:
    """A folder with a checkpoint, and the cloud its commands talk to."""

    folder: Path
    cloud: Cloud

    def __call__(self, *words: str, wait: Wait | None = None, database: Path | None = None) -> Seen:
        """Run one command to its end, or until it has done what is waited for."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ}
        environment = {**kept, **self.cloud.environment(), "PYTHONPATH": str(ROOT)}
        if database is not None:
            environment["DATABASE_URL"] = f"sqlite3:{database}"
        self.cloud.reset_counts()
        (self.folder / "peak").write_text("0", encoding="ascii")
        with (self.folder / "out").open("wb") as out, (self.folder / "err").open("wb") as err:
            began = time.perf_counter()
            child = subprocess.Popen([sys.executable, "-m", "tests.scale.witness", "peak", *words], cwd=self.folder,
                                     env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
            first = self._watched(child.pid, wait, began) if wait else None
            _, status, used = os.wait4(child.pid, 0)
            wall = time.perf_counter() - began
            child.returncode = os.waitstatus_to_exitcode(status)
        return Seen(child.returncode, wall, used.ru_utime + used.ru_stime, int(self._text("peak")), first,
                    self._text("out"), self._text("err"))

    def _watched(self, pid: int, wait: Wait, began: float) -> float | None:
        while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            counts = self.cloud.counts()
            side = counts.s3 if wait.side == "s3" else counts.azure
            if side.requests.get(wait.operation, 0) >= wait.count:
                found = time.perf_counter() - began
                if wait.then is not None:
                    os.kill(pid, wait.then)
                return found
            time.sleep(_POLL)
        return None

    def _text(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8", errors="replace")


def python(module: str, *words: Sequence[str] | str | Path | int) -> float:
    """Run one of this package's modules as a process of its own; the seconds it took."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", module, *map(str, words)], cwd=ROOT, check=True)
    return time.perf_counter() - began
