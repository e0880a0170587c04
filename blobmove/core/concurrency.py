"""How many requests one side may have out, and how fast they may start: learnt from its answers, never configured.

Two things are learnt, for neither does the work of the other. In flight: more while the answers come no slower (a
queue in the service shows in the latency long before anything is refused). A pace in requests a second: only once the
side has refused something, because at 1 ms of latency four requests in flight are 4,000 a second already.
"""

from __future__ import annotations

from math import inf, sqrt
from typing import Final

from blobmove.core.rates import Pace

WINDOW_SECONDS: Final = 0.1
"""Answers are judged together, in windows of at least this length and of twice the latency."""

_FEW: Final = 8  # fewer answers than this say nothing: the window goes on
_LONGEST: Final = 2.0

TOLERANCE: Final = 2.0
SLACK_SECONDS: Final = 0.01
"""Answers count as slower from TOLERANCE times the undisturbed latency plus SLACK_SECONDS on.

The slack is what an event loop, a garbage collection or a neighbour may take; below it more in flight costs nothing.
"""

BESIDE_BULK: Final = 64
"""As long as blocks fill the line or the processor, small answers are slow because of them and not because of their
own number: then latency is not judged, and so many in flight keep small objects moving without filling the memory."""

PAYS: Final = 0.25
"""More in flight must bring at least this part of the answers it would bring where nothing is short, else it is taken
back: what waits in a processor's or a line's queue takes memory, and no time off the run."""
_HELD: Final = 10
"""For so many windows in which all were used nothing more is tried then."""

_LOOK_SECONDS: Final = 10.0
"""While answers are never as fast as they once were, the undisturbed latency is measured anew this often."""


