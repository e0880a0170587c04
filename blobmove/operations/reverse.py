"""`copy --reverse`: what is wanted back goes through the pipeline to S3, outcomes into a ledger of its own."""

from __future__ import annotations

import shlex
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from anyio import CapacityLimiter, to_thread

from blobmove.core.circuit import Circuit, Doubt
from blobmove.core.errors import BlobmoveError, Kind, LimitReached, Side
from blobmove.core.events import Finished, Listener, Problem, Started, Stopping
from blobmove.core.model import UNWELL_STATES, Outcome, State
from blobmove.core.results import CopySummary, ReverseResult, Totals, Travelled
from blobmove.engine.bench import GeneralFailure
from blobmove.engine.pipeline import Pipeline
from blobmove.engine.reverse import move_back
from blobmove.engine.reverse_trip import ReverseBench
from blobmove.operations.running import Frame, exit_code_of
from blobmove.operations.tallies import Running, as_json, holding_back, run_json
from blobmove.operations.troubles import explain, general
from blobmove.stores.s3.writing import S3Writing

if TYPE_CHECKING:
    from blobmove.checkpoint.returns import ReturnLedger
    from blobmove.checkpoint.values import Setup
    from blobmove.checkpoint.writer import CheckpointWriter
    from blobmove.core.reverse import Returning, Wanted
    from blobmove.core.settings import CopySettings
    from blobmove.engine.bench import Bench
    from blobmove.engine.stopping import Stop

PAGE: Final = 500
SHOWN: Final = 10
"""How many blobs that did not end well are named in the result; the table `reverse_object` has them all."""

_S3_WROTE: Final = (State.COPIED, State.PRESENT, State.CONFLICT)
_FORWARD: Final = "blobmove copy --resume"

Result = Outcome | Doubt | None


def again(settings: CopySettings) -> str:
    """The command that goes on with this way back: always the same one."""
    words = ["blobmove", "copy", "--reverse", "--resume"]
    if settings.from_rails:
        words += ["--from-rails", *(["--to", settings.to_service] if settings.to_service else [])]
    else:
        words += ["--keys", str(settings.keys)]
    if str(settings.checkpoint) != "blobmove.db":
        words += ["--checkpoint", str(settings.checkpoint)]
    return shlex.join(words)


def take_up(ledger: ReturnLedger, batches: Iterable[Sequence[Wanted]]) -> None:
    """Note what this run is asked for; nothing has been moved by then."""
    ledger.prepare()
    for batch in batches:
        ledger.ask_for(batch)


