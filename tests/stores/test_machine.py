"""A container that has less than its machine is told so by the kernel."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from blobmove.stores.machine import cores, memory

HERE = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@pytest.mark.parametrize(("quota", "number"), [
    ("100000 100000", 1), ("50000 100000", 1), ("150000 100000", 1), ("199999 100000", 1),
    ("max 100000", HERE), (f"{HERE}00000 100000", HERE),
    (f"{HERE + 1}00000 100000", HERE), ("nonsense", HERE),
])
def test_cores_are_no_more_than_the_quota_of_time(quota: str, number: int, tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text(quota + "\n")
    assert cores(tmp_path) == number


def test_without_a_group_it_is_the_machine_that_counts(tmp_path: Path) -> None:
    assert cores(tmp_path) == HERE
    if hasattr(os, "sysconf"):
        assert memory(tmp_path) == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not hasattr(os, "sysconf"), reason="the machine does not tell how much memory it has")
def test_memory_is_no_more_than_the_limit_of_the_group(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("1048576\n")
    assert memory(tmp_path) == 1 << 20
    (tmp_path / "memory.max").write_text("max\n")
    assert memory(tmp_path) == memory(tmp_path / "nothing")
