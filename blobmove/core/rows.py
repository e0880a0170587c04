"""Rows of the table by the page, kept as columns, and what the checkpoint has to say to them.

There are millions of rows, and nearly all are read, compared and changed without anybody looking at one of them: to
make an object of each, twice, took a third of the flip's time. A row becomes a Candidate when somebody looks at it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, overload

from blobmove.core.flipping import Candidate
from blobmove.core.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from blobmove.core.flipping import ProvenRow

CHECKSUM_LETTERS: Final = 24
"""Of an MD5 as Rails writes it: base64, the last two of them `==`."""


@frozen
class Rows(Sequence[Candidate]):
    """Candidates as columns of one length, in this order: ids, keys, names, sizes in bytes, checksums."""

    ids: Sequence[int | str] = ()
    keys: Sequence[str] = ()
    names: Sequence[str] = ()
    sizes: Sequence[int] = ()
    checksums: Sequence[str | None] = ()

    @classmethod
    def of(cls, rows: Iterable[Candidate]) -> Rows:
        """The same rows."""
        return cls(*zip(*rows, strict=True))

    def pick(self, positions: Sequence[int]) -> Rows:
        """The rows at these positions, in this order."""
        return Rows.of(self[at] for at in positions)

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, at: int) -> Candidate: ...

    @overload
    def __getitem__(self, at: slice) -> Rows: ...

    def __getitem__(self, at: int | slice) -> Candidate | Rows:
        if isinstance(at, slice):
            return Rows(self.ids[at], self.keys[at], self.names[at], self.sizes[at], self.checksums[at])
        return Candidate(self.ids[at], self.keys[at], self.names[at], self.sizes[at], self.checksums[at])

    def __iter__(self) -> Iterator[Candidate]:
        return map(Candidate, self.ids, self.keys, self.names, self.sizes, self.checksums)


@frozen
class ProvenRows:
    """What rows must say to pass the gate at once, of `count` keys in the order in which they were asked for.

    `keys` with a zero byte between each, `sizes` in bytes with a comma between, `checksums` as Rails writes them, one
    behind the other: as whole texts they are compared in no time with those of a page of which all rows pass.
    """

    count: int = 0
    keys: str = ""
    sizes: str = ""
    checksums: str = ""

    @classmethod
    def of(cls, rows: Sequence[ProvenRow]) -> ProvenRows:
        """From rows by themselves, none of whose keys holds a zero byte."""
        keys, sizes, checksums = zip(*rows, strict=True) if rows else ((), (), ())
        return cls(len(rows), "\0".join(keys), ",".join(map(str, sizes)), "".join(checksums))

    def are(self, rows: Rows) -> bool:
        """Whether the rows say this to the letter, one as the other and none more.

        A text may be cut in other places than the rows are: so the number of zero bytes and the length of each
        checksum count as well. A comma stands in no size.
        """
        if not self.count == len(rows) == self.keys.count("\0") + 1 or None in rows.checksums:
            return False
        checksums = [one for one in rows.checksums if one is not None]
        return (
            "\0".join(rows.keys) == self.keys
            and set(map(len, checksums)) == {CHECKSUM_LETTERS}
            and "".join(checksums) == self.checksums
            and ",".join(map(str, rows.sizes)) == self.sizes
        )

    def each(self) -> set[ProvenRow]:
        """The same by rows."""
        if not self.count:
            return set()
        starts = range(0, len(self.checksums), CHECKSUM_LETTERS)
        checksums = (self.checksums[start : start + CHECKSUM_LETTERS] for start in starts)
        return set(zip(self.keys.split("\0"), map(int, self.sizes.split(",")), checksums, strict=True))
