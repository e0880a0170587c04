"""A batch on a worker: its pieces through the pipeline of one process, its end before time where that is of use."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from blobmove.checkpoint.reader import ProvenCopy
from blobmove.cluster.exhausted import told_when_exhausted
from blobmove.cluster.payloads import StoreTrouble, Trouble
from blobmove.core.circuit import HELD_LIMIT, Doubt
from blobmove.core.errors import BlobmoveError
from blobmove.core.lanes import LARGE_BYTES
from blobmove.core.model import Outcome, Transfer
from blobmove.engine.bench import Bench, GeneralFailure
from blobmove.engine.mover import move
from blobmove.engine.pipeline import Large, Pipeline
from blobmove.engine.second_look import look
from blobmove.engine.stopping import Stop

T = TypeVar("T")


@dataclass(slots=True)
class _Batch:
    """What has become of the pieces of a batch. Unless `patient`, many refusals in a row end it early."""

    bench: Bench
    stop: Stop
    patient: bool
    results: list[Outcome | Doubt] = field(default_factory=list)
    general: StoreTrouble | None = None
    trouble: Trouble | None = None
    unfit: Trouble | None = None
    _doubts: int = 0

    async def _end(self, result: Awaitable[Outcome | Doubt]) -> Outcome | Doubt | None:
        """How a piece has ended; None, and the batch ends, for a failure that concerns every piece."""
        try:
            with told_when_exhausted(self._is_unfit):
                ended = await result
                self._watch(ended)
                return ended
        except GeneralFailure as failure:
            self.general = self.general or StoreTrouble.of(failure.error)
        except BlobmoveError as error:
            self.trouble = self.trouble or Trouble.of(error)
        self.stop.ask("a failure that concerns every object")
        return None

    def _is_unfit(self, trouble: Trouble) -> None:
        self.unfit = self.unfit or trouble

    def _watch(self, result: Outcome | Doubt) -> None:
        """Many refusals without one good end in between may concern everything: the coordinator shall decide."""
        self._doubts = self._doubts + 1 if isinstance(result, Doubt) else 0
        if self._doubts >= HELD_LIMIT and not self.patient:
            self.stop.ask("many refusals in a row")

    async def _record(self, results: list[Outcome | Doubt | None]) -> None:
        self.results += [result for result in results if result is not None]


@dataclass(slots=True)
class MoveBatch(_Batch):
    """A batch of transfers on its way through the pipeline of one process."""

    async def run(self, transfers: Sequence[Transfer]) -> None:
        """Until all have ended, or the first failure that concerns every object."""
        small = [one for one in transfers if (one.size or 0) < LARGE_BYTES]
        large = [one for one in transfers if (one.size or 0) >= LARGE_BYTES]
        await Pipeline(
            pages=lambda: _page(small), act=lambda one: self._end(move(self.bench, one)), record=self._record,
            places=self.bench.places, stop=self.stop,
            large=Large(lambda: _page(large), lambda one: one.size or 0, self.bench.lane),
        ).run()


@dataclass(slots=True)
class ReadBatch(_Batch):
    """A batch of copies that are read back."""

    async def run(self, copies: Sequence[ProvenCopy]) -> None:
        """Until all have been looked at, or the first failure that concerns every blob."""
        level = self.bench.azure.concurrency
        await Pipeline(
            pages=lambda: _page(copies), act=lambda copy: self._end(look(self.bench, copy)), record=self._record,
            places=lambda: level.slots, stop=self.stop,
        ).run()


async def _page(items: Sequence[T]) -> AsyncIterator[Sequence[T]]:
    if items:
        yield items
