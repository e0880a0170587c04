"""A run as one worker sees it: its doors, open as long as the run lasts, and a small pipeline for each batch."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar
from uuid import uuid4

import anyio

from blobmove.checkpoint.reader import ProvenCopy
from blobmove.cluster.batches import MoveBatch, ReadBatch
from blobmove.cluster.counted import CountedConcurrency
from blobmove.cluster.exhausted import told_when_exhausted
from blobmove.cluster.payloads import (
    Answered,
    Done,
    Heard,
    ReadReport,
    Report,
    Share,
    StageReport,
    StoreTrouble,
    Terms,
    Trouble,
    Turn,
    TurnReport,
)
from blobmove.cluster.ranges import Kept, hashed, stage
from blobmove.core.crew import WorkerFacts, difference, kept_bytes
from blobmove.core.errors import BlobmoveError, Side, StoreError, UsageError
from blobmove.core.events import Event, Throttled, silent
from blobmove.core.model import Transfer
from blobmove.core.secrets import redact
from blobmove.engine.bench import Bench
from blobmove.engine.carried import can_carry
from blobmove.engine.limits import Bandwidth, Budget, Part
from blobmove.engine.requests import Attempts, Requests
from blobmove.engine.staging import Staging
from blobmove.engine.stopping import Stop

R = TypeVar("R", bound=Answered)

_RECENT_SECONDS: Final = 10.0
CLOSING_SECONDS: Final = 5.0
"""How long batches of a run that was given up may take to end, before their doors are shut under them."""


@dataclass(slots=True)
class Session:
    """One run on one worker. `trouble` says why its doors could not be opened, or must not be used."""

    terms: Terms
    worker: str
    trouble: Trouble | None = None
    facts: WorkerFacts | None = None
    share: Share = field(default_factory=Share)
    name: str = field(default_factory=lambda: uuid4().hex[:12])
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    _bench: Bench | None = None
    _stop: Stop | None = None
    _kept: Kept | None = None
    _batches: list[Stop] = field(default_factory=list)
    _scopes: list[anyio.CancelScope] = field(default_factory=list)
    _settled: int = 0
    _number: int = 0
    _throttled: dict[str, tuple[int, Throttled]] = field(default_factory=dict)

    async def open(self) -> None:
        """Open the doors and compare what was found with what the coordinator has found. Never raises for either."""
        self.share = self.terms.share
        try:
            doors = await self._stack.enter_async_context(self.terms.opener(self.terms, silent))
            self.facts = doors.facts
            if told := difference(self.terms.facts, doors.facts):
                self.trouble = Trouble(
                    "RefusedError", "E409-WORKER", f"worker {self.worker} is not like the coordinator", told,
                    "give all workers the version and the settings of the coordinator, then: blobmove copy --resume",
                )
                return
            self._stop, self._bench = doors.stop, self._shared(doors.bench, doors.stop)
            self._kept = self._room(doors.bench)
        except BlobmoveError as error:
            self.trouble = Trouble.of(error)
        except Exception as error:  # a door that no known cause explains: said where the coordinator can see it
            cause = redact(repr(error))
            self.trouble = Trouble.of(UsageError("E500-WORKER", "a worker cannot open its doors", cause=cause))

    def _shared(self, bench: Bench, stop: Stop) -> Bench:
        """The same bench, its budgets those of this worker's share."""
        share = self.share

        async def renew_azure() -> None:
            bench.destination.renew()

        s3 = CountedConcurrency(bench.s3.concurrency, share.concurrency)
        azure = CountedConcurrency(bench.azure.concurrency, share.concurrency)
        return replace(
            bench,
            s3=Requests(Side.SOURCE, s3, bench.source.renew, stop, self._listen),
            azure=Requests(Side.DESTINATION, azure, renew_azure, stop, self._listen),
            bandwidth=Bandwidth(self._rate) if self.terms.limited else bench.bandwidth,
        )

    def _listen(self, event: Event) -> None:
        """Told with the next word: the coordinator is who speaks of this run."""
        if isinstance(event, Throttled):
            self._throttled[event.side] = (self._throttled.get(event.side, (0, event))[0] + 1, event)

    def _room(self, bench: Bench) -> Kept:
        """The part of the memory for bodies that wait for their turn."""
        most = kept_bytes(self.terms.max_memory)
        whole = bench.memory if isinstance(bench.memory, Budget) else Budget(lambda: most)
        return Kept(Part(whole, lambda: most))

    def _rate(self) -> int | None:
        rate = self.share.bytes_per_second
        return None if rate is None else max(1, int(rate))

    @property
    def bench(self) -> Bench:
        """The bench. Raises RuntimeError where there is none: ask for `trouble` first."""
        if self._bench is None:
            raise RuntimeError("the doors of this worker are not open")
        return self._bench

    def obey(self, share: Share) -> None:
        """Take this share of the budgets from now on; drain when told to."""
        self.share = share
        if self._bench is None:
            return
        if self._kept is not None:
            self._kept.give_way(self._bench.memory)
        for side, rate in ((self._bench.s3, share.s3_rate), (self._bench.azure, share.azure_rate)):
            level = side.concurrency
            if isinstance(level, CountedConcurrency):
                level.obey(rate)
                if share.concurrency is not None:
                    level.bound(1, share.concurrency)
        if share.draining:
            self.drain()

    def drain(self) -> None:
        """Begin nothing more; what is under way ends."""
        if self._stop is not None:
            self._stop.ask("the coordinator is draining")
        for stop in self._batches:
            stop.ask("the coordinator is draining")

    def stop_of_batch(self) -> Stop:
        """A stop for one batch; already set where the worker drains."""
        stop = Stop()
        if self._stop is not None and self._stop.is_set():
            stop.ask("the coordinator is draining")
        return stop

    async def move(self, transfers: Sequence[Transfer], *, patient: bool) -> Report:
        """Move a batch with the engine of one process. Unless `patient`, many refusals in a row end it early."""
        if self.trouble is not None:
            return Report(self.worker, unfit=self.trouble, heard=self.heard())
        batch = MoveBatch(self.bench, self.stop_of_batch(), patient)
        with self._under_way(batch.stop):
            await batch.run(transfers)
        self._is_unfit(batch.unfit)
        self._settled += len(batch.results)
        return Report(
            self.worker, tuple(batch.results), batch.general, batch.trouble, unfit=self.trouble, heard=self.heard()
        )

    async def read(self, copies: Sequence[ProvenCopy], *, patient: bool) -> ReadReport:
        """Read a batch of copies back. `patient` as in `move`."""
        if self.trouble is not None:
            return ReadReport(self.worker, unfit=self.trouble, heard=self.heard())
        batch = ReadBatch(self.bench, self.stop_of_batch(), patient)
        with self._under_way(batch.stop):
            await batch.run(copies)
        self._is_unfit(batch.unfit)
        self._settled += len(batch.results)
        return ReadReport(
            self.worker, tuple(batch.results), batch.general, batch.trouble, unfit=self.trouble, heard=self.heard()
        )

    def _is_unfit(self, trouble: Trouble | None) -> None:
        """From now on this worker cannot work, if something is wrong with it: whatever it is given goes back."""
        self.trouble = self.trouble or trouble

    @contextmanager
    def _under_way(self, stop: Stop) -> Iterator[None]:
        """A batch that a drain reaches, and that `close` aborts."""
        with anyio.CancelScope() as scope:
            self._batches.append(stop)
            self._scopes.append(scope)
            try:
                yield
            finally:
                self._batches.remove(stop)
                self._scopes.remove(scope)

    async def stage(self, staging: Staging) -> StageReport:
        """Stage a range of blocks of one large object. The coordinator joins the sums and commits."""
        async def work(report: StageReport, kept: Kept, attempts: Attempts) -> StageReport:
            return replace(report, sums=await stage(self.bench, kept, staging, attempts))

        return await self._range(StageReport(self.worker), work, ordered=bool(staging.ticket))

    async def turn(self, turn: Turn) -> TurnReport:
        """Feed a range of blocks to the MD5s of its object: what this worker has kept of it, else read again."""
        async def work(report: TurnReport, kept: Kept, attempts: Attempts) -> TurnReport:
            carried, closed = await hashed(self.bench, kept, turn, attempts)
            return replace(report, carried=carried, closed=closed)

        return await self._range(TurnReport(self.worker), work, ordered=True)

    async def turn_if_kept(self, turn: Turn) -> TurnReport | None:
        """The same, but None at once where the range is not kept here: reading takes longer than an answer may."""
        if self._kept is None or not self._kept.holds(turn.staging):
            return None
        return await self.turn(turn)

    def forget(self, ticket: str) -> None:
        """What is kept under this ticket will have no turn."""
        if self._kept is not None:
            self._kept.forget_all(ticket)

    async def _range(
        self, report: R, work: Callable[[R, Kept, Attempts], Awaitable[R]], *, ordered: bool
    ) -> R:
        """The report with what `work` adds to it, or with what went wrong."""
        kept, attempts = self._kept, Attempts()
        if self.trouble is not None or kept is None:
            return replace(report, unfit=self.trouble, heard=self.heard())
        if ordered and not can_carry():
            return replace(report, alone="the Python of a worker does not give away the state of an MD5")
        bench = self.bench
        bench.counters.in_flight += 1
        with told_when_exhausted(self._is_unfit), anyio.CancelScope() as scope:
            self._scopes.append(scope)
            try:
                report = await work(report, kept, attempts)
            except StoreError as error:
                report = replace(report, store=StoreTrouble.of(error))
            except BlobmoveError as error:
                report = replace(report, trouble=Trouble.of(error))
            finally:
                bench.counters.in_flight -= 1
                self._scopes.remove(scope)
        return replace(
            report, tries=attempts.count - 1, lost=attempts.lost, unfit=self.trouble, heard=self.heard()
        )

    def heard(self) -> Heard:
        """This worker's word about itself."""
        self._number += 1
        if self._bench is None:
            return Heard(self.name, self._number, self.facts, self.trouble)
        bench = self._bench
        return Heard(
            self.name, self._number, self.facts, self.trouble, self._done(bench), bench.counters.in_flight,
            min(bench.s3.concurrency.slots, bench.azure.concurrency.slots), _state(bench), bench.pulling.given_up,
            dict(self._throttled),
        )

    def _done(self, bench: Bench) -> Done:
        counters, s3, azure = bench.counters, bench.s3.concurrency, bench.azure.concurrency
        return Done(
            counters.bytes_read, counters.bytes_written, counters.bytes_pulled, counters.pulled, counters.streamed,
            bench.s3.retried, bench.azure.retried,
            getattr(s3, "answered", 0), getattr(azure, "answered", 0),
            getattr(s3, "refused", 0), getattr(azure, "refused", 0), self._settled,
            dict(bench.source.requests), dict(bench.destination.requests),
            dict(bench.s3.retries), dict(bench.azure.retries),
        )

    async def close(self) -> None:
        """Drain for a moment, then abort what is left, and shut the doors."""
        self.drain()
        with anyio.move_on_after(CLOSING_SECONDS):
            while self._scopes:  # noqa: ASYNC110 - the batches belong to others: there is nothing to wait on
                await anyio.sleep(0.05)
        for scope in self._scopes:
            scope.cancel()
        await self._stack.aclose()


def _state(bench: Bench) -> str:
    """What a worker waits for, where it is held back."""
    now = time.monotonic()
    for name, side in (("S3", bench.s3), ("Azure", bench.azure)):
        what, when = side.last_trouble
        if what and (side.concurrency.pace is not None or now - when < _RECENT_SECONDS):
            return f"limited by {name} ({what})"
    if bench.bandwidth.waiting:
        return "limited by --bandwidth"
    return "limited by --max-memory" if bench.memory.waiting else ""
