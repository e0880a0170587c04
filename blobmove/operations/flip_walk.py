"""Walking rows through gate and mover in batches: count, pace, wait, stop."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from blobmove.core.events import FlipProgress, Problem, Stopping
from blobmove.core.flipping import next_batch_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from blobmove.core.settings import FlipSettings
    from blobmove.operations.flip_doors import FlipDoors, RowId
    from blobmove.operations.flip_movers import Change, Mover

EXAMPLES: Final = 10
"""Refused rows told by id for each reason; all of them go to the listener."""

NO_LONGER_THERE: Final = frozenset({"purged", "changed-meanwhile"})
"""Reasons of rows that do not name the old service any more: no later run has to care about them."""


@dataclass(slots=True)
class Tally:
    """The counts of one run; `kept` are refused rows that still name their old service."""

    flipped: int = 0
    batches: int = 0
    kept: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    passed: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    sample: list[Change] = field(default_factory=list)
    stopped: str = ""

    @property
    def refusals(self) -> int:
        return self.refused.total()

    def refuse(self, row_id: RowId, key: str, reason: str) -> None:
        self.refused[reason] += 1
        self.kept += reason not in NO_LONGER_THERE
        examples = self.examples.setdefault(reason, [])
        if len(examples) < EXAMPLES:
            examples.append(f"{row_id} {key}".rstrip())

    def take_sample(self, changes: list[Change]) -> None:
        """Remember up to three rows of one old name, for the statement that is shown."""
        if not self.sample:
            self.sample = [change for change in changes[:3] if change.old == changes[0].old]


Judged = tuple["Change", str]
"""A row and the reason to leave it alone, "" for none."""


class Walk:
    """One run over judged rows. `pages` is asked for the next page with the size that the pace allows."""

    def __init__(self, settings: FlipSettings, doors: FlipDoors, mover: Mover, total: int) -> None:
        self.tally = Tally()
        self._settings = settings
        self._doors = doors
        self._mover = mover
        self._total = total
        self._size = settings.batch_size
        self._began = doors.clock()

    def run(self, pages: Callable[[Callable[[], int]], Iterator[Iterable[Judged]]]) -> Tally:
        """Walk until the pages end, the limit is reached or someone asks to stop."""
        for page in pages(lambda: self._size):
            if self._may_go_on():
                self._batch(self._choose(page))
            if self.tally.stopped or self._left() == 0:
                break
        return self.tally

    def _choose(self, page: Iterable[Judged]) -> list[Change]:
        """The rows of the page that passed, as far as the limit goes; the others are counted and told."""
        chosen: list[Change] = []
        for change, reason in page:
            if len(chosen) >= self._left():
                break
            if reason:
                self._refuse(change, reason)
            else:
                chosen.append(change)
        return chosen

    def _batch(self, changes: list[Change]) -> None:
        if not changes:
            self._tell("looking for rows")
            return
        self.tally.take_sample(changes)
        self.tally.passed.update(change.old for change in changes)
        before = self._doors.clock()
        moved = self._mover.move(changes)
        seconds = self._doors.clock() - before
        self.tally.batches += 1
        self.tally.flipped += len(moved.flipped)
        for change in changes:
            if change.id in moved.refused:
                self._refuse(change, moved.refused[change.id])
        self._size = next_batch_size(self._size, self._settings.batch_size, seconds)
        self._rest(seconds)

    def _rest(self, seconds: float) -> None:
        pause = seconds * self._settings.sleep_ratio
        if self._settings.dry_run or self._settings.sql or pause <= 0:
            self._tell("counting" if self._settings.dry_run else "flipping")
            return
        self._tell(f"flipping, then pausing {pause:.2f} s (--sleep-ratio {self._settings.sleep_ratio:g})")
        self._doors.sleep(pause)

    def _may_go_on(self) -> bool:
        """Waits while the pause file exists; False once a stop is asked for."""
        while not self._asked_to_stop():
            pause = self._settings.pause_file
            if pause is None or not pause.exists():
                return True
            self._tell(f"paused while {pause} exists")
            self._doors.sleep(1.0)
        self._doors.listener(Stopping(self.tally.stopped, 0))
        return False

    def _asked_to_stop(self) -> bool:
        if self._doors.stop():
            self.tally.stopped = "interrupted"
        elif self._settings.stop_file is not None and self._settings.stop_file.exists():
            self.tally.stopped = f"stop file {self._settings.stop_file}"
        return bool(self.tally.stopped)

    def _left(self) -> int:
        limit = self._settings.limit
        return self._total + 10**12 if limit is None else max(0, limit - self.tally.flipped)

    def _refuse(self, change: Change, reason: str) -> None:
        self.tally.refuse(change.id, change.key, reason)
        self._doors.listener(Problem(change.key, "refused", reason, f"row {change.id} keeps {change.old}"))

    def _tell(self, state: str) -> None:
        tally = self.tally
        elapsed = self._doors.clock() - self._began
        self._doors.listener(FlipProgress(self._total, tally.flipped, tally.refusals, state, elapsed))