class Concurrency:
    """The limit of one side. `slots` is how many requests may be out now, `most` and `least` its bounds.

    `pace` is None until the side refuses something; `slower_at` is when answers last came slower than undisturbed.

    Latency is the shortest of a window: large bodies take long because they are large, but the quickest answer among
    many is a small one, and a queue delays that one, too. Answers known to be `bulk` (large bodies) are not counted
    as latency at all. Not for two threads; times in seconds of one monotonic clock.
    """

    __slots__ = (
        "_base", "_base_at", "_bulk_at", "_ends", "_floor", "_fresh", "_from", "_good", "_gradient", "_held",
        "_last_rate", "_least_seen", "_limit", "_looking", "_refused", "_since", "_steep", "_sum", "least", "most",
        "pace", "slots", "slower_at",
    )

    def __init__(self, start: float, *, least: int = 4, most: int = 512, gradient: bool = True) -> None:
        self.least, self.most = least, most
        self.slots = int(start)
        self.pace: Pace | None = None
        self.slower_at = -inf
        self._limit = float(start)
        self._gradient = gradient
        self._steep = True
        self._floor = max(least, int(start))  # latency alone never asks for fewer than it began with
        self._base, self._base_at, self._bulk_at = inf, 0.0, -inf
        self._looking = 0.0  # the limit to come back to while the undisturbed latency is measured; 0: no such time
        self._last_rate = 0.0
        self._from = (0.0, 0.0)  # the limit before the last step up, and the answers a second then; 0: no such step
        self._fresh = False  # that step was a moment ago: what it added has not answered yet
        self._held = 0
        self._since = self._ends = -inf
        self._good = self._refused = 0
        self._sum, self._least_seen = 0.0, inf

    def good(self, seconds: float, now: float, bulk: bool = False) -> None:
        """One request was answered without complaint, `seconds` after it was sent."""
        self._good += 1
        self._sum += seconds
        if bulk:
            self._bulk_at = now
        elif seconds < self._least_seen:
            self._least_seen = seconds
        if now >= self._ends:
            self._turn(now)

    def busy(self, now: float) -> bool:
        """One request was refused as too many; whether that was news, and not an echo of what is known already."""
        self._refused += 1
        if now >= self._ends:
            self._turn(now)
        if self.pace is None:
            span = max(WINDOW_SECONDS, now - self._since)
            # A refusal may be the first answer of all: then half of what was sent is as good a guess as any.
            self.pace = Pace(max(self._last_rate, self._good / span, self._limit / 2 / span))
            self._end_look(now)
            self._steep, self._from, self._held = False, (0.0, 0.0), 0
            self._set(self._limit / 2)
        elif not self.pace.listens():
            return False
        self._begin(now, self.pace.measure(max(WINDOW_SECONDS, 1.5 * self._latency())))
        return True

    def bound(self, least: int, most: int) -> None:
        """New bounds, while it is in use: the limit keeps to them from now on."""
        self.least, self.most = least, most
        self._floor = max(least, min(self._floor, most))
        self._set(self._limit)

    def delay(self, now: float) -> float:
        """Seconds to wait before the next request may start; its place in the row is taken by asking."""
        return self.pace.delay(now) if self.pace is not None else 0.0

    def _latency(self) -> float:
        return self._base if self._base < inf else 0.0

    def _begin(self, now: float, seconds: float) -> None:
        self._since, self._ends = now, now + seconds
        self._good = self._refused = 0
        self._sum, self._least_seen = 0.0, inf

    def _turn(self, now: float) -> None:
        """A window is over: judge it and begin the next."""
        span, answers = now - self._since, self._good + self._refused
        if self._since == -inf:
            self._since, self._ends = now, now + WINDOW_SECONDS
            return
        if answers < _FEW and span < _LONGEST:
            self._ends = now + WINDOW_SECONDS
            return
        used = self._sum / span
        mean = self._sum / self._good if self._good else 0.0
        self._last_rate = self._good / span
        least_seconds = max(WINDOW_SECONDS, min(_LONGEST, 2 * mean))
        if self.pace is not None:
            least_seconds = max(least_seconds, self.pace.turn(span, self._good, self._refused))
            if self.pace.forgotten():
                self.pace = None
        beside = now - self._bulk_at < _LONGEST
        if beside and self._looking:
            self._set(self._end_look(now))
        slower = self._gradient and not beside and self._judge_latency(now, self._least_seen)
        before, self._from = self._from, (0.0, 0.0)
        if not self._looking and not slower and used >= 0.75 * self._limit:
            if self._gradient and beside:
                self._grow(BESIDE_BULK)
            elif not self._gradient or self.pace is not None or mean > _LONGEST / 2 or self._pays(*before):
                self._grow(self.most)
        self._begin(now, least_seconds)

    def _pays(self, limit: float, rate: float) -> bool:
        """Whether more in flight may be tried. Not if a step up from `limit` has brought hardly more than `rate`."""
        if self._held:
            self._held -= 1
            if self._held:
                return False
        elif self._fresh and limit:
            self._from, self._fresh = (limit, rate), False
            return False
        elif 0 < limit < self._limit and self._last_rate < rate * (1 + PAYS * (self._limit / limit - 1)):
            self._held, self._steep = _HELD, False
            self._set(limit)
            return False
        self._from, self._fresh = (self._limit, self._last_rate), not self._steep
        return True

    def _grow(self, most: int) -> None:
        more = self._limit * 1.5 if self._steep else self._limit + max(1.0, sqrt(self._limit))
        self._set(min(more, max(self._limit, most)))

    def _judge_latency(self, now: float, seconds: float) -> bool:
        """Compare the quickest answer of a window with the undisturbed latency; whether it was slower."""
        if seconds == inf:
            return False
        if self._looking:
            self._look(now, seconds)
            return False
        if seconds <= self._base * 1.1:
            self._base, self._base_at = min(self._base, seconds), now
        bound = TOLERANCE * self._base + SLACK_SECONDS
        slower = seconds > bound
        if slower:
            self.slower_at, self._steep = now, False
            self._set(max(min(self._limit, self._floor), self._limit * max(0.7, bound / seconds)))
        if now - self._base_at > _LOOK_SECONDS:
            # So few in flight that no queue of ours is left; this window still hears of the time before.
            self._looking, self._base = self._limit, inf
            self.slots = max(self.least, int(self._limit * 0.75 * min(1.0, bound / TOLERANCE / seconds)))
        return slower

    def _end_look(self, now: float) -> float:
        """The undisturbed latency cannot be measured now; the limit to come back to, 0 where nobody was looking."""
        back, self._looking = self._looking, 0.0
        if back:
            self._base, self._base_at = inf, now
        return back

    def _look(self, now: float, seconds: float) -> None:
        if self._base == inf:
            self._base = -inf  # the first window after the cut is not believed
        else:
            self._base, self._base_at = seconds, now
            back, self._looking = self._looking, 0.0
            self._set(back)

    def _set(self, limit: float) -> None:
        self._limit = min(float(self.most), max(float(self.least), limit))
        if not self._looking:
            self.slots = int(self._limit)
