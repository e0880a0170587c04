"""One moment of a run as text: for the block on a terminal and for a line of a log, by the same numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blobmove.core.frozen import frozen
from blobmove.core.model import State
from blobmove.core.units import format_bytes, format_count, format_duration, format_percent, format_rate
from blobmove.views.copy_text import share, work

if TYPE_CHECKING:
    from blobmove.core.events import FlipProgress, Sample


@frozen
class Picture:
    """`part` (0-1) is the length of the bar, `percent` its text, `right` stands right of it, `below` under it.

    `line` says the same in one line of `name=value` words; `elapsed` in seconds.
    """

    command: str
    elapsed: float
    part: float
    percent: str
    right: str
    below: tuple[str, str]
    line: str


def picture_of_sample(sample: Sample, command: str) -> Picture:
    """A second of a copy or a verify; counters that are 0 are not shown."""
    done, objects, done_bytes, size = work(sample.totals)
    right = f"{format_bytes(done_bytes)} / {format_bytes(size)}   {format_rate(sample.bytes_per_second)}"
    if sample.eta_seconds is not None:
        right += f"   {format_duration(sample.eta_seconds)} left"
    counts = [f"{format_count(done)} / {format_count(objects)} objects"]
    counts += [f"{format_count(number)} {name}" for name, number in (
        ("in flight", sample.in_flight), ("retried", sample.retried), ("not well", _unwell(sample))) if number]
    counts.append(f"elapsed {format_duration(sample.elapsed)}")
    state = f"state: {sample.state} · concurrency {sample.concurrency} · " + (
        _workers(sample) if sample.workers else f"memory {format_bytes(sample.memory_used)}")
    part = done_bytes / size if size else (done / objects if objects else 1.0)
    return Picture(command, sample.elapsed, part, share(sample.totals), right, (" · ".join(counts), state),
                   _sample_line(sample))


def _sample_line(sample: Sample) -> str:
    done, objects, done_bytes, size = work(sample.totals)
    words = [share(sample.totals), f"{format_bytes(done_bytes)}/{format_bytes(size)}",
             format_rate(sample.bytes_per_second)]
    words = [word.replace(" ", "") for word in words]
    words.insert(2, f"{done}/{objects} objects")
    if sample.eta_seconds is not None:
        words.append("eta=" + format_duration(sample.eta_seconds).replace(" ", ""))
    words += [f"{name}={number}" for name, number in (
        ("retried", sample.retried), ("unwell", _unwell(sample)), ("inflight", sample.in_flight),
        ("workers", len(sample.workers))) if number]
    return " ".join([*words, f'state="{sample.state}"'])


def _workers(sample: Sample) -> str:
    """How many workers there are, and the slowest and the quickest of them in objects a second."""
    rates = [worker.objects_per_second for worker in sample.workers]
    return f"{len(rates)} workers, {min(rates):,.0f} to {max(rates):,.0f} objects/s each"


def _unwell(sample: Sample) -> int:
    """What did not end well while copying; what the plan refused is no news."""
    return sum(sample.totals.objects.get(state, 0) for state in (State.CHANGED, State.CONFLICT, State.FAILED))


def picture_of_flip(event: FlipProgress) -> Picture:
    """A batch of a flip."""
    seen = event.flipped + event.refused
    percent = format_percent(seen, event.rows)
    counts = f"{format_count(event.flipped)} flipped"
    if event.refused:
        counts += f" · {format_count(event.refused)} refused"
    below = (f"{counts} · elapsed {format_duration(event.elapsed)}", f"state: {event.state}")
    line = f'{percent.replace(" ", "")} {seen}/{event.rows} rows refused={event.refused} state="{event.state}"'
    return Picture("flip-service", event.elapsed, min(1.0, seen / event.rows) if event.rows else 1.0, percent,
                   f"{format_count(seen)} / {format_count(event.rows)} rows", below, line)
