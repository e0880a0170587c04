"""Names in order, for listings: many requests add to them and few look, so they are put in order at a look."""

from __future__ import annotations

from bisect import bisect_left


class Ordered:
    """Distinct names. The caller knows which are there."""

    __slots__ = ("_late", "_names")

    def __init__(self) -> None:
        self._names: list[str] = []
        self._late: list[str] = []

    def add(self, name: str) -> None:
        """A name that is not there yet. Kept in order right away, each would move half of all others."""
        self._late.append(name)

    def remove(self, name: str) -> None:
        """A name that is there."""
        names = self.all()
        del names[bisect_left(names, name)]

    def all(self) -> list[str]:
        """All names in order; to be read only. Two runs that are in order are merged, not sorted again."""
        if self._late:
            self._late.sort()
            self._names += self._late
            self._names.sort()
            self._late.clear()
        return self._names
