"""The scripts explain themselves before anything is installed, and say what is missing."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


def run(name: str, *words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    surroundings = {"PATH": "/usr/bin:/bin", "BLOBMOVE_VENV": str(cwd / "venv"), **environment}
    return subprocess.run(
        [str(SCRIPTS / name), *words], cwd=cwd, env=surroundings, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", ["setup", "demo", "scale"])
def test_help_installs_nothing(tmp_path: Path, name: str) -> None:
    done = run(name, "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith(f"Usage: scripts/{name}")
    assert list(tmp_path.iterdir()) == []


def test_a_machine_without_a_recent_python_is_told_what_to_do(tmp_path: Path) -> None:
    old = tmp_path / "python-of-old"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = run("setup", "demo", cwd=tmp_path, BLOBMOVE_PYTHON=str(old))
    assert done.returncode == 2
    assert "error: no Python 3.11 or newer was found" in done.stderr
    assert "hint: " in done.stderr
    assert not (tmp_path / "venv").exists()
