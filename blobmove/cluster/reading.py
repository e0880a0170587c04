"""`verify --how read` on many workers: batches of copied blobs out, what was seen of each back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

import anyio

from blobmove.checkpoint.reader import ProvenCopy
from blobmove.cluster.calls import BatchLost
from blobmove.cluster.coordinator import Crew, Results, id_of
from blobmove.cluster.payloads import ReadReport
from blobmove.cluster.roster import UNFIT_LIMIT
from blobmove.core.crew import BATCH_BYTES, BATCH_OBJECTS, batches_out
from blobmove.core.errors import BlobmoveError, StoreError, UsageError
from blobmove.core.frozen import frozen
from blobmove.engine.pipeline import Pipeline
from blobmove.engine.stopping import Stop

Batch = tuple[ProvenCopy, ...]


@frozen
class Reading:
    """What is to be read, and how it is told: what was seen of each copy."""

    pages: Callable[[], AsyncIterator[Sequence[ProvenCopy]]]
    record: Callable[[Results], Awaitable[None]]
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
                pages=self._batches, act=self._act, record=self._record, stop=reading.stop,
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

    async def _act(self, batch: Batch) -> Results:
        """What was seen of a batch. What one worker leaves unread another one reads: else the run must not pass."""
        seen: Results = []
        left, attempts = batch, 0
        while left and not self.reading.stop.is_set():
            attempts += 1
            report = await self._asked(left, patient=attempts > 1)
            if report is None:
                break
            seen += report.results
            looked = {id_of(result) for result in report.results}
            left = tuple(copy for copy in left if copy.id not in looked)
            self._judge(report, len(left) if attempts == UNFIT_LIMIT else 0)
            if report.unfit is not None:
                await self.crew.roster.dismiss(report.worker, report.unfit)
            elif left:  # many refusals: whether they concern everything must be known before the rest is asked for
                await self.reading.record(seen)
                seen = []
        return seen

    async def _asked(self, batch: Batch, *, patient: bool) -> ReadReport | None:
        """The report of one batch, None where there will be none: then the run stops."""
        try:
            report = await self.crew.calls.read(next(self._numbers), batch, patient)
        except BatchLost as lost:
            self._give_up("workers die as soon as they are given work", str(lost))
        except BlobmoveError as error:
            self.reading.failed(error)
        else:
            self.crew.roster.hear(report.worker, report.heard)
            return report
        return None

    def _give_up(self, message: str, cause: str) -> None:
        self.reading.failed(UsageError("E500-WORKER", message, cause=cause, hint=f"then: {self.crew.calls.again}"))

    def _judge(self, report: ReadReport, unread: int) -> None:
        """Stop the run for what is wrong; `unread`: blobs that no worker of several has read."""
        if unread and report.unfit is not None:
            self.reading.failed(report.unfit.error(report.worker))
        elif unread:
            self._give_up("workers leave blobs unread", f"{unread} of one batch")
        if report.general is not None:
            self.reading.failed(self.reading.explain(report.general.error()))
        if report.trouble is not None:
            self.reading.failed(report.trouble.error(report.worker))

    async def _record(self, batches: list[Results]) -> None:
        await self.reading.record([seen for results in batches for seen in results])
