"""The limit of one side on a worker: it counts what was answered, and goes at the pace that the coordinator gives."""

from __future__ import annotations

from blobmove.core.concurrency import Concurrency
from blobmove.core.crew import GivenPace


class CountedConcurrency(Concurrency):
    """The limit of one side, with the sums of what was answered and what was refused as too much."""

    __slots__ = ("answered", "refused")

    def __init__(self, like: Concurrency, most: int | None) -> None:
        if most is None:
            super().__init__(like.slots, least=like.least, most=like.most)
        else:
            super().__init__(most, least=1, most=most, gradient=False)
        self.answered = self.refused = 0

    def good(self, seconds: float, now: float, bulk: bool = False) -> None:
        """One request was answered without complaint."""
        self.answered += 1
        super().good(seconds, now, bulk)

    def busy(self, now: float) -> bool:
        """One request was refused as too many."""
        self.refused += 1
        return super().busy(now)

    def obey(self, rate: float | None) -> None:
        """Start requests at this rate; None: as before, until the next refusal."""
        if rate is None:
            if isinstance(self.pace, GivenPace):
                self.pace = None
        elif isinstance(self.pace, GivenPace):
            self.pace.rate = self.pace.ceiling = rate
        else:
            self.pace = GivenPace(rate)
