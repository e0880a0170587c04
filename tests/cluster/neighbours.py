"""How much of the machine others use while something is measured: what its CPUs did, less what is ours."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_IDLE: Final = (3, 4)  # idle, and waiting for a disk
_GUEST: Final = 8  # from here on what is counted under user already


@dataclass
class Neighbours:
    """From now on, until `share` is asked. Ours are this process, its children that have ended, and `pids`."""

    pids: Sequence[int] = ()
    _since: tuple[float, float, float] = field(init=False)

    def __post_init__(self) -> None:
        self._since = self._now()

    def share(self) -> float:
        """The part of all CPUs that others have used, 0 to 1; 0 where the system does not tell."""
        now = self._now()
        wall, busy, ours = (new - old for new, old in zip(now, self._since, strict=True))
        return max(0.0, min(1.0, (busy - ours) / max(1e-9, wall * (os.cpu_count() or 1))))

    def _now(self) -> tuple[float, float, float]:
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        ours = sum(one.ru_utime + one.ru_stime for one in used) + sum(cpu_of(pid) for pid in self.pids)
        return time.monotonic(), _busy(), ours


def cpu_of(pid: int) -> float:
    """The CPU seconds of a living process. Raises OSError, IndexError where there is none."""
    parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


def _busy() -> float:
    """Seconds that all CPUs together have been busy since the machine was started, by whomever, also by its host."""
    try:
        parts = [int(part) for part in Path("/proc/stat").read_text().partition("\n")[0].split()[1:1 + _GUEST]]
    except OSError:
        return 0.0
    return sum(part for place, part in enumerate(parts) if place not in _IDLE) / os.sysconf("SC_CLK_TCK")
