"""The pace of requests to a side that has refused some: near the rate it accepts, and now and then a little above.

The rate a side accepts is measured, not guessed: what it accepts while it also refuses is exactly that. From there
the pace follows a cubic curve, flat around the known rate and steeper the longer nothing is refused, so that a limit
that stays is touched seldom and gently, and one that doubles is found in seconds.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

CUT: Final = 0.04
"""The share of the accepted rate left free after a refusal: what fills a service's bucket again."""

CURVE: Final = 0.008
"""Steepness of the curve, per second cubed: from the cut back to the known rate in 2 s, the double in 8 s."""

_FLAT_SECONDS: Final = (CUT / CURVE) ** (1 / 3)
_FAR: Final = 1.5  # times the known rate: from there on the curve is left for steady growth
_GROWTH: Final = 0.3
_SEARCH: Final = 0.6  # relative growth a second, where a limit was once known and where it never was
_LEAST_RATE: Final = 1.0
_ANSWERS: Final = 50
_FEW_ANSWERS: Final = 8
_LONGEST: Final = 2.0
_BURST_SECONDS: Final = 0.01
_UNUSED_SECONDS: Final = 30.0


class _Phase(Enum):
    ECHO = 1        # the pace was set this moment: refusals still on their way are old news
    MEASURING = 2   # what is accepted now, while other requests are refused, is the limit
    PROBING = 3     # along the curve until the next refusal


class Pace:
    """Requests a second one side is sent. `rate` is what it is now, `ceiling` what the side was last seen to accept.

    It begins with a guess at the first refusal, to be confirmed: `fresh` until the side was measured.
    """

    __slots__ = ("_fresh", "_next", "_phase", "_time", "_unused", "ceiling", "rate")

    def __init__(self, rate: float) -> None:
        self.rate = self.ceiling = max(_LEAST_RATE, rate)
        self._phase, self._fresh = _Phase.PROBING, True
        self._time = self._unused = self._next = 0.0

    def listens(self) -> bool:
        """Whether a refusal now is news."""
        return self._phase is _Phase.PROBING

    def measure(self, least_seconds: float) -> float:
        """Something was refused: the next window measures what is accepted. Returns its length in seconds.

        At the very first refusal many more are on their way, whatever the pace: they are heard out first.
        """
        first = self._fresh and self._time == 0.0
        self._phase = _Phase.ECHO if first else _Phase.MEASURING
        return least_seconds if first else self._enough(least_seconds)

    def _enough(self, least_seconds: float = 0.0) -> float:
        return min(_LONGEST, max(least_seconds, _ANSWERS / self.rate))

    def turn(self, span: float, good: int, refused: int) -> float:
        """A window of `span` seconds is over, with so many accepted and refused. How long the next must be at least."""
        accepted = good / span
        if self._phase is _Phase.MEASURING:
            # Where fewer were sent than the pace allows (this machine stood still), their share tells more.
            accepted = max(accepted, self.rate * good / max(1, good + refused))
            if good + refused < _FEW_ANSWERS:  # one refusal behind a standstill is no measurement
                accepted = max(accepted, self.rate / 2)
            return self._measured(accepted, refused > good // 50)
        if self._phase is _Phase.ECHO:
            if self._fresh or refused > good // 5:
                self._phase = _Phase.MEASURING
                return self._enough()
            self._phase, self._time = _Phase.PROBING, 0.0
        elif accepted * 2 >= self.rate:
            self._climb(span)
            self._unused = 0.0
        else:
            self._unused += span
        return 0.0

    def _measured(self, accepted: float, saturated: bool) -> float:
        if self._fresh and not saturated:  # the first guess was too low, and nothing is known but that
            self._phase, self._time, self.ceiling = _Phase.PROBING, 1.0, self.rate / _FAR
            return 0.0
        self._fresh = False
        self.ceiling = max(_LEAST_RATE, min(accepted, self.rate))
        self.rate = max(_LEAST_RATE, self.ceiling * (1 - CUT))
        self._phase = _Phase.ECHO
        return 0.0

    def _climb(self, span: float) -> None:
        self._time += span
        if self.rate >= _FAR * self.ceiling:
            self.rate *= 1 + (_SEARCH if self._fresh else _GROWTH) * span
        else:
            self.rate = max(self.rate, self.ceiling * (1 + CURVE * (self._time - _FLAT_SECONDS) ** 3))

    def forgotten(self) -> bool:
        """Whether the pace has long been more than anybody asked for: then there is no limit to keep."""
        return self._unused > _UNUSED_SECONDS

    def delay(self, now: float) -> float:
        """Seconds until the next request may start. Who comes late may catch up a little, never by a burst."""
        turn = max(self._next, now - _BURST_SECONDS)
        self._next = turn + 1.0 / self.rate
        return max(0.0, turn - now)
