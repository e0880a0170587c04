"""`verify --how read` on many workers: batches of copied blobs out, what was seen of each back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

import anyio

from blobmove.checkpoint.reader import ProvenCopy
from blobmove.cluster.calls import BatchLost
from blobmove.cluster.coordinator import UNFIT_LIMIT, Crew
from blobmove.cluster.payloads import ReadReport
from blobmove.core.crew import BATCH_BYTES, BATCH_OBJECTS, batches_out
from blobmove.core.errors import BlobmoveError, StoreError, UsageError
from blobmove.engine.pipeline import Pipeline
from blobmove.engine.stopping import Stop

Seen = tuple[ProvenCopy, str]
Batch = tuple[ProvenCopy, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """What is to be read, and how it is told: each copy with its difference, "" for none."""

    pages: Callable[[], AsyncIterator[Sequence[ProvenCopy]]]
    record: Callable[[list[Seen]], Awaitable[None]]
    failed: Callable[[BlobmoveError], None]
    explain: Callable[[StoreError], BlobmoveError]
    stop: Stop


@dataclass(slots=True)
class Readers:
    """The crew, reading."""

    crew: Crew
    reading: Reading
    _numbers: count[int] = field(default_factory=lambda: count(1))

    async def run(self) -> None:
        """Have everything read that the pages hold, or until the run is stopped and drained."""
        roster, reading = self.crew.roster, self.reading
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(roster.watch, reading.stop, reading.failed)
            await Pipeline(
                pages=self._batches, act=self._act, record=self._record, stop=reading.stop, hold=_go_on,
                places=lambda: max(1, batches_out(roster.threads)), long_pieces=True,
            ).run()
            tasks.cancel_scope.cancel()

    async def _batches(self) -> AsyncIterator[Sequence[Batch]]:
        batch: list[ProvenCopy] = []
        size = 0
        async for page in self.reading.pages():
            for copy in page:
                if batch and (len(batch) >= BATCH_OBJECTS or size + copy.size > BATCH_BYTES):
                    yield [tuple(batch)]
                    batch, size = [], 0
                batch.append(copy)
                size += copy.size
        if batch:
            yield [tuple(batch)]

    async def _act(self, batch: Batch) -> list[Seen]:
        """What was seen of a batch; what a worker has not read is not counted, and the run stops for the reason."""
        for attempt in range(1, UNFIT_LIMIT + 1):
            try:
                report = await self.crew.calls.read(next(self._numbers), batch)
            except BatchLost as lost:
                self.reading.failed(UsageError("E500-WORKER", "workers die as soon as they are given work",
                                               cause=str(lost), hint=f"then: {self.crew.calls.again}"))
                return []
            except BlobmoveError as error:
                self.reading.failed(error)
                return []
            self.crew.roster.hear(report.worker, report.heard)
            if report.unfit is None:
                self._judge(report)
                return [(copy, report.seen[copy.id]) for copy in batch if copy.id in report.seen]
            if attempt == UNFIT_LIMIT:
                self.reading.failed(report.unfit.error(report.worker))
            await self.crew.roster.dismiss(report.worker, report.unfit)
        return []

    def _judge(self, report: ReadReport) -> None:
        if report.store is not None:
            self.reading.failed(self.reading.explain(report.store.error()))
        if report.trouble is not None:
            self.reading.failed(report.trouble.error(report.worker))

    async def _record(self, batches: list[list[Seen]]) -> None:
        await self.reading.record([seen for batch in batches for seen in batch])


async def _go_on() -> None:
    return
