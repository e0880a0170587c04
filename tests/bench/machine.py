"""The conditions of a measurement: machine, versions, who ran on which CPU."""

from __future__ import annotations

import os
import platform
import subprocess
import time
import timeit
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tests.bench.campaign import Cores
from tests.bench.contestants import RCLONE


def conditions(cores: Cores) -> dict[str, str]:
    """Name to text, in the order of telling."""
    return {
        "when": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": f"{os.cpu_count()} CPUs ({_processor()}), {_memory()} GiB, {platform.system()} {platform.release()}",
        "CPUs": _pinning(cores),
        "load average at the end": "{:.1f}, {:.1f}, {:.1f} (1, 5, 15 minutes)".format(*os.getloadavg()),
        "Python": f"{platform.python_version()}, {_calls_a_second() / 1e6:.0f} million calls a second",
        "pyreqwest": _version("pyreqwest"),
        "rclone": _rclone(),
    }


def _pinning(cores: Cores) -> str:
    if not cores.tools:
        return "shared by the cloud and the tool measured"
    return f"the cloud on {sorted(cores.cloud)}, the tool measured on {sorted(cores.tools)}"


def _calls_a_second() -> float:
    """How fast this build of Python is: one with profile-guided optimisation makes up to twice as many calls."""

    def ways(steps: int) -> int:
        return steps if steps < 2 else ways(steps - 1) + ways(steps - 2)

    calls = 2 * ways(21) - 1
    return calls / min(timeit.repeat(lambda: ways(20), number=1, repeat=50, timer=time.process_time))


def _processor() -> str:
    told = Path("/proc/cpuinfo")
    if told.exists():
        for line in told.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _rclone() -> str:
    if not RCLONE.exists():
        return "not installed"
    told = subprocess.run([str(RCLONE), "version"], capture_output=True, text=True, check=False).stdout
    return told.partition("\n")[0].removeprefix("rclone ")
