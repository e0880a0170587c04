"""What the README says to type: the scripts are there, and every `blobmove` line is one the program understands."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import pytest

from blobmove.cli.invocation import Invocation
from blobmove.cli.verbs import VERBS, load

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.acceptance

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "inventory").glob("*.md"))]
_BLOCK: Final = re.compile(r"^```(?:sh|shell|bash|console)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SHELL_ENDS: Final = re.compile(r"^(?:\||\|\||&&|;|&|>|>>|2>|2>&1|<)$")


@dataclass(frozen=True, slots=True)
class Line:
    """A command that a page says to type."""

    page: str
    words: tuple[str, ...]


def typed(page: Path) -> Iterator[Line]:
    """The commands in the shell blocks of a page; with `$ ` in a block, only the lines that begin so are typed."""
    for block in _BLOCK.findall(page.read_text(encoding="utf-8")):
        lines = block.replace("\\\n", " ").splitlines()
        prompts = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        for line in prompts or lines:
            words = _first_command(line)
            if words:
                yield Line(str(page.relative_to(ROOT)), words)


def _first_command(line: str) -> tuple[str, ...]:
    """Words of the first command of a line, without assignments in front and redirections behind."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        return ()
    while words and re.match(r"[A-Z_]+=", words[0]):
        words.pop(0)
    end = next((at for at, word in enumerate(words) if _SHELL_ENDS.match(word)), len(words))
    return tuple(words[:end])


LINES: Final = [line for page in PAGES if page.exists() for line in typed(page)]
BLOBMOVE: Final = [line for line in LINES if line.words[0] == "blobmove"]


@pytest.mark.parametrize("line", BLOBMOVE, ids=lambda line: f"{line.page}: {' '.join(line.words)}"[:100])
def test_every_blobmove_line_of_the_pages_is_understood(
    line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("BLOBMOVE_"):
            monkeypatch.delenv(name)
    words = [word for word in line.words[1:] if word not in ("...", "…")]
    if not words or words[0].startswith("-"):
        return
    assert words[0] in VERBS
    _understood(words, tmp_path)


def _understood(words: list[str], folder: Path) -> None:
    """Parse as the program would; files that a line names are made, because only a real reader has them."""
    for word in words[1:]:
        name = word.partition("=")[2] or word
        if re.fullmatch(r"[\w./-]+\.(?:toml|txt|csv|jsonl|json)", name) and not name.startswith("/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()
    complaint = _complaint(words)
    # A path on somebody's own machine cannot be there; everything else is a mistake of the page.
    assert "does not exist" in complaint or not complaint, f"blobmove {' '.join(words)}: {complaint}"


def _complaint(words: list[str]) -> str:
    try:
        load(words[0]).make_context(f"blobmove {words[0]}", list(words[1:]), obj=Invocation(words))
    except click.exceptions.Exit as end:
        return "" if end.exit_code == 0 else f"exit code {end.exit_code}"  # --help
    except click.ClickException as error:
        return error.format_message()
    return ""


def test_the_readme_names_the_two_commands_and_the_four_of_the_journey() -> None:
    lines = [line.words for line in LINES if line.page == "README.md"]
    commands = {words[0] for words in lines}
    assert {"scripts/demo", "scripts/test"} <= commands
    verbs = {words[1] for words in lines if words[0] == "blobmove" and len(words) > 1}
    assert {"plan", "copy", "verify", "flip-service"} <= verbs


@pytest.mark.parametrize("script", sorted(path.name for path in (ROOT / "scripts").iterdir() if path.is_file()))
def test_every_script_is_executable_and_explains_itself(script: str, tmp_path: Path) -> None:
    path = ROOT / "scripts" / script
    assert os.access(path, os.X_OK)
    done = subprocess.run([path, "--help"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout.lower()
    assert list(tmp_path.iterdir()) == [], "help leaves nothing behind"


def test_the_scripts_the_pages_name_are_there() -> None:
    named = {line.words[0] for line in LINES if line.words[0].startswith("scripts/")}
    assert all((ROOT / name).is_file() for name in named), named
