"""Walking rows through gate and mover in batches: count, pace, wait, stop."""

from __future__ import annotations

import gc
import sys
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from blobmove.core.events import FlipProgress, Problem, Stopping
from blobmove.core.rows import Rows
from blobmove.operations.flip_movers import Wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from blobmove.core.flip_settings import FlipSettings
    from blobmove.core.flipping import Candidate
    from blobmove.operations.flip_doors import FlipDoors, RowId
    from blobmove.operations.flip_movers import Mover
    from blobmove.operations.flip_throttle import Throttle

EXAMPLES: Final = 10
"""Refused rows told by id for each reason; all of them go to the listener."""

WAIT_SECONDS: Final = 1.0
"""Between two looks at what makes the run wait."""

SWITCH_SECONDS: Final = 0.001
"""How long a thread may wait for Python's lock: with the usual 5 ms the end of an UPDATE would be seen that much later,
while the server has nothing to do and the batch counts as slow."""

COLLECT_EVERY: Final = 100_000
"""Objects more than before until Python looks for cycles: several batches of rows."""

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
    sample: Wanted | None = None
    first: RowId | None = None
    last: RowId | None = None
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

    def take(self, wanted: Wanted) -> None:
        """Count rows that passed, and remember the ends of the walk and up to three rows of one old name."""
        rows = wanted.rows
        self.passed.update(rows.names)
        self.last = rows.ids[-1]
        if self.sample is None:
            self.first, old = rows.ids[0], rows.names[0]
            self.sample = Wanted(Rows.of(row for row in rows[:3] if row.service_name == old), wanted.new)


@dataclass(slots=True)
class JudgedPage:
    """Rows that are to name `new`, and by position the reason to leave one alone. Cut into batches from its start."""

    rows: Rows
    new: str
    reasons: Mapping[int, str]
    undoes: int | None = None
    _start: int = 0

    def cut(self, most: int) -> tuple[Wanted, list[tuple[Candidate, str]]]:
        """The next rows that passed, at most so many, and those before the last of them that did not."""
        first, end = self._start, len(self.rows)
        if not self.reasons:
            self._start = min(end, first + most)
            return Wanted(self.rows[first : self._start], self.new, self.undoes), []
        passed: list[int] = []
        refused: list[tuple[Candidate, str]] = []
        while self._start < end and len(passed) < most:
            reason = self.reasons.get(self._start)
            if reason is None:
                passed.append(self._start)
            else:
                refused.append((self.rows[self._start], reason))
            self._start += 1
        return Wanted(self.rows.pick(passed), self.new, self.undoes), refused


_NONE: Final = Wanted(Rows(), "")
"""No batch."""


class Walk:
    """One run over judged rows. `pages` is asked for the next page with the size that the pace allows.

    Where the mover may work ahead, a page is read, judged and journaled while the batch before it is being changed. So
    a page may be longer than the pace allows by now: then it makes more than one batch.
    """

    def __init__(self, settings: FlipSettings, doors: FlipDoors, mover: Mover, throttle: Throttle, total: int) -> None:
        self.tally = Tally()
        self._settings = settings
        self._doors = doors
        self._mover = mover
        self._throttle = throttle
        self._total = total
        self._running = _NONE
        self._began = doors.clock()

    def run(self, pages: Callable[[Callable[[], int]], Iterator[JudgedPage]]) -> Tally:
        """Walk until the pages end, the limit is reached or someone asks to stop."""
        with _collecting_seldom(), _switching_soon():
            return self._run(pages)

    def _run(self, pages: Callable[[Callable[[], int]], Iterator[JudgedPage]]) -> Tally:
        for wanted in self._batches(pages(lambda: self._mover.pace.size)):
            if wanted.rows:
                self._mover.prepare(wanted)
            self._finish()
            if not self._may_go_on():
                self._mover.drop()
                break
            self._start(wanted)
            if self._left() == 0:
                self._finish()
                if self._left() == 0:
                    break
        self._finish()
        return self.tally

    def _batches(self, pages: Iterator[JudgedPage]) -> Iterator[Wanted]:
        """The rows that passed, in batches of the size that is allowed when each is made; an empty one for a page
        where none has. Ends when someone asks to stop."""
        for page in pages:
            if self._stops():
                return
            yield self._choose(page)
            while (chosen := self._choose(page)).rows:
                if self._stops():
                    return
                yield chosen

    def _stops(self) -> bool:
        why = self._throttle.stop_asked()
        if why:
            self._stop(why)
        return bool(why)

    def _choose(self, page: JudgedPage) -> Wanted:
        """The next rows that passed, as far as pace and limit go; the others are counted and told."""
        left, size = self._left(), self._mover.pace.size
        chosen, refused = page.cut(size if left is None else min(left, size))
        for row, reason in refused:
            self._refuse(row, reason)
        return chosen

    def _start(self, wanted: Wanted) -> None:
        if not wanted.rows:
            self._tell("looking for rows")
            return
        self._running = wanted
        self._mover.start()
        self.tally.take(wanted)
        if not self._mover.ahead:
            self._finish()

    def _finish(self) -> None:
        """Count the batch that is under way, if there is one, and give the database its rest."""
        wanted, self._running = self._running, _NONE
        if not wanted.rows:
            return
        moved = self._mover.finish()
        self.tally.batches += 1
        self.tally.flipped += moved.flipped
        if moved.refused:
            for row in wanted.rows:
                if row.id in moved.refused:
                    self._refuse(row, moved.refused[row.id])
        self._rest(moved.seconds)

    def _rest(self, seconds: float) -> None:
        pause = seconds * self._settings.sleep_ratio
        if self._settings.dry_run or self._settings.sql or pause <= 0:
            self._tell("counting" if self._settings.dry_run else "flipping")
            return
        self._tell(f"flipping, then pausing {pause:.2f} s (--sleep-ratio {self._settings.sleep_ratio:g})")
        self._doors.sleep(pause)

    def _may_go_on(self) -> bool:
        """Waits as long as something says so, and says why; False once the run is to stop."""
        while True:
            verdict = self._throttle.look()
            if verdict.stop:
                self._stop(verdict.stop)
                return False
            if not verdict.wait:
                return True
            self._tell(verdict.wait)
            self._doors.sleep(WAIT_SECONDS)

    def _stop(self, why: str) -> None:
        self.tally.stopped = why
        self._doors.listener(Stopping(why, 0))

    def _left(self) -> int | None:
        """Rows that the limit still allows, those under way taken as done; None without one."""
        limit = self._settings.limit
        return None if limit is None else max(0, limit - self.tally.flipped - len(self._running.rows))

    def _refuse(self, row: Candidate, reason: str) -> None:
        self.tally.refuse(row.id, row.key, reason)
        self._doors.listener(Problem(row.key, "refused", reason, f"row {row.id} keeps {row.service_name}"))

    def _tell(self, state: str) -> None:
        tally = self.tally
        elapsed = self._doors.clock() - self._began
        self._doors.listener(FlipProgress(self._total, tally.flipped, tally.refusals, state, elapsed))


@contextmanager
def _collecting_seldom() -> Iterator[None]:
    """Rows come and go by the thousand and refer to nothing: to look for cycles among those of each batch would take
    a sixth of the time (measured with 300,000 rows)."""
    before = gc.get_threshold()
    gc.set_threshold(max(before[0], COLLECT_EVERY), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextmanager
def _switching_soon() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(before, SWITCH_SECONDS))
    try:
        yield
    finally:
        sys.setswitchinterval(before)
