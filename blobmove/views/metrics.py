"""A run as Prometheus series: it hears the events, and answers a scrape with figures that were true together.

It is fed by the sample of each second and by rare events: an object costs it nothing. No label holds a key, an address
of the two ends, or a secret: outcomes, sides, operations, codes and workers are all there is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder

from blobmove import __version__
from blobmove.core.errors import Side
from blobmove.core.events import Finished, Sample, Started, Stopping, Throttled
from blobmove.core.frozen import frozen
from blobmove.core.model import State
from blobmove.core.results import Effort, Totals

if TYPE_CHECKING:
    from blobmove.core.crew import WorkerShown
    from blobmove.core.events import Event

Family = CounterMetricFamily | GaugeMetricFamily
Values = Mapping[tuple[str, ...], float]

SIDES: Final = {Side.SOURCE.value: "s3", Side.DESTINATION.value: "azure"}
"""How the two sides are named in `requests` of the JSON summary, too."""

_ENDED: Final = tuple(state for state in State if state is not State.PENDING)


@frozen
class Now:
    """What is shown: replaced as a whole with each event that tells of it, so that a scrape never sees half of it."""

    started: Started | None = None
    totals: Totals = field(default_factory=lambda: Totals({}, {}))
    effort: Effort = field(default_factory=Effort)
    elapsed: float = 0.0
    eta_seconds: float | None = None
    in_flight: int = 0
    concurrency: int = 0
    memory_used: int = 0
    stopping: bool = False
    workers: tuple[WorkerShown, ...] = ()


class Metrics:
    """The listener, and a collector of its own registry: nothing of this process is told but the run."""

    def __init__(self) -> None:
        self._now = Now()
        self._throttled: Counter[tuple[str, ...]] = Counter()
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def __call__(self, event: Event) -> None:
        """Hear one event."""
        match event:
            case Started():
                self._now = Now(event, event.totals, concurrency=event.concurrency)
            case Sample():
                self._now = _sampled(self._now, event)
            case Throttled():
                self._throttled[(SIDES.get(event.side, event.side),)] += 1
            case Stopping():
                self._now = replace(self._now, stopping=True)
            case Finished(summary):
                self._now = replace(
                    self._now, totals=summary.totals, effort=summary.effort, elapsed=summary.seconds, eta_seconds=None,
                    in_flight=0, memory_used=0,
                    workers=tuple(replace(one, in_flight=0) for one in self._now.workers),
                )  # fmt: skip

    def text(self, accept: str = "") -> tuple[bytes, str]:
        """All series as the reader's `Accept` header wants them, and their content type."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    def collect(self) -> Iterator[Family]:
        """What the registry asks for. May be called by another thread than the one that hears."""
        now = self._now
        yield _gauge("blobmove_build_info", "Which blobmove this is.", ("version",), {(__version__,): 1})
        if now.started is None:
            return
        yield from _of_the_plan(now, now.started)
        yield from _of_the_run(now)
        yield _counter("blobmove_throttled_total", "Times this run has slowed down because a side refused requests.",
                       ("side",), dict(self._throttled))
        if now.workers:
            yield from _of_the_workers(now.workers)


def _sampled(now: Now, sample: Sample) -> Now:
    return replace(
        now, totals=sample.totals, effort=sample.effort, elapsed=sample.elapsed, eta_seconds=sample.eta_seconds,
        in_flight=sample.in_flight, concurrency=sample.concurrency, memory_used=sample.memory_used,
        workers=sample.workers,
    )  # fmt: skip


