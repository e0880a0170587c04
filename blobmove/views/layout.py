"""Plain columns for people: aligned numbers, rules, bars, and colour that is never needed to understand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from blobmove.core.frozen import frozen
from blobmove.core.units import format_count

_CODES: Final = {"good": "32", "bad": "31", "warn": "33", "hint": "36", "strong": "1"}
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_EIGHTHS: Final = " ▏▎▍▌▋▊▉"


@frozen
class Paint:
    """Colours text where it is on; the text is the same without."""

    on: bool = False

    def __call__(self, text: str, meaning: str) -> str:
        """`meaning`: good, bad, warn, hint or strong."""
        return f"\x1b[{_CODES[meaning]}m{text}\x1b[0m" if self.on else text


PLAIN: Final = Paint(on=False)


def printable(text: str, limit: int = 100) -> str:
    """A key as a terminal may show it: control and direction characters escaped, the middle of a long one cut."""
    safe = _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
    if len(safe) <= limit:
        return safe
    half = (limit - 1) // 2
    return f"{safe[:half]}…{safe[-half:]}"


def columns(rows: Sequence[Sequence[str]], align: str, indent: str = "    ", gap: str = "  ") -> list[str]:
    """Rows of equally many cells as aligned lines; `align` has one of `<` and `>` a column."""
    widths = [max(map(len, column), default=0) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [f"{cell:{side}{width}}" for cell, side, width in zip(row, align, widths, strict=True)]
        lines.append((indent + gap.join(cells)).rstrip())
    return lines


def rule(lines: Iterable[str], indent: str = "    ") -> str:
    """A line as wide as the widest of the others."""
    return indent + "─" * max((len(line) - len(indent) for line in lines), default=0)


def bar(share: float, width: int = 24) -> str:
    """A bar for a share between 0 and 1; anything above 0 is visible."""
    eighths = round(share * width * 8)
    if share > 0:
        eighths = max(1, eighths)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).rstrip()


def listed(counts: Mapping[str, int], sign: str = " ") -> str:
    """`2 × E403-SOURCE, 1 × E404-SOURCE` with sign ` × `; `GetObject 3, PutBlob 3` with a blank. Largest first."""
    ranked = sorted((item for item in counts.items() if item[1]), key=lambda item: (-item[1], item[0]))
    if sign == " ":
        return ", ".join(f"{name} {format_count(number)}" for name, number in ranked)
    return ", ".join(f"{format_count(number)}{sign}{name}" for name, number in ranked)


def plural(number: int, one: str, many: str | None = None) -> str:
    """`1 object`, `2 objects`, `1,000 rows`."""
    return f"{format_count(number)} {one if number == 1 else many or one + 's'}"
