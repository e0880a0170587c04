"""The architecture page names every module with the sentence that the module says of itself; nothing is stale."""

from __future__ import annotations

import ast
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.docs.pages import PACKAGE, ROOT, read

if TYPE_CHECKING:
    from pathlib import Path


def told_by_the_page() -> dict[str, str]:
    """Module below blobmove/ -> its sentence, as the tables have it."""
    floor, told = "", {}
    for line in read("docs/explanation/architecture.md").splitlines():
        if line.startswith("### `"):
            floor = line.removeprefix("### `").rstrip("`")
        elif line.startswith("| `") and floor:
            name, sentence = line.strip("| ").split("` | ", 1)
            told[floor + name.removeprefix("`")] = sentence.replace("\\|", "|")
    return told


def told_by_the_code() -> dict[str, str]:
    """The same, from the docstrings; a floor's own sentence stands in the text above its table."""
    told = {}
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).with_suffix("").as_posix()
        if "/" in name and not is_floor(path):
            text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
            told[name.removesuffix("__init__")] = text.split("\n")[0]
    return told


def is_floor(path: Path) -> bool:
    return path.name == "__init__.py" and path.parent.parent == PACKAGE


def test_every_module_is_in_the_table_with_the_first_line_of_its_docstring() -> None:
    assert told_by_the_page() == told_by_the_code()


def test_the_generated_parts_of_the_documentation_are_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "docs-tables"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