def _of_the_plan(now: Now, started: Started) -> Iterator[Family]:
    """Where the plan stands: planned = sum over outcomes + pending."""
    totals = now.totals
    objects, sizes = totals.objects, totals.bytes
    yield _gauge("blobmove_run_info", "The run.", ("command", "direction", "plan"),
                 {(started.command, started.direction, started.plan): 1})
    yield _gauge("blobmove_plan_objects", "Objects of the plan.", (), {(): totals.planned})
    yield _gauge("blobmove_plan_bytes", "Bytes of the plan.", (), {(): totals.planned_bytes})
    yield _counter("blobmove_objects_total", "Objects of the plan that have ended, by outcome.", ("outcome",),
                   {(str(state),): objects.get(state, 0) for state in _ENDED})
    yield _counter("blobmove_object_bytes_total", "Bytes of the objects that have ended, by outcome.", ("outcome",),
                   {(str(state),): sizes.get(state, 0) for state in _ENDED})
    yield _gauge("blobmove_pending_objects", "Objects that are still to do.", (), {(): objects.get(State.PENDING, 0)})
    yield _gauge("blobmove_pending_bytes", "Bytes that are still to do.", (), {(): sizes.get(State.PENDING, 0)})


def _of_the_run(now: Now) -> Iterator[Family]:
    """What this run does and has done."""
    effort = now.effort
    yield _counter("blobmove_bytes_total", "Bytes of bodies moved by this run, by direction.", ("direction",),
                   _directions(effort.bytes_read, effort.bytes_written, effort.bytes_pulled))
    yield _counter("blobmove_requests_total", "Requests of this run.", ("side", "operation"),
                   _by_side(effort.requests_s3, effort.requests_azure))
    yield _counter("blobmove_retries_total", "Requests of this run that were tried again, by the code of the failure.",
                   ("side", "code"), _by_side(effort.retries_s3, effort.retries_azure))
    yield _gauge("blobmove_in_flight", "Objects under way.", (), {(): now.in_flight})
    yield _gauge("blobmove_concurrency_limit", "Requests that may be in flight to the slower side.", (),
                 {(): now.concurrency})
    yield _gauge("blobmove_memory_bytes", "Memory that bodies take.", (), {(): now.memory_used})
    yield _gauge("blobmove_elapsed_seconds", "Since this run began.", (), {(): now.elapsed})
    if now.eta_seconds is not None:
        yield _gauge("blobmove_eta_seconds", "Until it is done, at this pace.", (), {(): now.eta_seconds})
    yield _gauge("blobmove_stopping", "1 while a run that was stopped finishes what is in flight.", (),
                 {(): int(now.stopping)})


def _of_the_workers(workers: tuple[WorkerShown, ...]) -> Iterator[Family]:
    """Each worker's part. One that has left is shown no more: labels do not pile up over a long run."""
    yield _gauge("blobmove_workers", "Workers of the cluster.", (), {(): len(workers)})
    yield _counter("blobmove_worker_objects_total", "Objects that this worker has brought to an end.", ("worker",),
                   {(one.name,): one.settled for one in workers})
    yield _counter(
        "blobmove_worker_bytes_total", "Bytes of bodies moved by this worker, by direction.", ("worker", "direction"),
        {(one.name, *direction): number for one in workers
         for direction, number in _directions(one.bytes_read, one.bytes_written, one.bytes_pulled).items()},
    )  # fmt: skip
    yield _counter("blobmove_worker_retries_total", "Requests of this worker that were tried again.", ("worker",),
                   {(one.name,): one.retried for one in workers})
    yield _gauge("blobmove_worker_in_flight", "Objects under way at this worker.", ("worker",),
                 {(one.name,): one.in_flight for one in workers})
    yield _gauge("blobmove_worker_concurrency_limit", "This worker's part of the limit.", ("worker",),
                 {(one.name,): one.slots for one in workers})


def _directions(read: int, written: int, pulled: int) -> Values:
    return {("read",): read, ("written",): written, ("pulled",): pulled}


def _by_side(s3: Mapping[str, int], azure: Mapping[str, int]) -> Values:
    return {(side, name): number for side, counts in (("s3", s3), ("azure", azure))
            for name, number in sorted(counts.items())}


def _counter(name: str, told: str, labels: tuple[str, ...], values: Values) -> Family:
    return _filled(CounterMetricFamily(name, told, labels=labels), values)


def _gauge(name: str, told: str, labels: tuple[str, ...], values: Values) -> Family:
    return _filled(GaugeMetricFamily(name, told, labels=labels), values)


def _filled(family: Family, values: Values) -> Family:
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family
