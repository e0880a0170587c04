"""`copy`: pages of pending work through the pipeline, outcomes into the checkpoint, one summary at the end."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from anyio import CapacityLimiter, to_thread

from blobmove.checkpoint.reader import CheckpointReader
from blobmove.checkpoint.writer import CheckpointWriter
from blobmove.core.circuit import Circuit, Doubt
from blobmove.core.errors import BlobmoveError, Kind, LimitReached, RefusedError, Side, StoreError
from blobmove.core.events import Finished, Listener, Note, Problem, Started, Stopping
from blobmove.core.model import UNWELL_STATES, Outcome, State, Transfer
from blobmove.core.results import CopySummary, Travelled
from blobmove.core.settings import CopySettings
from blobmove.engine.bench import Bench, GeneralFailure
from blobmove.engine.mover import move
from blobmove.engine.pipeline import Large, Pipeline
from blobmove.engine.stopping import Stop
from blobmove.operations.running import Frame, exit_code_of
from blobmove.operations.tallies import Running, as_json, holding_back, next_command, run_json
from blobmove.operations.troubles import explain, general

if TYPE_CHECKING:
    from blobmove.cluster.coordinator import Crew

PAGE: Final = 1000
PAGE_LARGE: Final = 100
MAX_OBJECT_BYTES: Final = 2**63 - 1

Result = Outcome | Doubt | None
Probe = Callable[[Side], Awaitable[None]]


def require_resume(reader: CheckpointReader, settings: CopySettings) -> None:
    """A started plan goes on only when told so. Raises RefusedError with the line to type."""
    if not settings.resume and not settings.retry_failed and reader.plan_started():
        extra = "" if str(settings.checkpoint) == "blobmove.db" else f" --checkpoint {settings.checkpoint}"
        raise RefusedError("E409-STARTED", "this plan has been started already",
                           hint=f"blobmove copy --resume{extra}")


@dataclass(slots=True)
class Copy:
    """One run of `copy`. `probe` asks a side whether it is well at all; it raises BlobmoveError if not."""

    settings: CopySettings
    reader: CheckpointReader
    writer: CheckpointWriter
    bench: Bench
    listener: Listener
    probe: Probe
    stop: Stop
    crew: Crew | None = None
    circuit: Circuit = field(default_factory=Circuit)
    _running: Running = field(init=False)
    _frame: Frame = field(init=False)
    _sizes: dict[int, int] = field(default_factory=dict)
    _keys: dict[int, str] = field(default_factory=dict)
    _one: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(1))
    _reading: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(1))

    async def run(self) -> tuple[CopySummary, int, BlobmoveError | None]:
        """Copy until the plan is done or the run is stopped; the summary, the exit code, and why it stopped."""
        started = time.monotonic()
        setup = self.reader.setup()
        if self.settings.retry_failed:
            again = self.writer.reopen()
            self.listener(Note(f"{again} failed, conflicting, archived or unverified objects are tried again"))
        totals = self.reader.totals()
        self._running = Running(dict(totals.objects), dict(totals.bytes))
        self._frame = Frame(self.stop, self.listener, lambda: self.bench.counters.in_flight,
                            self.settings.max_duration, self.settings.throttle_file)
        self.writer.begin_run(setup.plan)
        self.listener(Started(setup.plan, "copy", setup.source, setup.destination, str(self.settings.checkpoint),
                              totals, self.bench.azure.concurrency.slots, self.settings.max_memory))
        await self._frame.run(self._flow, self._tick)
        summary = self._summary(time.monotonic() - started)
        code = self._exit_code(summary)
        self.writer.end_run(code, run_json(summary, self._running.settled))
        self.listener(Finished(summary))
        return summary, code, self.stop.error

    async def _flow(self) -> None:
        await (self._alone() if self.crew is None else self._with(self.crew))
        if not self.stop.is_set():
            await self._decide_held()

    async def _with(self, crew: Crew) -> None:
        from blobmove.cluster.coordinator import Work

        await crew.run(Work(
            pages=self._pages, large_pages=self._large_pages, record=self._record, stop=self.stop,
            left=lambda: self._running.objects[State.PENDING], hold=self._frame.hold, failed=self._stop_for,
            explain=explain,
        ))

    async def _alone(self) -> None:
        s3, azure = self.bench.s3.concurrency, self.bench.azure.concurrency
        await Pipeline(
            pages=self._pages, act=self._act, record=self._record, places=lambda: s3.slots + azure.slots,
            stop=self.stop, hold=self._frame.hold,
            large=Large(self._large_pages, lambda transfer: transfer.size or 0, self.bench.lane),
        ).run()

    async def _pages(self) -> AsyncIterator[Sequence[Transfer]]:
        after = -1
        while page := await to_thread.run_sync(self.reader.pending, after, PAGE, limiter=self._reading):
            after = page[-1].id
            yield self._noted(page)

    async def _large_pages(self) -> AsyncIterator[Sequence[Transfer]]:
        after = (MAX_OBJECT_BYTES, -1)
        while page := await to_thread.run_sync(self.reader.pending_large, after, PAGE_LARGE, limiter=self._reading):
            after = (page[-1].size or 0, page[-1].id)
            yield self._noted(page)

    def _noted(self, page: list[Transfer]) -> list[Transfer]:
        """The page, its keys and sizes kept for when it is settled."""
        for transfer in page:
            self._sizes[transfer.id] = transfer.size or 0
            self._keys[transfer.id] = transfer.key
        return page

    async def _act(self, transfer: Transfer) -> Result:
        try:
            return await move(self.bench, transfer)
        except GeneralFailure as failure:
            self._stop_for(explain(failure.error))
        except BlobmoveError as error:  # a credential that cannot be renewed, for instance: drain, do not tear down
            self._stop_for(error)
        return None

    async def _record(self, results: Sequence[Result]) -> None:
        outcomes: list[Outcome] = []
        for result in results:
            if isinstance(result, Doubt):
                if self.stop.is_set():
                    continue  # nobody waits while a run drains, so this one was not really tried: it stays pending
                if self.circuit.doubted(result):
                    outcomes += await self._many_doubts(result)
            elif result is not None:
                outcomes += self.circuit.settled(result)
        await self._settle(outcomes)

    async def _many_doubts(self, doubt: Doubt) -> list[Outcome]:
        """So many refusals in a row: about these objects (say one prefix), or about everything?

        S3 is asked for a byte of an object that was copied before. If it gives it, the refusals stand as they are.
        """
        if doubt.kind is Kind.DENIED and doubt.side is Side.SOURCE and await self._source_still_gives():
            self.circuit.open = False
            return self.circuit.release(doubt.side)
        self._stop_for(general(doubt))
        return []

    async def _source_still_gives(self) -> bool:
        known = [copy for copy in self.reader.proven_page(-1, PAGE) if copy.size > 0]
        if not known:
            return False
        try:
            await self.bench.source.get(known[0].blob_name, etag=None, byte_range=(0, 1))
        except StoreError as error:
            return error.kind in (Kind.MISSING, Kind.CHANGED)
        return True

    async def _settle(self, outcomes: list[Outcome]) -> None:
        if not outcomes:
            return
        try:
            await to_thread.run_sync(self.writer.settle, outcomes, limiter=self._one)
        except BlobmoveError as error:
            # Nothing of this batch is recorded; the blobs are there and the next run finds them.
            self._stop_for(error)
            return
        self._running.settle(outcomes, [self._sizes.pop(outcome.transfer_id, 0) for outcome in outcomes])
        for outcome in outcomes:
            key = self._keys.pop(outcome.transfer_id, "")
            if outcome.state in UNWELL_STATES or outcome.state is State.GONE:
                self.listener(Problem(key, outcome.state.value, outcome.reason, outcome.detail))
        self._check_errors()

    def _check_errors(self) -> None:
        limit = self.settings.max_errors
        if limit is not None and self._running.failed >= limit:
            text = f"{self._running.failed} objects failed (--max-errors {limit})"
            self._stop_for(LimitReached("E006-ERRORS", text, hint="blobmove status --failed"))

    async def _decide_held(self) -> None:
        """At the end some refusals are still in doubt: ask the side itself whether it is well.

        A bucket may be listed by who must not read its objects: a side that has given nothing in this run is asked
        for an object, too.
        """
        for side in self.circuit.sides():
            doubt = next(held for held in self.circuit.held if held.side is side)
            try:
                await self.probe(side)
            except BlobmoveError as error:
                self._stop_for(error)
                return
            denial = self.circuit.unproven(side)
            general_denial = denial and not (side is Side.SOURCE and await self._source_still_gives())
            if doubt.kind is Kind.UNREACHABLE or general_denial:
                self._stop_for(general(denial or doubt))
                return
            await self._settle(self.circuit.release(side))

    def _stop_for(self, error: BlobmoveError) -> None:
        if self.stop.ask(error.message, error=error):
            self.listener(Stopping(error.message, self.bench.counters.in_flight))

    async def _tick(self) -> None:
        crew = self.crew
        state = holding_back(self.bench, self._frame.paused(), self.stop.is_set(), crew.state if crew else None)
        sample = self._running.sample(self.bench, state, crew.shown() if crew else ())
        self.listener(sample)
        if int(sample.elapsed) % 5 == 0:
            try:
                await to_thread.run_sync(self.writer.note_run, as_json(sample), limiter=self._one)
            except BlobmoveError as error:
                self._stop_for(error)

    def _summary(self, seconds: float) -> CopySummary:
        setup, totals, bench = self.reader.setup(), self.reader.totals(), self.bench
        return CopySummary(
            plan=setup.plan, source=setup.source, destination=setup.destination, totals=totals,
            reasons=self.reader.tally("reason"), proofs=self.reader.tally("proof"), notes=self.reader.tally("note"),
            bytes_read=bench.counters.bytes_read, bytes_written=bench.counters.bytes_written,
            requests_s3=dict(sorted(bench.source.requests.items())),
            requests_azure=dict(sorted(bench.destination.requests.items())),
            retries=bench.s3.retried + bench.azure.retried, seconds=seconds,
            next=next_command(totals, str(self.settings.checkpoint)), stopped=self.stop.why,
            travelled=Travelled(bench.counters.pulled, bench.counters.streamed, bench.counters.bytes_pulled,
                                bench.pulling.given_up),
        )

    def _exit_code(self, summary: CopySummary) -> int:
        if self.stop.signal:
            return exit_code_of(self.stop.signal)
        if self.stop.error is not None:
            return self.stop.error.exit_code
        return int(any(summary.totals.objects[state] for state in (*UNWELL_STATES, State.PENDING)))
