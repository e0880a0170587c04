"""The command line of `scripts/crew`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from math import inf
from pathlib import Path

from tests.cluster.simulation import Costs, simulated
from tests.cluster.speed import Speeds, measured
from tests.cluster.tables import markdown, put_into


def main(words: Sequence[str] | None = None) -> int:
    """Measure or take earlier figures, simulate, print and write the tables."""
    parser = argparse.ArgumentParser(prog="scripts/crew", description=__doc__)
    parser.add_argument("--objects", type=int, default=32_000, help="small objects of a measurement")
    parser.add_argument("--giant", type=int, default=4096, help="MiB of the large object")
    parser.add_argument("--rate", type=int, default=32, help="MiB a second that one worker may move of it")
    parser.add_argument("--rounds", type=int, default=1, help="turns of one and four workers; the shortest times count")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--from", dest="given", type=Path, help="measure nothing, take an earlier --json")
    parser.add_argument("--into", type=Path, help="write the tables between the marks <!-- cluster --> of this page")
    options = parser.parse_args(words)
    if options.given:
        found = Speeds(**json.loads(options.given.read_text()))
    else:
        found = measured(options.objects, options.giant, options.rate, options.rounds, _say)
    if options.json:
        options.json.write_text(json.dumps(found.to_json(), indent=2) + "\n")
    costs = Costs.of(found.coordinator)
    runs = [simulated(number, costs) for number in (1, 10, 20, 100)]
    text = markdown(found, runs, simulated(100, costs, account=inf))
    sys.stdout.write(text)
    if options.into:
        put_into(options.into, text)
    return 0


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
