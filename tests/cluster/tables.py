"""The tables of `scripts/crew`, as they stand in docs/explanation/performance.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.cluster.simulation import Costs, Simulated
from tests.cluster.speed import IN_FLIGHT, LATENCY_MS, Speeds

BEGIN: Final = "<!-- cluster -->"
END: Final = "<!-- /cluster -->"


def markdown(found: Speeds, simulations: Sequence[Simulated], unlimited: Simulated | None = None) -> str:
    """Conditions, what was measured, what was simulated."""
    rate = found.objects / found.small["1"], found.objects / found.small["4"]
    lines = [
        "| condition | value |", "| --- | --- |",
        *(f"| {name} | {value} |" for name, value in found.conditions.items()),
        f"| latency | {LATENCY_MS:.0f} ms on both sides |",
        f"| limit of each worker | {IN_FLIGHT} requests in flight a side; for the large object"
        f" {found.rate_mib} MiB/s |",
        *([f"| turns | {found.rounds} of one and of four workers; the shortest times |"] if found.rounds > 1 else []),
        "", "| what | one worker | four workers | times | goal |", "| --- | ---: | ---: | ---: | ---: |",
        f"| {found.objects:,} objects of 4 KiB | {rate[0]:,.0f}/s | {rate[1]:,.0f}/s | {found.gain(found.small):.2f}"
        " | 3.6 |",
        *(_giant(kind, seconds, found) for kind, seconds in (
            ("with CRC64NVME", found.giant), ("in parts of 64 MiB", found.parts)) if seconds),
        "",
        f"Coordinator: {1e6 * Costs.of(found.coordinator).an_object:.0f} µs of CPU an object, the start taken off.",
        "", "Simulated, one billion small objects:", "",
        "| workers | objects/s | hours | coordinator | workers idle | checkpoint | held back by |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | --- |",
        *(_row(str(one.workers), one) for one in simulations),
    ]
    if unlimited is not None:
        lines.append(_row(f"{unlimited.workers}, an account without limit", unlimited))
    return "\n".join(lines) + "\n"


def _giant(kind: str, seconds: dict[str, float], found: Speeds) -> str:
    speed = found.giant_mib / seconds["1"], found.giant_mib / seconds["4"]
    return (f"| one object of {found.giant_mib:,} MiB {kind} | {speed[0]:.0f} MiB/s | {speed[1]:.0f} MiB/s"
            f" | {found.gain(seconds):.2f} | 3 |")


def _row(workers: str, one: Simulated) -> str:
    return (f"| {workers} | {one.objects_per_second:,.0f} | {one.hours:,.1f} | {one.busy:.0%} of a core"
            f" | {max(0.0, one.idle):.0%} | {one.gib:,.0f} GiB | {one.binds} |")


def put_into(page: Path, text: str) -> None:
    """Replace what stands between the marks. Raises ValueError where they are missing."""
    before, mark, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, closing, after = rest.partition(END)
    if not mark or not closing:
        raise ValueError(f"{page} has no {BEGIN} ... {END}")
    page.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", encoding="utf-8")
