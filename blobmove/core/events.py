"""What the machine says while it works: frozen values, and the one way to listen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import TYPE_CHECKING

from blobmove.core.frozen import frozen
from blobmove.core.results import Effort

if TYPE_CHECKING:
    from blobmove.core.crew import WorkerShown
    from blobmove.core.results import CopySummary, Totals


@frozen
class Started:
    """A run begins. `objects` and `bytes` are what is left to do."""

    plan: str
    command: str
    source: str
    destination: str
    checkpoint: str
    totals: Totals
    concurrency: int
    max_memory: int
    direction: str = "forward"


@frozen
class Sample:
    """Once a second: counters of this run, and what holds it back (`state` is never empty).

    `workers` where there are several; `effort` is what all of them have done by now.
    """

    elapsed: float
    totals: Totals
    bytes_per_second: float
    objects_per_second: float
    eta_seconds: float | None
    in_flight: int
    concurrency: int
    retried: int
    memory_used: int
    state: str
    workers: tuple[WorkerShown, ...] = ()
    effort: Effort = field(default_factory=Effort)


@frozen
class Problem:
    """One object that did not end well, or one kind of retry."""

    key: str
    state: str
    code: str
    detail: str


@frozen
class Throttled:
    """A side asked for patience, or a limit of ours holds the run."""

    side: str
    code: str
    wait_seconds: float
    concurrency: int


@frozen
class Stopping:
    """The run will end before its work is done. `in_flight` objects are being finished."""

    why: str
    in_flight: int


@frozen
class Note:
    """A sentence for the person at the terminal: what is being done now, or what was found."""

    text: str


@frozen
class Logged:
    """What a library has logged; for the log file only."""

    source: str
    text: str


@frozen
class FlipProgress:
    """After each batch of a flip, and while it waits: rows in this run so far (`rows` is the total it began with).

    `state` says what it does or why it waits (never empty); `elapsed` in seconds.
    """

    rows: int
    flipped: int
    refused: int
    state: str
    elapsed: float


@frozen
class Finished:
    """A run has ended."""

    summary: CopySummary


Event = Started | Sample | Problem | Throttled | Stopping | Note | Logged | FlipProgress | Finished
Listener = Callable[[Event], None]


def silent(_event: Event) -> None:
    """The listener that hears nothing."""
