"""The command line of `scripts/bench`."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.bench import cases, contestants, documents, plot, results, tables
from tests.bench.campaign import Cores, Entry, measure
from tests.bench.machine import conditions
from tests.bench.stage import Network

Plan = tuple[tuple[str, Network], ...]

_PLAIN: Final = Network()
_TLS: Final = Network(tls=True)
_FAR: Final = Network(latency_ms=20.0)
_FAR_TLS: Final = Network(tls=True, latency_ms=20.0)

CAMPAIGN: Final[Plan] = (
    (cases.START, _PLAIN), ("4k", _PLAIN), ("64k", _PLAIN), ("1m", _PLAIN), ("64m", _PLAIN), ("1g", _PLAIN),
    ("mix", _PLAIN), (cases.START, _TLS), ("4k", _TLS), ("1m", _TLS), ("64m", _TLS), ("mix", _FAR), ("mix", _FAR_TLS),
)
QUICK: Final[Plan] = (("4k", _PLAIN), ("4k", _TLS), ("64m", _PLAIN), ("mix", _FAR))
_FEW: Final = {cases.START: 10, "4k": 200, "64k": 200, "1m": 20, "64m": 2, "1g": 1, "mix": 40}
"""Objects of each case where it shall be quick: enough to see that all works; the figures are mostly start-up."""

_ALL: Final = tuple(name for name in cases.BY_NAME if name != cases.START)


def main(words: Sequence[str] | None = None) -> int:
    """Measure what was asked for. Exit code 1 when a run did not count."""
    options = parser().parse_args(words)
    found = _measured(options) if not options.given else results.read(options.given)
    text = tables.markdown(found)
    sys.stdout.write(text)
    if options.json:
        results.write(found, options.json)
    if options.markdown:
        options.markdown.write_text(text, encoding="utf-8")
    if options.svg:
        options.svg.write_text(plot.svg(found), encoding="utf-8")
    if options.write_docs:
        documents.write_documents(found)
    return 1 if any(not run.complete for lane in found.lanes for run in lane.runs) else 0


def _measured(options: argparse.Namespace) -> results.Results:
    cores = _cores(options.pin)
    taking_part = [contestants.BY_NAME[name] for name in options.only or contestants.BY_NAME]
    found = measure(entries(options), taking_part, cores, _say)
    found.conditions = conditions(cores)
    return found


def entries(options: argparse.Namespace) -> list[Entry]:
    """The stages asked for: the whole campaign, or the named cases on the named network."""
    plan = QUICK if options.quick else CAMPAIGN
    if options.case or options.tls or options.latency_ms is not None:
        plan = tuple((name, Network(options.tls, options.latency_ms or 0.0)) for name in options.case or _ALL)
    chosen = [(cases.BY_NAME[name], network) for name, network in plan]
    if options.quick:
        chosen = [(case.shortened(_FEW[case.name]), network) for case, network in chosen]
    if options.objects:
        chosen = [(case.shortened(options.objects), network) for case, network in chosen]
    rounds = options.rounds or (1 if options.quick else 3)
    return [Entry(case, network, rounds) for case, network in chosen]


def _cores(pin: str) -> Cores:
    """The cloud on one CPU and the tools on the others, where there are others."""
    if pin == "none" or not hasattr(os, "sched_getaffinity") or shutil.which("taskset") is None:
        return Cores()
    mine = sorted(os.sched_getaffinity(0))
    return Cores(frozenset(mine[:1]), frozenset(mine[1:])) if len(mine) > 1 else Cores()


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def parser() -> argparse.ArgumentParser:
    """The words the command knows; scripts/bench shows them by itself, before anything is set up."""
    words = argparse.ArgumentParser(
        prog="scripts/bench", description="Measure blobmove and rclone side by side, in alternating runs.")
    words.add_argument("--case", action="append", choices=sorted(cases.BY_NAME), help="only this case (repeatable)")
    words.add_argument("--only", action="append", choices=sorted(contestants.BY_NAME),
                       help="only this contestant (repeatable)")
    words.add_argument("--tls", action="store_true", help="over TLS")
    words.add_argument("--latency-ms", type=float, help="latency of each request")
    words.add_argument("--rounds", type=int, help="runs of each contestant on each stage (default: 3, quick 1)")
    words.add_argument("--objects", type=int, help="the first so many objects of each case only")
    words.add_argument("--quick", action="store_true", help="few objects, under a minute")
    words.add_argument("--pin", choices=("apart", "none"), default="none",
                       help="apart: the cloud on one CPU, the tools on the others; none: all share (default)")
    words.add_argument("--from", dest="given", action="append", type=Path, metavar="FILE",
                       help="measure nothing, take the results of an earlier --json (repeatable)")
    words.add_argument("--json", type=Path, metavar="FILE", help="write all runs as JSON")
    words.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables")
    words.add_argument("--svg", type=Path, metavar="FILE", help="write the picture")
    words.add_argument("--write-docs", action="store_true",
                       help="refresh docs/explanation/performance.md and its picture")
    return words


if __name__ == "__main__":
    raise SystemExit(main())
