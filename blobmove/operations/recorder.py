"""The recorder of a run: outcomes into the ledger, what did not end well told, and a sample of all of it in time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from anyio import CapacityLimiter, to_thread

from blobmove.core.errors import BlobmoveError, LimitReached
from blobmove.core.events import Problem
from blobmove.core.frozen import frozen
from blobmove.core.model import UNWELL_STATES, Outcome, State
from blobmove.operations.tallies import as_json, holding_back

if TYPE_CHECKING:
    from blobmove.checkpoint.writer import CheckpointWriter
    from blobmove.cluster.coordinator import Crew
    from blobmove.engine.bench import Bench
    from blobmove.operations.doubts import Doubts, Result
    from blobmove.operations.running import Frame
    from blobmove.operations.tallies import Running


class Planned(Protocol):
    """What a page of work consists of: the row it is settled under, its name, and its size in bytes, if known."""

    @property
    def id(self) -> int: ...
    @property
    def key(self) -> str: ...
    @property
    def size(self) -> int | None: ...


P = TypeVar("P", bound=Planned)

_TOLD: Final = frozenset({*UNWELL_STATES, State.GONE})


@frozen
class ErrorLimit:
    """After so many failed objects (None: never) the run stops; `hint` says what to type then."""

    most: int | None
    hint: str


@frozen
class Recorder:
    """Records what movers come back with. `keep` writes outcomes in one transaction; `one` lets one thread write."""

    bench: Bench
    frame: Frame
    running: Running
    doubts: Doubts
    writer: CheckpointWriter
    keep: Callable[[Sequence[Outcome]], None]
    limit: ErrorLimit
    crew: Crew | None = None
    one: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(1))
    _under_way: dict[int, Planned] = field(default_factory=dict)

    def expect(self, page: Sequence[P]) -> Sequence[P]:
        """The page, its objects known for when they are settled."""
        for item in page:
            self._under_way[item.id] = item
        return page

    async def record(self, results: Sequence[Result]) -> None:
        """Record a batch, as far as it is beyond doubt."""
        await self._settle(await self.doubts.cleared(results))

    async def decide_held(self) -> None:
        """Record what is still in doubt at the end, or stop the run for it."""
        async for outcomes in self.doubts.at_the_end():
            await self._settle(outcomes)

    async def _settle(self, outcomes: list[Outcome]) -> None:
        if not outcomes:
            return
        try:
            await to_thread.run_sync(self.keep, outcomes, limiter=self.one)
        except BlobmoveError as error:
            # Nothing of this batch is recorded; what was written is there, and the next run finds it.
            self.frame.stop_for(error)
            return
        items = [self._under_way.pop(outcome.transfer_id, None) for outcome in outcomes]
        self.running.settle(outcomes, [item.size or 0 if item else 0 for item in items])
        for outcome, item in zip(outcomes, items, strict=True):
            if outcome.state in _TOLD:
                key = item.key if item else ""
                self.frame.listener(Problem(key, outcome.state.value, outcome.reason, outcome.detail))
        self._check_errors()

    def _check_errors(self) -> None:
        most, failed = self.limit.most, self.running.failed
        if most is not None and failed >= most:
            text = f"{failed} objects failed (--max-errors {most})"
            self.frame.stop_for(LimitReached("E006-ERRORS", text, hint=self.limit.hint))

    async def tick(self) -> None:
        """Tell the sample of this second; every five leave it where `status` finds it."""
        crew, frame = self.crew, self.frame
        state = holding_back(self.bench, frame.paused(), frame.stop.is_set(), crew.state if crew else None)
        sample = self.running.sample(self.bench, state, crew.shown() if crew else ())
        frame.listener(sample)
        if int(sample.elapsed) % 5 == 0:
            try:
                await to_thread.run_sync(self.writer.note_run, as_json(sample), limiter=self.one)
            except BlobmoveError as error:
                frame.stop_for(error)
