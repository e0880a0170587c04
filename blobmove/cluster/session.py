"""A run as one worker sees it: its doors, open as long as the run lasts, and a small pipeline for each batch."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import uuid4

import anyio

from blobmove.checkpoint.reader import ProvenCopy
from blobmove.cluster.batches import MoveBatch, ReadBatch
from blobmove.cluster.payloads import (
    Done,
    Heard,
    ReadReport,
    Report,
    Share,
    StageReport,
    StoreTrouble,
    Terms,
    Trouble,
)
from blobmove.core.concurrency import Concurrency
from blobmove.core.crew import GivenPace, WorkerFacts, difference
from blobmove.core.errors import BlobmoveError, Side, StoreError, UsageError
from blobmove.core.events import silent
from blobmove.core.model import Transfer
from blobmove.core.secrets import redact
from blobmove.engine.bench import Bench
from blobmove.engine.blockpass import Staging, Wanted
from blobmove.engine.large import staging_pass
from blobmove.engine.limits import Bandwidth
from blobmove.engine.requests import Attempts, Requests
from blobmove.engine.stopping import Stop

_RECENT_SECONDS: Final = 10.0
CLOSING_SECONDS: Final = 5.0
"""How long batches of a run that was given up may take to end, before their doors are shut under them."""


class CountedConcurrency(Concurrency):
    """The limit of one side, with the sums of what was answered and what was refused as too much."""

    __slots__ = ("answered", "refused")

    def __init__(self, like: Concurrency, most: int | None) -> None:
        if most is None:
            super().__init__(like.slots, least=like.least, most=like.most)
        else:
            super().__init__(most, least=1, most=most, gradient=False)
        self.answered = self.refused = 0

    def good(self, seconds: float, now: float, bulk: bool = False) -> None:
        """One request was answered without complaint."""
        self.answered += 1
        super().good(seconds, now, bulk)

    def busy(self, now: float) -> bool:
        """One request was refused as too many."""
        self.refused += 1
        return super().busy(now)

    def obey(self, rate: float | None) -> None:
        """Start requests at this rate; None: as before, until the next refusal."""
        if rate is None:
            if isinstance(self.pace, GivenPace):
                self.pace = None
        elif isinstance(self.pace, GivenPace):
            self.pace.rate = self.pace.ceiling = rate
        else:
            self.pace = GivenPace(rate)


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
    _batches: list[Stop] = field(default_factory=list)
    _scopes: list[anyio.CancelScope] = field(default_factory=list)
    _settled: int = 0
    _number: int = 0

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
            s3=Requests(Side.SOURCE, s3, bench.source.renew, stop, silent),
            azure=Requests(Side.DESTINATION, azure, renew_azure, stop, silent),
            bandwidth=Bandwidth(self._rate) if self.terms.limited else bench.bandwidth,
        )

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
        with anyio.CancelScope() as scope:
            self._batches.append(batch.stop)
            self._scopes.append(scope)
            try:
                await batch.run(transfers)
            finally:
                self._batches.remove(batch.stop)
                self._scopes.remove(scope)
        self._settled += len(batch.results)
        return Report(self.worker, tuple(batch.results), batch.general, batch.trouble, heard=self.heard())

    async def read(self, copies: Sequence[ProvenCopy]) -> ReadReport:
        """Read a batch of copies back."""
        if self.trouble is not None:
            return ReadReport(self.worker, unfit=self.trouble, heard=self.heard())
        batch = ReadBatch(self.bench, self.stop_of_batch())
        with anyio.CancelScope() as scope:
            self._batches.append(batch.stop)
            self._scopes.append(scope)
            try:
                await batch.run(copies)
            finally:
                self._batches.remove(batch.stop)
                self._scopes.remove(scope)
        self._settled += len(batch.seen)
        return ReadReport(self.worker, batch.seen, batch.store, batch.trouble, heard=self.heard())

    async def stage(self, staging: Staging) -> StageReport:
        """Stage a range of blocks of one large object. The coordinator joins the sums and commits."""
        if self.trouble is not None:
            return StageReport(self.worker, unfit=self.trouble, heard=self.heard())
        bench, attempts = self.bench, Attempts()
        report = StageReport(self.worker)
        bench.counters.in_flight += 1
        with anyio.CancelScope() as scope:
            self._scopes.append(scope)
            try:
                sums = await staging_pass(bench.for_large(), staging, Wanted(crc=staging.crc), attempts).sums()
                report = replace(report, sums=sums)
            except StoreError as error:
                report = replace(report, store=StoreTrouble.of(error))
            except BlobmoveError as error:
                report = replace(report, trouble=Trouble.of(error))
            finally:
                bench.counters.in_flight -= 1
                self._scopes.remove(scope)
        return replace(report, tries=attempts.count - 1, lost=attempts.lost, heard=self.heard())

    def heard(self) -> Heard:
        """This worker's word about itself."""
        self._number += 1
        if self._bench is None:
            return Heard(self.name, self._number, self.facts, self.trouble)
        bench = self._bench
        return Heard(
            self.name, self._number, self.facts, self.trouble, self._done(bench), bench.counters.in_flight,
            min(bench.s3.concurrency.slots, bench.azure.concurrency.slots), _state(bench), bench.pulling.given_up,
        )

    def _done(self, bench: Bench) -> Done:
        counters, s3, azure = bench.counters, bench.s3.concurrency, bench.azure.concurrency
        return Done(
            counters.bytes_read, counters.bytes_written, counters.bytes_pulled, counters.pulled, counters.streamed,
            bench.s3.retried, bench.azure.retried,
            getattr(s3, "answered", 0), getattr(azure, "answered", 0),
            getattr(s3, "refused", 0), getattr(azure, "refused", 0), self._settled,
            dict(bench.source.requests), dict(bench.destination.requests),
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
