"""What the demo says on the terminal, and how long each step took."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_LINE = 100
_RULE = "─"


@dataclass(slots=True)
class Narrator:
    """Speaks to `out`, flushing at once: the commands run as children and write to the same terminal."""

    out: TextIO
    timings: list[tuple[str, float]] = field(default_factory=list)
    _started: float = field(default_factory=time.monotonic)

    def say(self, text: str = "") -> None:
        self.out.write(f"{text}\n")
        self.out.flush()

    def remark(self, text: str) -> None:
        """A sentence of the demo itself, told apart from the output of the commands."""
        self.say(f"# {text}")

    def command(self, words: Sequence[str]) -> None:
        """The command as one would type it, in lines that fit and can be pasted."""
        self.say()
        self.say(f"$ {typed(words)}")

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step under `name`, also when it fails."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.timings.append((name, time.monotonic() - began))

    def total(self) -> float:
        """Seconds since the demo began."""
        return time.monotonic() - self._started

    def table(self) -> None:
        """The steps and their seconds; what lies between the steps is in the total."""
        width = max(len(name) for name, _ in self.timings)
        self.say()
        for name, seconds in self.timings:
            self.say(f"    {name:<{width}}  {seconds:7.1f} s")
        self.say(f"    {_RULE * (width + 11)}")
        self.say(f"    {'total':<{width}}  {self.total():7.1f} s")


def typed(words: Sequence[str]) -> str:
    """A shell line; a long one goes on after a backslash, broken before its options."""
    import shlex

    line = shlex.join(words)
    if len(line) <= _LINE:
        return line
    lines = [""]
    for word in map(shlex.quote, words):
        if word.startswith("--") and lines[-1]:
            lines.append("      " + word)
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return " \\\n".join(lines)
