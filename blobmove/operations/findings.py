"""What a verification finds: each blob in one count, noted in the checkpoint, and named where it is not well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from anyio import CapacityLimiter, to_thread

from blobmove.core.errors import BlobmoveError
from blobmove.core.events import Problem
from blobmove.core.frozen import frozen
from blobmove.core.model import Outcome, State
from blobmove.engine.second_look import MISSING

if TYPE_CHECKING:
    from blobmove.checkpoint.reader import ProvenCopy
    from blobmove.checkpoint.writer import CheckpointWriter
    from blobmove.operations.doubts import Doubts, Result
    from blobmove.operations.running import Frame

EXAMPLES: Final = 20
_EXTRA: Final = "extra: not in the plan, or not copied by it"
_WORDS: Final = {State.CONFLICT: "different", State.GONE: "missing", State.FAILED: "unreadable"}


@dataclass(slots=True)
class Tally:
    """Counts of one verification; `read_back` blobs had no MD5 in the listing and were read.

    `unread` are the row ids of the blobs that could not be read: nothing was found out about those.
    """

    identical: int = 0
    different: int = 0
    missing: int = 0
    extra: int = 0
    read_back: int = 0
    unread: set[int] = field(default_factory=set)
    unread_names: list[str] = field(default_factory=list)
    _unwell: list[tuple[str, str]] = field(default_factory=list)
    _extras: list[tuple[str, str]] = field(default_factory=list)

    @property
    def checked(self) -> int:
        return self.identical + self.different + self.missing

    @property
    def examples(self) -> tuple[tuple[str, str], ...]:
        """The first that are not well; where there are few, also what is there besides."""
        return tuple([*self._unwell, *self._extras][:EXAMPLES])

    def count(self, name: str, outcome: Outcome) -> None:
        """Count a copied blob."""
        match outcome.state:
            case State.PRESENT:
                self.identical += 1
                return
            case State.GONE:
                self.missing += 1
                what = MISSING
            case State.FAILED:
                self.unread.add(outcome.transfer_id)
                what = f"cannot be read: {outcome.detail}"
                if len(self.unread_names) < EXAMPLES:
                    self.unread_names.append(name)
            case _:
                self.different += 1
                what = outcome.detail
        if len(self._unwell) < EXAMPLES:
            self._unwell.append((name, what))

    def count_extra(self, name: str) -> None:
        """Count a blob that is there besides."""
        self.extra += 1
        if len(self._extras) < EXAMPLES:
            self._extras.append((name, _EXTRA))


@frozen
class Findings:
    """Takes what was seen of copied blobs. `doubts` holds back what may concern all of them."""

    frame: Frame
    doubts: Doubts
    writer: CheckpointWriter
    tally: Tally = field(default_factory=Tally)
    _names: dict[int, str] = field(default_factory=dict)
    _one: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(1))

    def expect(self, copies: Sequence[ProvenCopy]) -> Sequence[ProvenCopy]:
        """These copies, their names known for when they have been seen."""
        self._names.update((copy.id, copy.blob_name) for copy in copies)
        return copies

    async def record(self, results: Sequence[Result]) -> None:
        """Take what was read, as far as it is beyond doubt."""
        await self.settle(await self.doubts.cleared(results))

    async def decide_held(self) -> None:
        """Take what is still in doubt at the end, or stop the run for it."""
        async for outcomes in self.doubts.at_the_end():
            await self.settle(outcomes)

    async def settle(self, outcomes: Sequence[Outcome]) -> None:
        """Note it, and only then count it. Of a blob that could not be read stays noted what was found before."""
        if not outcomes:
            return
        identical = [outcome.transfer_id for outcome in outcomes if outcome.state is State.PRESENT]
        unlike = [outcome.transfer_id for outcome in outcomes if outcome.state in (State.CONFLICT, State.GONE)]
        try:
            await to_thread.run_sync(self.writer.mark_verified, identical, unlike, limiter=self._one)
        except BlobmoveError as error:
            self.frame.stop_for(error)
            return
        for outcome in outcomes:
            name = self._names.pop(outcome.transfer_id, "")
            self.tally.count(name, outcome)
            if word := _WORDS.get(outcome.state):
                self.frame.listener(Problem(name, word, outcome.reason, outcome.detail))
