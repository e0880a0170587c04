"""The pages of the documentation as text: where they are, their headings, code blocks, links and table rows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGE: Final = ROOT / "blobmove"

_BLOCK: Final = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
_LINK: Final = re.compile(r"\]\(([^)\s]+)\)")
_NO_ANCHOR: Final = re.compile(r"[^\w\- ]")


def all_pages() -> list[Path]:
    """Every page that a reader is meant to open."""
    top = [ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "inventory/README.md")]
    return [*top, *sorted((ROOT / "docs").rglob("*.md"))]


def read(page: str | Path) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    """The contents of the code blocks in this language."""
    return [found[2] for found in _BLOCK.finditer(text) if found[1] == language]


def prose(text: str) -> str:
    """The text without its code blocks."""
    return _BLOCK.sub("", text)


def links(text: str) -> list[str]:
    """The targets of all links."""
    return _LINK.findall(prose(text))


def anchors(text: str) -> set[str]:
    """The names GitHub gives to the headings."""
    headings = re.findall(r"^#+ +(.+)$", prose(text), re.MULTILINE)
    return {_NO_ANCHOR.sub("", heading.lower()).replace(" ", "-") for heading in headings}


def rows(text: str) -> list[list[str]]:
    """The rows of all tables, headings and rules left out, each as its cells."""
    lines = prose(text).splitlines()
    kept = [line for line, after in zip(lines, [*lines[1:], ""], strict=True)
            if line.startswith("|") and not line.startswith("| ---") and not after.startswith("| ---")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in kept]


def commands(text: str) -> list[str]:
    """The commands behind `$` in console blocks, continued lines joined."""
    joined = "\n".join(blocks(text, "console")).replace("\\\n", " ")
    return [line.strip().removeprefix("$ ") for line in joined.splitlines() if line.strip().startswith("$ ")]
