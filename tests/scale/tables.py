"""The figures as Markdown, and their place in the documentation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.scale.campaign import COPIED, Figures

BEGIN: Final = "<!-- scale -->"
END: Final = "<!-- /scale -->"
_MIB: Final = 2**20


def markdown(found: Figures) -> str:
    """Conditions, goals and all else that was measured."""
    return "\n\n".join("\n".join(part) for part in (_conditions(found), _goals(found), _others(found))) + "\n"


def _conditions(found: Figures) -> Iterator[str]:
    yield "| condition | value |"
    yield "| --- | --- |"
    yield f"| objects | {found.rows:,}; four of five with a Rails row, one of fifty a multipart object |"
    for name, value in found.conditions.items():
        yield f"| {name} | {value} |"


def _goals(found: Figures) -> Iterator[str]:
    told = found.figures
    yield "| what | goal | measured |"
    yield "| --- | --- | --- |"
    half, last = (told[f"first request, {when}.seconds"] for when in ("half settled", "last rows pending"))
    yield f"| `copy --resume`, start to first GetObject, half of the objects settled | 3 s | {half} s |"
    yield f"| the same, only the last {COPIED:,} pending | 3 s | {last} s |"
    yield f"| `status` | 1 s | {told['status.seconds']} s ({told['status.cpu_seconds']} s of CPU) |"
    peaks = {int(name.split()[2].partition(".")[0]): value for name, value in told.items()
             if re.fullmatch(r"copy at \d+\.rss", name)}
    memory = ", ".join(f"{_mib(value)} at {rows:,}" for rows, value in sorted(peaks.items()))
    yield f"| peak memory of `copy`, {COPIED:,} objects copied | 300 MiB, whatever the plan's size | {memory} |"
    yield f"| checkpoint, everything settled | 200 bytes an object | {told['settled.bytes_per_row']} |"


def _others(found: Figures) -> Iterator[str]:
    told = found.figures
    yield "| what | seconds | CPU seconds | peak memory |"
    yield "| --- | ---: | ---: | ---: |"
    names = [name.removesuffix(".rss") for name in told if name.endswith(".rss") and not name.startswith("copy at")]
    for name in names:
        yield f"| {name} | {told[f'{name}.seconds']} | {told[f'{name}.cpu_seconds']} | {_mib(told[f'{name}.rss'])} |"
    yield f"| verify, to its first request | {told['verify, first request.seconds']} | | |"
    yield ""
    moments = {"pending": "when planned", "settled": "when all are settled", "planned again": "after the same again"}
    sizes = [f"{told[f'{name}.bytes_per_row']} {when}" for name, when in moments.items()
             if f"{name}.bytes_per_row" in told]
    yield f"Bytes an object: {', '.join(sizes)}."


def _mib(size: int) -> str:
    return f"{size / _MIB:.0f} MiB"


def put_into(page: Path, text: str) -> None:
    """Replace what stands between the markers of a page. Raises ValueError where it has none."""
    told = page.read_text(encoding="utf-8")
    if BEGIN not in told or END not in told:
        raise ValueError(f"{page} has no {BEGIN} ... {END}")
    before, rest = told.split(BEGIN, 1)
    page.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{rest.split(END, 1)[1]}", encoding="utf-8")
