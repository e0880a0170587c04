"""`copy`: pages of pending work through the pipeline, outcomes into the checkpoint, one summary at the end."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from anyio import Lock, to_thread

from blobmove.checkpoint.reader import CheckpointReader
from blobmove.checkpoint.writer import CheckpointWriter
from blobmove.core.circuit import Circuit
from blobmove.core.errors import BlobmoveError, Kind, RefusedError, StoreError
from blobmove.core.events import Finished, Listener, Note, Started
from blobmove.core.model import State, Transfer
from blobmove.core.results import CopySummary, Totals
from blobmove.core.settings import CopySettings, for_checkpoint
from blobmove.engine.bench import Bench, GeneralFailure
from blobmove.engine.later import AFTER_SECONDS, load_the_rest
from blobmove.engine.mover import move
from blobmove.engine.pipeline import Large, Pipeline
from blobmove.engine.stopping import Stop
from blobmove.operations.doubts import Doubts, Probe, Result
from blobmove.operations.recorder import ErrorLimit, Recorder
from blobmove.operations.running import Frame, exit_code
from blobmove.operations.tallies import Running, next_command, run_json, summed_up
from blobmove.operations.troubles import explain

if TYPE_CHECKING:
    from blobmove.cluster.coordinator import Crew

PAGE: Final = 200
"""Objects read at once: so many take the event loop a millisecond or two."""
PAGE_LARGE: Final = 100
SLOW_SECONDS: Final = 0.02
"""A page that takes longer has waited for the disk, and everybody for the page."""
SLOW_PAGES: Final = 10
"""So many pages in a row must then come quickly, before one is read without a thread again."""
MAX_OBJECT_BYTES: Final = 2**63 - 1


def require_resume(reader: CheckpointReader, settings: CopySettings) -> None:
    """A started plan goes on only when told so. Raises RefusedError with the line to type."""
    if not settings.resume and not settings.retry_failed and reader.plan_started():
        raise RefusedError("E409-STARTED", "this plan has been started already",
                           hint=for_checkpoint("blobmove copy --resume", settings.checkpoint))


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
    _recorder: Recorder = field(init=False)
    _reading: Lock = field(default_factory=Lock)
    _all_loaded: bool = False
    _slow_pages: int = 1

    async def run(self) -> tuple[CopySummary, int, BlobmoveError | None]:
        """Copy until the plan is done or the run is stopped; the summary, the exit code, and why it stopped."""
        started = time.monotonic()
        setup = self.reader.setup()
        if self.settings.retry_failed:
            again = self.writer.reopen()
            self.listener(Note(f"{again} failed, conflicting, archived or unverified objects are tried again"))
        totals = self.reader.totals()
        self._recorder = recorder = self._recorder_from(totals)
        self.writer.begin_run(setup.plan)
        self.listener(Started(setup.plan, "copy", setup.source, setup.destination, str(self.settings.checkpoint),
                              totals, self.bench.azure.concurrency.slots, self.settings.max_memory))
        await recorder.frame.run(self._flow, self._tick)
        summary = self._summary(time.monotonic() - started)
        code = exit_code(self.stop, summary.totals)
        self.writer.end_run(code, run_json(summary, recorder.running.settled))
        self.listener(Finished(summary))
        return summary, code, self.stop.error

    def _recorder_from(self, totals: Totals) -> Recorder:
        frame = Frame(self.stop, self.listener, lambda: self.bench.counters.in_flight, self.settings.max_duration,
                      self.settings.throttle_file)
        return Recorder(
            self.bench, frame, Running(dict(totals.objects), dict(totals.bytes)),
            Doubts(frame, Circuit(), self.probe, self._source_still_gives), self.writer, self.writer.settle,
            ErrorLimit(self.settings.max_errors, "blobmove status --failed"), self.crew,
        )

    async def _flow(self) -> None:
        await (self._alone() if self.crew is None else self._with(self.crew))
        if not self.stop.is_set():
            await self._recorder.decide_held()

    async def _tick(self) -> None:
        await self._recorder.tick()
        if not self._all_loaded and time.monotonic() - self._recorder.running.started >= AFTER_SECONDS:
            self._all_loaded = True
            await to_thread.run_sync(load_the_rest)

    async def _with(self, crew: Crew) -> None:
        from blobmove.cluster.coordinator import Work

        recorder = self._recorder
        await crew.run(Work(
            pages=self._pages, large_pages=self._large_pages, record=recorder.record, stop=self.stop,
            left=lambda: recorder.running.objects[State.PENDING], hold=recorder.frame.pauses,
            failed=recorder.frame.stop_for, explain=explain,
        ))

    async def _alone(self) -> None:
        await Pipeline(
            pages=self._pages, act=self._act, record=self._recorder.record, places=self.bench.places,
            stop=self.stop, hold=self._recorder.frame.pauses,
            large=Large(self._large_pages, lambda transfer: transfer.size or 0, self.bench.lane),
        ).run()

    async def _pages(self) -> AsyncIterator[Sequence[Transfer]]:
        after = -1
        while True:
            async with self._reading:
                page = await self._next_page(after)
            if not page:
                return
            after = page[-1].id
            yield self._recorder.expect(page)

    async def _next_page(self, after: int) -> list[Transfer]:
        """The page behind row id `after`. Once the disk was slow it is waited for in a thread, for some pages at least.

        To read each page there first, in vain as a rule, takes 2 us of CPU an object.
        """
        began = time.monotonic()
        if self._slow_pages:
            await to_thread.run_sync(self.reader.fetch, after, PAGE)
        page = self.reader.pending(after, PAGE)
        slow = time.monotonic() - began > SLOW_SECONDS
        self._slow_pages = SLOW_PAGES if slow else max(0, self._slow_pages - 1)
        return page

    async def _large_pages(self) -> AsyncIterator[Sequence[Transfer]]:
        after = (MAX_OBJECT_BYTES, -1)
        while True:
            async with self._reading:
                page = await to_thread.run_sync(self.reader.pending_large, after, PAGE_LARGE)
            if not page:
                return
            after = (page[-1].size or 0, page[-1].id)
            yield self._recorder.expect(page)

    async def _act(self, transfer: Transfer) -> Result:
        try:
            return await move(self.bench, transfer)
        except GeneralFailure as failure:
            self._recorder.frame.stop_for(explain(failure.error))
        except BlobmoveError as error:  # a credential that cannot be renewed, for instance: drain, do not tear down
            self._recorder.frame.stop_for(error)
        return None

    async def _source_still_gives(self) -> bool:
        """Whether S3 gives a byte of an object that was copied before."""
        known = [copy for copy in self.reader.proven_page(-1, PAGE) if copy.size > 0]
        if not known:
            return False
        try:
            await self.bench.source.get(known[0].blob_name, etag=None, byte_range=(0, 1))
        except StoreError as error:
            return error.kind in (Kind.MISSING, Kind.CHANGED)
        return True

    def _summary(self, seconds: float) -> CopySummary:
        summary = summed_up(self.reader.setup(), self.reader, self.bench, seconds)
        return replace(summary, next=next_command(summary.totals, self.settings.checkpoint), stopped=self.stop.why)
