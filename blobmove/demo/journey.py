"""The journey itself: the real commands, typed one after the other, with a kill -9 in the middle of the copy."""

from __future__ import annotations

import csv
import re
import signal
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from blobmove.demo.company import BUCKET, DESTINATION_SERVICE, S3_SERVICES
from blobmove.demo.delivery import INVENTORY_URL
from blobmove.demo.terminal import JourneyError, Terminal

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

KILL_AT: Final = 0.4
_LOOK_AGAIN_SECONDS: Final = 0.4
_REPORT: Final = "report.csv"
_PAGE: Final = "report.html"
_DONE: Final = {0: "done, nothing left"}
_LOOKED: Final = {0: "all is well", 1: "something about this machine was found; nothing is in the way"}
_COPY_DONE: Final = {1: "finished, but one name Azure cannot hold was refused (see the plan)"}
_FLIP_DONE: Final = {1: "finished, but the row of an abandoned upload, which has no file, was not flipped"}
_ON_THE_PAGE: Final = re.compile(r'class="swatch (\w+)"></span>\w+</td><td class="number">([\d,]+)</td>')
_STATES: Final = ("copied", "present", "skipped", "refused", "changed", "gone", "conflict", "failed", "pending")


@dataclass(frozen=True, slots=True)
class Route:
    """Where the journey goes: the container's address, the objects that must arrive, and how many blobs are there."""

    destination: str
    objects: int
    count_blobs: Callable[[], int]


def travel(terminal: Terminal, route: Route) -> None:
    """Run every command; raises JourneyError at the first one that does not do what is documented."""
    step = terminal.narrator.step
    with step("plan"):
        ends = ("--source", f"s3://{BUCKET}", "--destination", route.destination)
        terminal.run(("plan", "--inventory", INVENTORY_URL, *ends, "--create-container"), _DONE)
    with step("doctor --probe"):
        terminal.run(("doctor", "--probe"), _LOOKED)
    with step("copy, killed"):
        _copy_and_kill(terminal, route)
    with step("copy --resume"):
        terminal.run(("copy", "--resume", "--yes"), _COPY_DONE)
    with step("verify"):
        terminal.run(("verify",), _DONE)
    flip = ("flip-service", "--to", DESTINATION_SERVICE, *(word for name in S3_SERVICES for word in ("--from", name)))
    with step("flip-service --dry-run"):
        terminal.run((*flip, "--dry-run"), _FLIP_DONE)
    with step("flip-service"):
        terminal.run((*flip, "--confirm", DESTINATION_SERVICE), _FLIP_DONE)
    with step("status"):
        terminal.run(("status",), _DONE)
    with step("report"):
        terminal.run(("report", "--objects", _REPORT, "--html", _PAGE), _DONE)
        _look_at_the_end(terminal, route)


def _copy_and_kill(terminal: Terminal, route: Route) -> None:
    process = terminal.start(("copy", "--resume", "--yes"))
    try:
        _wait_for_the_middle(terminal, process)
    finally:
        process.kill()
        process.wait()
    if process.returncode != -signal.SIGKILL:
        raise JourneyError(f"the copy was not killed in the middle: it ended by itself with {process.returncode}")
    terminal.narrator.command(("kill", "-9", str(process.pid)))
    blobs = route.count_blobs()
    outcomes = _outcomes(terminal)
    recorded = outcomes["copied"] + outcomes["present"]
    if not 0 < blobs < route.objects or not 0 < recorded <= blobs or outcomes["pending"] == 0:
        raise JourneyError(f"the kill was not in the middle: {blobs} blobs on Azure, outcomes {outcomes}")
    terminal.narrator.remark(
        f"killed with {recorded:,} of {route.objects:,} objects recorded; Azure holds {blobs:,} blobs;"
        f" {outcomes['pending']:,} pending; planned = sum of the outcomes"
    )


def _wait_for_the_middle(terminal: Terminal, process: subprocess.Popen[bytes]) -> None:
    """Until the checkpoint says that KILL_AT of what is to be copied has been recorded, or the copy is over."""
    while process.poll() is None:
        status = terminal.ask("status")
        outcomes = Counter((status or {}).get("outcomes", {}))
        settled = outcomes["copied"] + outcomes["present"]
        if settled >= KILL_AT * (settled + outcomes["pending"]) > 0:
            return
        time.sleep(_LOOK_AGAIN_SECONDS)


def _outcomes(terminal: Terminal) -> dict[str, int]:
    """The outcomes `status --json` tells; raises JourneyError unless they add up to the plan."""
    status = terminal.ask("status")
    if status is None:
        raise JourneyError("`blobmove status --json` printed no JSON document")
    outcomes = {state: _count(status["outcomes"], state) for state in _STATES}
    if status["planned"] != sum(status["outcomes"].values()) or set(status["outcomes"]) - set(_STATES):
        raise JourneyError(f"the outcomes do not add up to {status['planned']} planned: {status['outcomes']}")
    return outcomes


def _count(outcomes: dict[str, Any], state: str) -> int:
    return int(outcomes.get(state, 0))


def _look_at_the_end(terminal: Terminal, route: Route) -> None:
    """Every object has arrived and one is refused; the report has one record an object and the same outcomes."""
    outcomes = _outcomes(terminal)
    unwell = sum(outcomes[state] for state in ("changed", "gone", "conflict", "failed", "pending"))
    if outcomes["copied"] + outcomes["present"] != route.objects or outcomes["refused"] != 1 or unwell:
        raise JourneyError(f"{route.objects} objects should have arrived and one be refused, but: {outcomes}")
    with (terminal.workdir / _REPORT).open(newline="", encoding="utf-8") as lines:
        records = Counter(record["state"] for record in csv.DictReader(lines))
    if records != Counter({state: count for state, count in outcomes.items() if count}):
        raise JourneyError(f"{_REPORT} has other outcomes than `blobmove status`: {dict(records)}")
    page = (terminal.workdir / _PAGE).read_text(encoding="utf-8")
    told = Counter({state: int(count.replace(",", "")) for state, count in _ON_THE_PAGE.findall(page)})
    if told != records:
        raise JourneyError(f"{_PAGE} has other outcomes than {_REPORT}: {dict(told)}")
    terminal.narrator.remark(f"{_REPORT}: {records.total():,} records, one for each planned object; {_PAGE}: the same,"
                             " for an auditor")
