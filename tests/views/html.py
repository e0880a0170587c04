"""A page as its reader sees it: elements, text, and tables below their headings, by the parser of the library."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

_VOID = frozenset({"meta", "br", "rect"})


@dataclass
class Page:
    """What was parsed. `outward` are attributes and styles that would load something from elsewhere."""

    tags: set[str] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)
    outward: list[str] = field(default_factory=list)
    text: str = ""
    tables: dict[str, list[list[str]]] = field(default_factory=dict)

    def rows(self, heading: str) -> list[list[str]]:
        """The rows of all tables below this heading."""
        return self.tables[heading]

    def numbers(self, heading: str) -> list[int]:
        """The counts in the first column below this heading."""
        return [int(row[0].replace(",", "")) for row in self.rows(heading) if re.fullmatch(r"[\d,]+", row[0])]

    def sum_of(self, heading: str) -> int:
        """What the lines before the last come to, each with its sign."""
        signs = {"": 1, "−": -1}
        return sum(signs[row[0]] * int(row[1].replace(",", "")) for row in self.rows(heading)[:-1])


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Page()
        self.open: list[str] = []
        self.heading = ""
        self.cell: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.page.tags.add(tag)
        for name, value in attrs:
            self.page.attributes.add(name)
            if name in ("src", "href", "action", "data", "srcset", "xlink:href") or "url(" in (value or ""):
                self.page.outward.append(f"{tag} {name}={value}")
        if tag not in _VOID:
            self.open.append(tag)
        if tag == "h2":
            self.heading = ""
        if tag == "tr":
            self.page.tables.setdefault(self.heading, []).append([])
        if tag in ("td", "th"):
            self.cell = []

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> crosses another element"
        if tag in ("td", "th") and self.cell is not None:
            self.page.tables[self.heading][-1].append("".join(self.cell).strip())
            self.cell = None

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style":
            self.page.outward += re.findall(r"@import[^;]*|url\([^)]*\)", data)
            return
        self.page.text += data
        if "h2" in self.open:
            self.heading += data
        if self.cell is not None:
            self.cell.append(data)


def parse_page(html: str) -> Page:
    """Fails on elements that are not closed or cross each other."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == [], f"never closed: {reader.open}"
    return reader.page


def read_page(path: Path) -> Page:
    """The page in a file."""
    return parse_page(path.read_text(encoding="utf-8"))
