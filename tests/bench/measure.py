"""Runs one command and says what it took: wall time, CPU time and peak memory of exactly that process tree."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_KIBIBYTE = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True)
class Spent:
    """What a command took. `cpu`: user and system seconds of the process and all children it waited for;
    `rss`: bytes, the largest of them. `tail`: the end of what it wrote to stderr."""

    exit_code: int
    wall: float
    cpu: float
    rss: int
    tail: str = ""


@dataclass(frozen=True, slots=True)
class Command:
    """One command line. Its output goes to files in `folder`; it is killed after `limit` seconds."""

    argv: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    limit: float = 600.0
    cpus: frozenset[int] = frozenset()


def run(command: Command) -> Spent:
    """Run to the end. wait4 answers for this child alone: RUSAGE_CHILDREN would be a maximum over all before it.

    A child's peak memory is never below this process's own (exec keeps the mark), which must therefore stay small.
    """
    errors = command.folder / "stderr.txt"
    with (command.folder / "stdout.txt").open("wb") as out, errors.open("wb") as err:
        began = time.perf_counter()
        child = subprocess.Popen(
            [*_pinned(command.cpus), *command.argv], env=dict(command.environment), cwd=command.folder,
            stdin=subprocess.DEVNULL, stdout=out, stderr=err,
        )
        killer = threading.Timer(command.limit, os.kill, (child.pid, signal.SIGKILL))  # child.kill would reap it
        killer.start()
        _, status, used = os.wait4(child.pid, 0)
        wall = time.perf_counter() - began
        killer.cancel()
        child.returncode = os.waitstatus_to_exitcode(status)
    tail = errors.read_text(encoding="utf-8", errors="replace")[-400:]
    return Spent(child.returncode, wall, used.ru_utime + used.ru_stime, used.ru_maxrss * _KIBIBYTE, tail)


def _pinned(cpus: frozenset[int]) -> tuple[str, ...]:
    """taskset executes the command in its own place: the same process, one exec more."""
    return ("taskset", "-c", ",".join(str(cpu) for cpu in sorted(cpus))) if cpus else ()
