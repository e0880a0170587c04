"""The numbers of a copy while it runs: totals moved with every batch, samples, and the summary at the end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from blobmove.core.events import Sample
from blobmove.core.model import Outcome, State
from blobmove.core.results import CopySummary, Effort, Totals, Travelled
from blobmove.core.settings import for_checkpoint
from blobmove.core.speed import RateWindow

if TYPE_CHECKING:
    from blobmove.checkpoint.values import Setup
    from blobmove.core.crew import WorkerShown
    from blobmove.engine.bench import Bench
    from blobmove.engine.requests import Requests

LEFT = (State.PENDING,)
_RECENT_SECONDS: Final = 10.0


@dataclass(slots=True)
class Running:
    """Totals as of the last recorded batch. `sizes` maps a transfer in flight to the bytes it was planned with."""

    objects: dict[State, int]
    bytes: dict[State, int]
    window: RateWindow = field(default_factory=RateWindow)
    started: float = field(default_factory=time.monotonic)
    settled: int = 0
    settled_bytes: int = 0
    failed: int = 0

    def settle(self, outcomes: Sequence[Outcome], planned_sizes: Sequence[int]) -> None:
        """Move recorded outcomes from pending to their states."""
        sizes = [
            planned if outcome.size is None else outcome.size
            for outcome, planned in zip(outcomes, planned_sizes, strict=True)
        ]
        numbers = Counter([outcome.state for outcome in outcomes])
        self.objects[State.PENDING] -= len(outcomes)
        self.bytes[State.PENDING] -= sum(planned_sizes)
        for state, number in numbers.items():
            self.objects[state] += number
            self.bytes[state] += sum(sizes) if number == len(outcomes) else sum(
                size for outcome, size in zip(outcomes, sizes, strict=True) if outcome.state is state
            )
        self.settled += len(outcomes)
        self.settled_bytes += sum(sizes)
        self.failed += numbers[State.FAILED]

    def totals(self) -> Totals:
        return Totals(dict(self.objects), dict(self.bytes))

    def sample(self, bench: Bench, state: str, workers: tuple[WorkerShown, ...] = ()) -> Sample:
        """The sample of this second; `workers` where there are several."""
        now = time.monotonic()
        elapsed = now - self.started
        self.window.add(now, self.settled_bytes, self.settled)
        per_byte, per_object = self.window.rates()
        slots = min(bench.s3.concurrency.slots, bench.azure.concurrency.slots)
        left, left_bytes = self.objects[State.PENDING], self.bytes[State.PENDING]
        return Sample(
            elapsed=elapsed, totals=self.totals(), bytes_per_second=per_byte, objects_per_second=per_object,
            eta_seconds=self.window.eta(left_bytes, left, elapsed), in_flight=bench.counters.in_flight,
            concurrency=sum(one.slots for one in workers) or slots,
            retried=bench.s3.retried + bench.azure.retried, memory_used=bench.memory.used, state=state, workers=workers,
            effort=effort_of(bench),
        )


def effort_of(bench: Bench) -> Effort:
    """What has been done with this bench by now; on several workers, what they have told of."""
    counters = bench.counters
    return Effort(
        counters.bytes_read, counters.bytes_written, counters.bytes_pulled, dict(bench.source.requests),
        dict(bench.destination.requests), dict(bench.s3.retries), dict(bench.azure.retries),
    )


def holding_back(bench: Bench, paused: bool, stopping: bool, workers: Callable[[], str] | None = None) -> str:
    """What the run waits for most, in words; never empty. `workers` tells it where several do the work."""
    if stopping:
        return "finishing what is in flight"
    if paused:
        return "paused by the throttle file"
    if workers is not None:
        return workers()
    sides, now = (("S3", bench.s3), ("Azure", bench.azure)), time.monotonic()
    for name, side in sides:
        if text := _refused(name, side, now):
            return text
    if bench.bandwidth.waiting:
        return "limited by --bandwidth"
    if _out_of_memory(bench):
        return "limited by --max-memory"
    if not bench.counters.in_flight:
        return "reading the plan"
    for name, side in sides:
        if now - side.concurrency.slower_at < _RECENT_SECONDS:
            return f"{name} answers slower: {side.concurrency.slots} in flight"
    s3, azure = bench.s3.gate, bench.azure.gate
    slower = "S3" if s3.used + s3.waiting >= azure.used + azure.waiting else "Azure"
    return f"waiting for {slower}"


def _refused(name: str, side: Requests, now: float) -> str:
    """What a side has complained of lately, and the pace it is sent requests at because of it."""
    (what, when), pace = side.last_trouble, side.concurrency.pace
    if not what or (pace is None and now - when >= _RECENT_SECONDS):
        return ""
    return f"limited by {name} ({what})" + (f": {pace.rate:,.0f} requests/s" if pace is not None else "")


def _out_of_memory(bench: Bench) -> bool:
    """Large objects that wait for their part, while small ones get by, are in order."""
    part = bench.large_memory
    return bool(bench.memory.waiting or (part is not None and part.waiting and not bench.lane.small_left))


class Counted(Protocol):
    """Where outcomes are counted: the checkpoint, or the ledger of the way back."""

    def totals(self) -> Totals: ...
    def tally(self, kind: str, /) -> dict[str, int]: ...


def summed_up(setup: Setup, counted: Counted, bench: Bench, seconds: float) -> CopySummary:
    """The end of a run: what was counted, and what this process did for it. Names no next command yet."""
    counters = bench.counters
    return CopySummary(
        plan=setup.plan, source=setup.source, destination=setup.destination, totals=counted.totals(),
        reasons=counted.tally("reason"), proofs=counted.tally("proof"), notes=counted.tally("note"),
        bytes_read=counters.bytes_read, bytes_written=counters.bytes_written,
        requests_s3=dict(sorted(bench.source.requests.items())),
        requests_azure=dict(sorted(bench.destination.requests.items())),
        retries=bench.s3.retried + bench.azure.retried, seconds=seconds, next="",
        travelled=Travelled(counters.pulled, counters.streamed, counters.bytes_pulled, bench.pulling.given_up),
        effort=effort_of(bench),
    )


def next_command(totals: Totals, checkpoint: Path) -> str:
    """What to type after this."""
    counts = totals.objects
    if counts[State.PENDING]:
        return for_checkpoint("blobmove copy --resume", checkpoint)
    if counts[State.FAILED] or counts[State.CONFLICT] or counts[State.CHANGED]:
        return for_checkpoint("blobmove status --failed", checkpoint)
    return for_checkpoint("blobmove verify", checkpoint)


def as_json(sample: Sample) -> dict[str, object]:
    """The part of a sample that `status` in another terminal wants to see."""
    workers = {"workers": [asdict(one) for one in sample.workers]} if sample.workers else {}
    return workers | {
        "elapsed": round(sample.elapsed, 1), "rate": sample.bytes_per_second,
        "objects_per_second": sample.objects_per_second, "eta_seconds": sample.eta_seconds,
        "in_flight": sample.in_flight, "state": sample.state,
    }


def run_json(summary: CopySummary, settled: int) -> dict[str, object]:
    """What the run row keeps of a finished copy."""
    return {
        "settled": settled, "seconds": round(summary.seconds, 3), "retries": summary.retries,
        "bytes": {"read": summary.bytes_read, "written": summary.bytes_written},
        "requests": {"s3": summary.requests_s3, "azure": summary.requests_azure}, "stopped": summary.stopped,
        "travelled": asdict(summary.travelled),
    }
