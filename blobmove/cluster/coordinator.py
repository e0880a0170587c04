"""The coordinator of a run on many workers: batches out, results in, one budget, one view; it alone records."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Final

import anyio

from blobmove.cluster.calls import BatchLost, Calls
from blobmove.cluster.payloads import Report
from blobmove.cluster.roster import UNFIT_LIMIT, UNFIT_SECONDS, Roster
from blobmove.cluster.spread import Spreader, Unfinished
from blobmove.core.circuit import Doubt
from blobmove.core.crew import BATCH_BYTES, WorkerShown, batch_objects, batches_out, is_spread, kept_bytes
from blobmove.core.errors import BlobmoveError, StoreError, UsageError
from blobmove.core.events import Listener, Note
from blobmove.core.frozen import frozen
from blobmove.core.lanes import LargeLane
from blobmove.core.model import Outcome, Transfer
from blobmove.core.settings import Route
from blobmove.engine.bench import Bench, GeneralFailure, OneMachine
from blobmove.engine.mover import move
from blobmove.engine.pipeline import Large, Pipeline
from blobmove.engine.stopping import Stop

LOST_LIMIT: Final = 3
"""Batches in a row whose workers died, every time Dask tried, before the run stops."""

Results = list[Outcome | Doubt]
Pages = Callable[[], AsyncIterator[Sequence[Transfer]]]


@frozen
class Work:
    """What an operation has to do and how it is told: like a pipeline's, but for whole batches.

    `left` is the number of objects still to be done; `failed` is called with a failure that concerns every object,
    `explain` puts a store's into the operator's words.
    """

    pages: Pages
    large_pages: Pages
    record: Callable[[Results], Awaitable[None]]
    left: Callable[[], int]
    hold: Callable[[], Awaitable[None]] | None
    failed: Callable[[BlobmoveError], None]
    explain: Callable[[StoreError], BlobmoveError]
    stop: Stop


@dataclass(slots=True)
class Crew:
    """All workers of one run, each with `max_memory` bytes."""

    calls: Calls
    roster: Roster
    listener: Listener
    max_memory: int
    lost: int = 0
    _lost_in_a_row: int = 0
    _told: set[str] = field(default_factory=set)
    _numbers: count[int] = field(default_factory=lambda: count(1))

    async def run(self, work: Work) -> None:
        """Move everything that the pages hold, or until the run is stopped and drained."""
        bench = self.roster.bench
        spreader = Spreader(self.calls, self.roster, self._places, work.stop, kept_bytes(self.max_memory))
        spreading = replace(bench, spread=spreader)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.roster.watch, work.stop, work.failed)
            await Pipeline(
                pages=lambda: self._batches(work.pages, work), act=lambda batch: self._act(batch, work, spreading),
                record=lambda reports: _record(reports, work), places=self._places, stop=work.stop, hold=work.hold,
                large=Large(lambda: self._batches(work.large_pages, work), _size, LargeLane()), long_pieces=True,
            ).run()
            await self.roster.last_words()
            tasks.cancel_scope.cancel()

    def shown(self) -> tuple[WorkerShown, ...]:
        """The workers as people see them."""
        return self.roster.shown()

    def state(self) -> str:
        """What holds the run back, "" for nothing in particular."""
        return self.roster.state()

    def _places(self) -> int:
        return max(1, batches_out(self.roster.threads))

    async def _batches(self, pages: Pages, work: Work) -> AsyncIterator[Sequence[tuple[Transfer, ...]]]:
        """The pages cut into batches, bounded by objects and bytes, smaller towards the end."""
        batch: list[Transfer] = []
        size, most = 0, batch_objects(work.left(), self._places())
        async for page in pages():
            for transfer in page:
                more = transfer.size or 0
                if self._is_spread(transfer):
                    yield [(transfer,)]
                    continue
                if batch and (len(batch) >= most or size + more > BATCH_BYTES):
                    yield [tuple(batch)]
                    batch, size, most = [], 0, batch_objects(work.left(), self._places())
                batch.append(transfer)
                size += more
        if batch:
            yield [tuple(batch)]

    def _is_spread(self, transfer: Transfer) -> bool:
        """Whether an object is worth several workers: many blocks, and its bytes go through them."""
        options, size = self.roster.bench.options, transfer.size or 0
        return (size > options.whole_object_limit and is_spread(size, transfer.etag, options.block_size)
                and options.transfer is Route.STREAM)

    async def _act(self, batch: tuple[Transfer, ...], work: Work, spreading: Bench) -> Results:
        """Have a batch moved: by one worker or, a large object that allows it, by all."""
        if len(batch) > 1 or not self._is_spread(batch[0]) or len(self.roster.threads) < 2:
            return await self._by_one(batch, work)
        try:
            result = await move(spreading, batch[0])
        except OneMachine as reason:
            self._tell_of_one_machine(str(reason))
            return await self._by_one(batch, work)
        except GeneralFailure as failure:
            work.failed(work.explain(failure.error))
        except BlobmoveError as error:
            work.failed(error)
        except BatchLost as lost:
            self._count_lost(batch, lost, work)
        except Unfinished:
            pass
        else:
            self._lost_in_a_row = 0
            return [result]
        return []

    def _tell_of_one_machine(self, reason: str) -> None:
        if reason not in self._told:
            self._told.add(reason)
            self.listener(Note(f"a large object is moved by one worker alone: {reason}"))

    async def _by_one(self, batch: tuple[Transfer, ...], work: Work) -> Results:
        """Have a batch moved; what a worker left of it goes to another one."""
        results: Results = []
        left, unfit, patient = batch, 0, False
        while left and not work.stop.is_set():
            report = await self._moved(left, patient, work)
            if report is None:
                break
            results += report.results
            self._judge(report, work)
            ended = {id_of(result) for result in report.results}
            left = tuple(transfer for transfer in left if transfer.id not in ended)
            if report.unfit is not None:
                unfit += 1
                await self._unfit(report, unfit, work)
            elif left:
                patient = True  # its refusals are known to the circuit by now: once more, to the end
                await work.record(results)
                results = []
        return results

    async def _moved(self, batch: tuple[Transfer, ...], patient: bool, work: Work) -> Report | None:
        """The report of one batch, None where there will be none."""
        try:
            report = await self.calls.move(next(self._numbers), batch, patient)
        except BatchLost as lost:
            self._count_lost(batch, lost, work)
            return None
        except BlobmoveError as error:
            work.failed(error)
            return None
        self._lost_in_a_row = 0
        self.roster.hear(report.worker, report.heard)
        return report

    def _count_lost(self, batch: tuple[Transfer, ...], lost: BatchLost, work: Work) -> None:
        self.lost += len(batch)
        self._lost_in_a_row += 1
        self.listener(Note(f"{len(batch)} objects stay pending: {lost}"))
        if self._lost_in_a_row >= LOST_LIMIT:
            work.failed(UsageError("E500-WORKER", "workers die as soon as they are given work", cause=str(lost),
                                   hint=f"look at their logs and their memory, then: {self.calls.again}"))

    def _judge(self, report: Report, work: Work) -> None:
        if report.general is not None:
            work.failed(work.explain(report.general.error()))
        if report.trouble is not None:
            work.failed(report.trouble.error(report.worker))

    async def _unfit(self, report: Report, times: int, work: Work) -> None:
        if report.unfit is None:
            return
        if times >= UNFIT_LIMIT:
            work.failed(report.unfit.error(report.worker))
            return
        await self.roster.dismiss(report.worker, report.unfit)
        await work.stop.sleep(UNFIT_SECONDS)


async def _record(reports: list[Results], work: Work) -> None:
    await work.record([result for results in reports for result in results])


def id_of(result: Outcome | Doubt) -> int:
    """The row whose end this is."""
    return result.outcome.transfer_id if isinstance(result, Doubt) else result.transfer_id


def _size(batch: tuple[Transfer, ...]) -> int:
    return sum(transfer.size or 0 for transfer in batch)

