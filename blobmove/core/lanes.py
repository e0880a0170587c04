"""Two lanes for two kinds of objects, so that large ones do not starve small ones nor begin last and leave a tail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from blobmove.core.units import MIB

LARGE_BYTES: Final = 8 * MIB
"""From this size on an object is large. Fixed: the checkpoint has an index of exactly these (checkpoint.schema)."""

WINDOW: Final = 12
"""Blocks of one object in flight. The memory budget may allow fewer."""

_LEAST: Final = 2  # under way at once whatever they hold: while one is being committed, the other moves bytes

_WANTED: Final = 2  # times the memory: at its end an object has less under way than it may, and the next fills the gap


@dataclass(slots=True)
class LargeLane:
    """How many large objects may be under way: few, the largest first, each with all the memory it can use.

    Many at once would all end late; who begins first is served first (engine.limits.Part), so that the largest ends
    while there is other work.
    `memory` is the budget for bodies, `window` what one object may hold of it (bytes). While `small_left` they have
    half of the memory and half of the places; when no small ones are left, all. Two may always be under way.
    """

    memory: int = 0
    window: int = 0
    small_left: bool = False
    held: int = 0
    out: int = 0

    def limit(self) -> int:
        """Bytes that large objects may hold now."""
        return self.memory // 2 if self.small_left else self.memory

    def admits(self, size: int, places: int) -> bool:
        """Whether another one of `size` bytes may begin, with so many `places` for objects of both kinds."""
        if self.small_left and self.out >= max(1, places // 2):
            return False
        return self.out < _LEAST or self.held + self._needs(size) <= _WANTED * self.limit()

    def begin(self, size: int) -> None:
        self.out += 1
        self.held += self._needs(size)

    def end(self, size: int) -> None:
        self.out -= 1
        self.held -= self._needs(size)

    def _needs(self, size: int) -> int:
        return min(size, self.window)