@dataclass(slots=True)
class Reverse:
    """One run of the way back. `probe` asks a side whether it is well at all; it raises BlobmoveError if not."""

    settings: CopySettings
    setup: Setup
    prefix: str
    ledger: ReturnLedger
    writer: CheckpointWriter
    bench: Bench
    listener: Listener
    probe: Callable[[Side], Awaitable[None]]
    stop: Stop
    circuit: Circuit = field(default_factory=Circuit)
    _running: Running = field(init=False)
    _frame: Frame = field(init=False)
    _desk: ReverseBench = field(init=False)
    _items: dict[int, Returning] = field(default_factory=dict)
    _one: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(1))

    async def run(self) -> tuple[ReverseResult, int, BlobmoveError | None]:
        """Copy until the list is done or the run is stopped; the result, the exit code, and why it stopped."""
        started, totals = time.monotonic(), self.ledger.totals()
        self._running = Running(dict(totals.objects), dict(totals.bytes))
        self._frame = Frame(self.stop, self.listener, lambda: self.bench.counters.in_flight,
                            self.settings.max_duration, self.settings.throttle_file)
        self._desk = ReverseBench(self.bench, S3Writing(self.bench.source), self.prefix, self._note_upload)
        self.listener(Started(self.setup.plan, "copy", self.setup.destination, self.setup.source,
                              str(self.settings.checkpoint), totals, self.bench.azure.concurrency.slots,
                              self.settings.max_memory, direction="reverse"))
        await self._frame.run(self._flow, self._tick)
        result = ReverseResult(self._summary(time.monotonic() - started), self.ledger.unwell(SHOWN))
        code = self._exit_code(result.summary)
        self.writer.end_run(code, run_json(result.summary, self._running.settled) | {"direction": "reverse"})
        self.listener(Finished(result.summary))
        return result, code, self._ours(self.stop.error)

    async def _flow(self) -> None:
        s3, azure = self.bench.s3.concurrency, self.bench.azure.concurrency
        await Pipeline(
            pages=self._pages, act=self._act, record=self._record, places=lambda: s3.slots + azure.slots,
            stop=self.stop, hold=self._frame.hold,
        ).run()
        if not self.stop.is_set():
            await self._decide_held()

    async def _pages(self) -> AsyncIterator[Sequence[Returning]]:
        after = -1
        while page := await to_thread.run_sync(self.ledger.pending, after, PAGE, limiter=self._one):
            after = page[-1].id
            self._items.update((item.id, item) for item in page)
            yield page

    async def _act(self, item: Returning) -> Result:
        try:
            return await move_back(self._desk, item)
        except GeneralFailure as failure:
            self._stop_for(explain(failure.error))
        except BlobmoveError as error:  # a credential that cannot be renewed: drain, do not tear down
            self._stop_for(error)
        return None

    async def _note_upload(self, row: int, upload: str | None) -> None:
        await to_thread.run_sync(self.ledger.note_upload, row, upload, limiter=self._one)

    async def _record(self, results: Sequence[Result]) -> None:
        outcomes: list[Outcome] = []
        for result in results:
            if isinstance(result, Doubt):
                # Nobody waits while a run drains, so such a one was not really tried: it stays pending.
                if not self.stop.is_set() and self.circuit.doubted(result):
                    self._stop_for(general(result))
            elif result is not None:
                # Only what S3 has answered for tells that S3 works.
                outcomes += self.circuit.settled(result) if result.state in _S3_WROTE else [result]
        await self._settle(outcomes)

    async def _settle(self, outcomes: list[Outcome]) -> None:
        if not outcomes:
            return
        try:
            await to_thread.run_sync(self.ledger.settle, outcomes, limiter=self._one)
        except BlobmoveError as error:  # nothing of this batch is recorded; the next run finds the objects in S3
            self._stop_for(error)
            return
        items = [self._items.pop(outcome.transfer_id) for outcome in outcomes]
        self._running.settle(outcomes, [item.size or 0 for item in items])
        for outcome, item in zip(outcomes, items, strict=True):
            if outcome.state in UNWELL_STATES or outcome.state is State.GONE:
                self.listener(Problem(item.key, outcome.state.value, outcome.reason, outcome.detail))
        limit = self.settings.max_errors
        if limit is not None and self._running.failed >= limit:
            self._stop_for(LimitReached("E006-ERRORS", f"{self._running.failed} objects failed (--max-errors {limit})",
                                        hint=_FORWARD))

    async def _decide_held(self) -> None:
        """At the end some refusals are still in doubt: ask the side itself whether it is well."""
        for side in self.circuit.sides():
            held = next(doubt for doubt in self.circuit.held if doubt.side is side)
            try:
                await self.probe(side)
            except BlobmoveError as error:
                self._stop_for(error)
                return
            # A bucket may be listed by who must not write: where nothing was written, a denial may be about all.
            denial = self.circuit.unproven(side)
            if denial is not None or held.kind is Kind.UNREACHABLE:
                self._stop_for(general(denial or held))
                return
            await self._settle(self.circuit.release(side))

    def _stop_for(self, error: BlobmoveError) -> None:
        if self.stop.ask(error.message, error=error):
            self.listener(Stopping(error.message, self.bench.counters.in_flight))

    def _ours(self, error: BlobmoveError | None) -> BlobmoveError | None:
        """The error with a hint that goes this way, not forward."""
        if error is not None and error.hint is not None:
            error.hint = error.hint.replace(_FORWARD, again(self.settings))
        return error

    async def _tick(self) -> None:
        sample = self._running.sample(self.bench, holding_back(self.bench, self._frame.paused(), self.stop.is_set()))
        self.listener(sample)
        if int(sample.elapsed) % 5 == 0:
            try:
                await to_thread.run_sync(self.writer.note_run, as_json(sample), limiter=self._one)
            except BlobmoveError as error:
                self._stop_for(error)

    def _summary(self, seconds: float) -> CopySummary:
        bench, totals, ledger = self.bench, self.ledger.totals(), self.ledger
        left = sum(totals.objects[state] for state in (State.PENDING, State.FAILED, State.CHANGED))
        return CopySummary(
            plan=self.setup.plan, source=self.setup.destination, destination=self.setup.source, totals=totals,
            reasons=ledger.tally("reason"), proofs=ledger.tally("proof"), notes=ledger.tally("note"),
            bytes_read=bench.counters.bytes_read, bytes_written=bench.counters.bytes_written,
            requests_s3=dict(sorted(bench.source.requests.items())),
            requests_azure=dict(sorted(bench.destination.requests.items())),
            retries=bench.s3.retried + bench.azure.retried, seconds=seconds,
            next=again(self.settings) if left else "", stopped=self.stop.why,
            travelled=Travelled(stream=bench.counters.streamed), direction="reverse",
        )

    def _exit_code(self, summary: CopySummary) -> int:
        if self.stop.signal:
            return exit_code_of(self.stop.signal)
        if self.stop.error is not None:
            return self.stop.error.exit_code
        return int(any(summary.totals.objects[state] for state in (*UNWELL_STATES, State.PENDING)))


def outlook(setup: Setup, settings: CopySettings, batches: Iterable[Sequence[Wanted]]) -> CopySummary:
    """What a run would be asked for, without noting or moving anything."""
    keys: set[str] = set()
    size = 0
    for batch in batches:
        size += sum(one.size or 0 for one in batch if one.key not in keys)
        keys.update(one.key for one in batch)
    none = dict.fromkeys(State, 0)
    return CopySummary(
        plan=setup.plan, source=setup.destination, destination=setup.source,
        totals=Totals(none | {State.PENDING: len(keys)}, none | {State.PENDING: size}),
        reasons={}, proofs={}, notes={}, bytes_read=0, bytes_written=0, requests_s3={}, requests_azure={}, retries=0,
        seconds=0.0, next=again(settings), direction="reverse",
    )  # fmt: skip
