"""What is loaded late is loaded in time: nothing that a run may need is left on the disk for days."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import blobmove
from blobmove.engine import later

PACKAGE = Path(blobmove.__file__).parent
ROOMS = ("engine", "stores/azure/blobs.py", "stores/azure/answers.py", "stores/azure/blocklist.py",
         "stores/s3/objects.py", "stores/s3/answers.py", "stores/s3/presign.py", "stores/wire.py", "stores/framing.py",
         "stores/http.py", "stores/secure.py", "stores/bodies.py")
AT_ONCE = {"_hashlib"}  # asked for by hashlib itself before


def _modules() -> Iterator[Path]:
    for room in ROOMS:
        place = PACKAGE / room
        yield from sorted(place.glob("*.py")) if place.is_dir() else [place]


def _imported_by_functions(module: Path) -> Iterator[str]:
    for function in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for one in ast.walk(function):
                if isinstance(one, ast.ImportFrom):
                    yield one.module or ""
                elif isinstance(one, ast.Import):
                    yield from (alias.name for alias in one.names)


def test_whatever_a_copy_loads_late_is_named() -> None:
    late = {name for module in _modules() for name in _imported_by_functions(module)}

    assert {"html", "blobmove.engine.large"} <= late, "the search finds nothing any more"
    assert [name for name in late - AT_ONCE if not any(f"{one}.".startswith(f"{name}.") for one in later.LATER)] == []


def test_all_of_it_can_be_loaded() -> None:
    """In a process of its own, where it is not loaded yet."""
    told = subprocess.run(
        [sys.executable, "-c", "import sys; from blobmove.engine import later; later.load_the_rest();"
                               "print(all(name in sys.modules for name in later.LATER))"],
        capture_output=True, text=True, check=True,
    )

    assert told.stdout.strip() == "True"
