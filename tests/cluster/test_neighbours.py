"""What others use of the machine is what is used and not ours."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cluster import neighbours
from tests.cluster.neighbours import Neighbours

CPUS = os.cpu_count() or 1
pytestmark = pytest.mark.skipif(not Path("/proc/stat").exists(), reason="/proc is Linux's")


def stand(monkeypatch: pytest.MonkeyPatch, wall: float, busy: float) -> None:
    """What clock and machine say from now on."""
    monkeypatch.setattr(time, "monotonic", lambda: wall)
    monkeypatch.setattr(neighbours, "_busy", lambda: busy)


def test_what_is_not_ours_is_others(monkeypatch: pytest.MonkeyPatch) -> None:
    stand(monkeypatch, 100.0, 1000.0)
    found = Neighbours()
    stand(monkeypatch, 110.0, 1000.0 + 5.0 * CPUS)
    assert found.share() == pytest.approx(0.5, abs=0.05)


def test_what_a_child_has_used_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    stand(monkeypatch, 100.0, 1000.0)
    found = Neighbours()
    program = "import time\nwhile time.process_time() < 0.5: pass"
    subprocess.run([sys.executable, "-c", program], check=True)
    stand(monkeypatch, 100.0 + 1.0 / CPUS, 1001.0)
    assert found.share() <= 0.5


def test_the_machine_tells_how_busy_it_is() -> None:
    assert neighbours._busy() > 0
    assert neighbours.cpu_of(os.getpid()) > 0
