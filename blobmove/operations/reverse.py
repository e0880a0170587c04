"""`copy --reverse`: what is wanted back goes through the pipeline to S3, outcomes into a ledger of its own."""

from __future__ import annotations

import shlex
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from anyio import to_thread

from blobmove.core.circuit import Circuit
from blobmove.core.errors import BlobmoveError
from blobmove.core.events import Finished, Listener, Started
from blobmove.core.model import State
from blobmove.core.results import CopySummary, ReverseResult, Totals
from blobmove.core.settings import for_checkpoint
from blobmove.engine.bench import GeneralFailure
from blobmove.engine.pipeline import Pipeline
from blobmove.engine.reverse import move_back
from blobmove.engine.reverse_trip import ReverseBench
from blobmove.operations.doubts import Doubts, Probe, Result
from blobmove.operations.recorder import ErrorLimit, Recorder
from blobmove.operations.running import Frame, exit_code
from blobmove.operations.tallies import Running, run_json, summed_up
from blobmove.operations.troubles import explain
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

_FORWARD: Final = "blobmove copy --resume"


def again(settings: CopySettings) -> str:
    """The command that goes on with this way back: always the same one."""
    words = ["blobmove", "copy", "--reverse", "--resume"]
    if settings.from_rails:
        words += ["--from-rails", *(["--to", settings.to_service] if settings.to_service else [])]
    else:
        words += ["--keys", str(settings.keys)]
    return for_checkpoint(shlex.join(words), settings.checkpoint)


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
    probe: Probe
    stop: Stop
    _recorder: Recorder = field(init=False)
    _desk: ReverseBench = field(init=False)

    async def run(self) -> tuple[ReverseResult, int, BlobmoveError | None]:
        """Copy until the list is done or the run is stopped; the result, the exit code, and why it stopped."""
        started, totals = time.monotonic(), self.ledger.totals()
        self._recorder = recorder = self._recorder_from(totals)
        self._desk = ReverseBench(self.bench, S3Writing(self.bench.source), self.prefix, self._note_upload)
        self.listener(Started(self.setup.plan, "copy", self.setup.destination, self.setup.source,
                              str(self.settings.checkpoint), totals, self.bench.azure.concurrency.slots,
                              self.settings.max_memory, direction="reverse"))
        await recorder.frame.run(self._flow, recorder.tick)
        result = ReverseResult(self._summary(time.monotonic() - started), self.ledger.unwell(SHOWN))
        code = exit_code(self.stop, result.summary.totals)
        self.writer.end_run(code, run_json(result.summary, recorder.running.settled) | {"direction": "reverse"})
        self.listener(Finished(result.summary))
        return result, code, self._ours(self.stop.error)

    def _recorder_from(self, totals: Totals) -> Recorder:
        frame = Frame(self.stop, self.listener, lambda: self.bench.counters.in_flight, self.settings.max_duration,
                      self.settings.throttle_file)
        # Changed and gone are Azure's words here: they tell nothing of S3.
        circuit = Circuit(by_source=frozenset())
        return Recorder(
            self.bench, frame, Running(dict(totals.objects), dict(totals.bytes)),
            Doubts(frame, circuit, self.probe, _reading_tells_nothing), self.writer, self.ledger.settle,
            ErrorLimit(self.settings.max_errors, _FORWARD),
        )

    async def _flow(self) -> None:
        s3, azure = self.bench.s3.concurrency, self.bench.azure.concurrency
        await Pipeline(
            pages=self._pages, act=self._act, record=self._recorder.record, places=lambda: s3.slots + azure.slots,
            stop=self.stop, hold=self._recorder.frame.pauses,
        ).run()
        if not self.stop.is_set():
            await self._recorder.decide_held()

    async def _pages(self) -> AsyncIterator[Sequence[Returning]]:
        after = -1
        while page := await to_thread.run_sync(self.ledger.pending, after, PAGE, limiter=self._recorder.one):
            after = page[-1].id
            yield self._recorder.expect(page)

    async def _act(self, item: Returning) -> Result:
        try:
            return await move_back(self._desk, item)
        except GeneralFailure as failure:
            self._recorder.frame.stop_for(explain(failure.error))
        except BlobmoveError as error:  # a credential that cannot be renewed: drain, do not tear down
            self._recorder.frame.stop_for(error)
        return None

    async def _note_upload(self, row: int, upload: str | None) -> None:
        await to_thread.run_sync(self.ledger.note_upload, row, upload, limiter=self._recorder.one)

    def _ours(self, error: BlobmoveError | None) -> BlobmoveError | None:
        """The error with a hint that goes this way, not forward."""
        if error is not None and error.hint is not None:
            error.hint = error.hint.replace(_FORWARD, again(self.settings))
        return error

    def _summary(self, seconds: float) -> CopySummary:
        summary = summed_up(self.setup, self.ledger, self.bench, seconds)
        left = any(summary.totals.objects[state] for state in (State.PENDING, State.FAILED, State.CHANGED))
        return replace(summary, source=self.setup.destination, destination=self.setup.source, direction="reverse",
                       next=again(self.settings) if left else "", stopped=self.stop.why)


async def _reading_tells_nothing() -> bool:
    """Whether S3 gives an object: that does not say whether it takes one."""
    return False


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
