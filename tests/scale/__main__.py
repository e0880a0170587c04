"""The command line of `scripts/scale`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.cloud.control import Cloud
from tests.scale import tables
from tests.scale.campaign import COPIED, Campaign, Figures


def main(words: Sequence[str] | None = None) -> int:
    """Measure, or take the figures of an earlier run; print and write them."""
    options = _parser().parse_args(words)
    found = _given(options.given) if options.given else _measured(options)
    text = tables.markdown(found)
    sys.stdout.write(text)
    if options.json:
        options.json.write_text(found.to_json(), encoding="utf-8")
    if options.into:
        tables.put_into(options.into, text)
    return 0


def _measured(options: argparse.Namespace) -> Figures:
    if options.rows < 4 * COPIED:
        raise SystemExit(f"error: --rows must be at least {4 * COPIED}")
    if options.folder is not None:
        options.folder.mkdir(parents=True, exist_ok=True)
    cloud = Cloud.start()
    try:
        with tempfile.TemporaryDirectory(prefix="blobmove-scale-", dir=options.folder) as folder:
            found = Campaign(cloud, Path(folder), options.rows, _say).run(_smaller(options.rows))
    finally:
        cloud.stop()
    found.conditions = _conditions()
    return found


def _smaller(rows: int) -> tuple[int, ...]:
    return tuple(size for size in (1000, 100_000) if size < rows)


def _given(path: Path) -> Figures:
    return Figures(**json.loads(path.read_text(encoding="utf-8")))


def _conditions() -> dict[str, str]:
    memory = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
    return {
        "when": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": f"{os.cpu_count()} CPUs shared with the simulated cloud and with others, {memory} GiB, "
                   f"{platform.system()} {platform.release()}",
        "Python, SQLite": f"{platform.python_version()}, {sqlite3.sqlite_version}",
    }


def _say(line: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    sys.stderr.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/scale",
        description="Measure a checkpoint of many objects; scripts/scale --help tells how it is made.",
    )
    parser.add_argument("--rows", type=int, default=10_000_000, metavar="N", help="objects (default: 10,000,000)")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where to work (default: the temporary folder)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    parser.add_argument("--into", type=Path, metavar="PAGE",
                        help=f"write the tables between {tables.BEGIN} and {tables.END} of this page")
    parser.add_argument("--from", dest="given", type=Path, metavar="FILE",
                        help="measure nothing, take the figures of an earlier --json")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
