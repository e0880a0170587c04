"""When to send the signal: at once, after a share of the usual time, or when so much has been done; drawn by a seed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from tests.acceptance.commands import Process


@dataclass(frozen=True, slots=True)
class Moment:
    """`seconds` after the start or, where `done` is given, when the work has come so far, whatever comes first."""

    seconds: float
    done: int | None = None

    def __str__(self) -> str:
        return f"{self.seconds * 1000:.0f}ms" if self.done is None else f"#{self.done}"

    def wait(self, process: Process, progress: Callable[[], int]) -> None:
        """Return at the moment, or when the command has ended before it."""
        end = time.monotonic() + self.seconds
        while (left := end - time.monotonic()) > 0 and process.handle.poll() is None:
            if self.done is not None and progress() >= self.done:
                return
            time.sleep(min(left, 0.004))


@dataclass(slots=True)
class Moments:
    """Draws moments. Learns from finished commands how long each takes and how much it does."""

    seconds: dict[str, float] = field(default_factory=dict)
    work: dict[str, int] = field(default_factory=dict)

    def learn(self, name: str, seconds: float, work: int) -> None:
        """A command of this name ended by itself after so long, having done so much."""
        before = self.seconds.get(name, seconds)
        self.seconds[name] = (before + seconds) / 2
        self.work[name] = max(work, self.work.get(name, 0))

    def draw(self, chance: Random, name: str) -> Moment:
        """At once, any time, in the midst of the work, or just before the end."""
        usual, most = self.seconds.get(name, 0.5), self.work.get(name, 50)
        kind = chance.choices(("at once", "any time", "in the work", "near the end"), (1, 4, 4, 2))[0]
        share = chance.random()
        if kind == "at once":
            return Moment(0.01 * share)
        if kind == "any time":
            return Moment(usual * 1.1 * share)
        if kind == "near the end":
            return Moment(usual * (0.9 + 0.2 * share))
        return Moment(30.0, int(most * share))
