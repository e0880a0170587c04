"""Measuring: time, CPU and memory are those of the one command, whatever ran before it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.bench.measure import Command, run


def _python(code: str, folder: Path, limit: float = 60.0) -> Command:
    return Command((sys.executable, "-c", code), {"PATH": os.environ["PATH"]}, folder, limit)


def test_cpu_of_grandchildren_belongs_to_the_command(tmp_path: Path) -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}], check=True)"

    assert run(_python(nested, tmp_path)).cpu >= 0.3


def test_a_large_command_does_not_make_the_next_one_large(tmp_path: Path) -> None:
    # In a small process of its own: a child is never smaller than who measures it, and this one may be large by now.
    measured = subprocess.run([sys.executable, "-c", _BOTH, str(tmp_path)], cwd=_ROOT, check=True, capture_output=True)
    large, small = (int(line) for line in measured.stdout.split())

    assert large > 300_000_000
    assert small < large - 100_000_000


_ROOT = Path(__file__).resolve().parents[2]
_BOTH = """
import os, sys
from pathlib import Path
from tests.bench.measure import Command, run
for code in ("held = b'x' * 300_000_000", "pass"):
    print(run(Command((sys.executable, "-c", code), {"PATH": os.environ["PATH"]}, Path(sys.argv[1]))).rss)
"""


def test_the_exit_code_and_the_end_of_stderr_are_kept(tmp_path: Path) -> None:
    spent = run(_python("import sys; sys.stderr.write('no such bucket'); sys.exit(4)", tmp_path))

    assert spent.exit_code == 4
    assert spent.tail == "no such bucket"


def test_a_command_that_hangs_is_killed(tmp_path: Path) -> None:
    spent = run(_python("import threading; threading.Event().wait()", tmp_path, limit=0.5))

    assert spent.exit_code == -9
    assert spent.wall >= 0.5
