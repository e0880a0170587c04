"""What of this machine may be used: cores and memory, also where a container has less of them than the machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

GROUP: Final = Path("/sys/fs/cgroup")
"""The limits of this process' group as a container sees them (control groups, version 2)."""


def cores(group: Path = GROUP) -> int:
    """Cores that this process may use, at least one: those it may run on, and no more than its quota of time."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _told(group / "cpu.max").partition(" ")
    if quota.isdecimal() and period.isdecimal():
        there = min(there, int(quota) // int(period))
    return max(1, there)


def memory(group: Path = GROUP) -> int | None:
    """Bytes of memory that this process may use together with others, None where nobody tells."""
    try:
        there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows
        return None
    limit = _told(group / "memory.max")
    return min(there, int(limit)) if limit.isdecimal() else there


def _told(file: Path) -> str:
    """The first line of a file of the kernel's, "" where there is none."""
    try:
        return file.read_text().partition("\n")[0]
    except OSError:
        return ""
