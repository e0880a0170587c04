"""The picture: client CPU of every tool on every stage as bars, rclone with its best flags being 1; plain SVG."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

from tests.bench.cases import START
from tests.bench.contestants import BY_NAME as CONTESTANTS
from tests.bench.goals import ratio
from tests.bench.results import Lane, Results
from tests.bench.tables import title

_WIDTH: Final = 880
_LEFT: Final = 250
_RIGHT: Final = 210
_ROW: Final = 19
_BAR: Final = 13
_MOST: Final = 2.0
"""Longer bars are cut there, and say so by their figure."""

_STYLE: Final = """
  text { font: 12px system-ui, sans-serif; fill: #24292f; }
  .heading { font-weight: 600; }
  .other { fill: #8c959f; } .own { fill: #0969da; } .bare { fill: #c9a227; }
  .line { stroke: #57606a; stroke-width: 1; stroke-dasharray: 3 3; }
  .ground { fill: #ffffff; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } .ground { fill: #0d1117; } .line { stroke: #8b949e; }
    .other { fill: #6e7681; } .own { fill: #4493f8; } .bare { fill: #d4b106; }
  }
"""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: who, how long (1.0: as much as rclone), and the figure written behind it."""

    name: str
    length: float
    figure: str
    kind: str


def svg(results: Results) -> str:
    """The whole picture; light and dark by the reader's own setting, all text as text."""
    groups = [(title(*stage), bars) for stage in results.stages() if (bars := list(_bars(results, *stage)))]
    height = 54 + sum(30 + _ROW * len(bars) for _, bars in groups)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" aria-labelledby="t d">',
        '<title id="t">Client CPU of each tool, compared with rclone</title>',
        f'<desc id="d">{escape(_in_words(groups))}</desc>',
        f"<style>{_STYLE}</style>",
        f'<rect class="ground" width="{_WIDTH}" height="{height}"/>',
        '<text class="heading" x="12" y="24">Client CPU, rclone with its best flags = 1 (shorter is better)</text>',
        *_drawn(groups, 54),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _drawn(groups: list[tuple[str, list[Bar]]], top: int) -> Iterator[str]:
    one = _LEFT + (_WIDTH - _LEFT - _RIGHT) / _MOST
    for heading, bars in groups:
        yield f'<text class="heading" x="12" y="{top}">{escape(heading)}</text>'
        top += 8
        yield f'<line class="line" x1="{one:.1f}" y1="{top}" x2="{one:.1f}" y2="{top + _ROW * len(bars)}"/>'
        for bar in bars:
            wide = min(bar.length, _MOST) * (one - _LEFT)
            yield f'<text x="{_LEFT - 8}" y="{top + 13}" text-anchor="end">{escape(bar.name)}</text>'
            yield f'<rect class="{bar.kind}" x="{_LEFT}" y="{top + 3}" width="{wide:.1f}" height="{_BAR}" rx="2"/>'
            yield f'<text x="{_LEFT + wide + 6:.1f}" y="{top + 13}">{escape(bar.figure)}</text>'
            top += _ROW
        top += 22


def _bars(results: Results, case: str, tls: bool, latency_ms: float) -> Iterator[Bar]:
    if case == START:
        return
    for name, contestant in CONTESTANTS.items():
        lane = results.lane(case, tls, latency_ms, name)
        length = ratio(Lane.cpu_per_object, lane, results.lane(case, tls, latency_ms, "rclone"))
        if lane is not None and length is not None:
            kind = "own" if name.startswith("blobmove") else "bare" if name.startswith("bare") else "other"
            yield Bar(contestant.title, length, f"{length:.2f}  ({_figure(lane)})", kind)


def _figure(lane: Lane) -> str:
    if lane.bytes / lane.objects > 2**20:
        speed = lane.per_cpu_second()
        return f"{speed.middle:,.0f} MiB a CPU-second" if speed else ""
    each = lane.cpu_per_object()
    return f"{each.middle:,.0f} µs an object" if each else ""


def _in_words(groups: list[tuple[str, list[Bar]]]) -> str:
    return " ".join(f"{heading}: {', '.join(f'{bar.name} {bar.length:.2f}' for bar in bars)}."
                    for heading, bars in groups)
