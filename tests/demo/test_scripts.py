"""The scripts explain themselves before anything is installed, and say what is missing."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
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


PYTHON = f"""#!/bin/sh
case "$*" in
"-c import pip" | "-m blobmove"*) exit 0 ;;
"-m pytest -q --collect-only") exit 0 ;;
"-m pytest"*) exec {sys.executable} -S pytest.py ;;
"- "*) echo stamp ;;
*) exec {sys.executable} -S "$@" ;;
esac
"""
PYTEST = """
import pathlib, signal
signal.alarm(120)
try:
    pathlib.Path("said").write_text("began")
    signal.pause()
except KeyboardInterrupt:
    pathlib.Path("said").write_text("took down its servers")
    raise SystemExit(2)
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_reaches_pytest_at_once_and_the_script_ends_after_it(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    (tmp_path / "scripts").mkdir()
    for name in ("test", "setup"):
        shutil.copy(SCRIPTS / name, tmp_path / "scripts")
    programs = {"scripts/lint": "#!/bin/sh\nexec sleep 60\n", ".cache/venv/bin/python": PYTHON,
                ".cache/venv/.installed-dev": "stamp", "pytest.py": PYTEST}
    for path, text in programs.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
        (tmp_path / path).chmod(0o755)
    said = tmp_path / "said"
    environment = {"PATH": "/usr/bin:/bin", "BLOBMOVE_NO_INSTALL": "1"}
    script = subprocess.Popen([str(tmp_path / "scripts" / "test")], env=environment, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 100
        while not (said.exists() and said.read_text()) and time.monotonic() < deadline:
            time.sleep(0.02)
        script.send_signal(number)
        assert script.wait(50) == code
    finally:
        script.kill()
        script.wait()
    assert said.read_text() == "took down its servers"
