"""What is installed is what is needed: the templates of the pages are in the wheel."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from tests.docs.pages import PACKAGE, ROOT


def test_the_wheel_has_every_template_and_every_module(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", f"from hatchling.build import build_wheel; build_wheel({str(tmp_path)!r})"],
                   cwd=ROOT, check=True, capture_output=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    wanted = {path.relative_to(ROOT).as_posix() for ending in ("*.py", "*.html") for path in PACKAGE.rglob(ending)}
    assert "blobmove/views/templates/report.html" in wanted
    assert wanted - packed == set()
