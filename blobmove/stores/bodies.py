"""Memory for the bodies of answers: large ones get huge pages, and what nobody looks at any more is used again.

Fresh memory comes from the kernel, which sets each page to zero first: 15 % of the CPU of a copy of objects of 64 MiB
(by `perf`, November 2026), and with small pages it takes longer to get than to fill.
"""

from __future__ import annotations

import mmap
from contextlib import suppress
from typing import Final

LEAST_BYTES: Final = 512 * 1024
"""From this size on memory is used again. What is smaller the C library keeps by itself."""

KEPT_BYTES: Final = 16 * 1024 * 1024
"""The most that is kept while nobody uses it, beside what `--max-memory` counts."""

_HUGE_BYTES: Final = 4 * 1024 * 1024
_HUGE: Final[int | None] = getattr(mmap, "MADV_HUGEPAGE", None)
_SLACK: Final = 4
"""A body takes memory that is longer by up to a fourth of it: longer would hide what bodies take from the budget."""


class Bodies:
    """The memory of one side. For one event loop; the bodies may be read, and forgotten, by any thread.

    Nobody has to say when a body is not needed any more: memory is free when no view of it is left.
    """

    def __init__(self) -> None:
        self._pages: list[mmap.mmap] = []

    def take(self, length: int) -> bytearray | memoryview:
        """Memory for a body of `length` bytes. What is in it is anything: it may have been another body."""
        if _HUGE is None or length < LEAST_BYTES:
            return bytearray(length)
        pages = self._free(length)
        if pages is None:
            self.trim()
            pages = _fresh(length)
            self._pages.append(pages)
        return memoryview(pages)[:length]

    def trim(self, most: int = KEPT_BYTES) -> None:
        """Give back what nobody uses, but for `most` bytes of it."""
        kept = []
        for pages in self._pages:
            if _is_free(pages):
                most -= len(pages)
                if most < 0:
                    pages.close()
                    continue
            kept.append(pages)
        self._pages = kept

    def _free(self, length: int) -> mmap.mmap | None:
        most = length + length // _SLACK
        return next((one for one in self._pages if length <= len(one) <= most and _is_free(one)), None)


def _fresh(length: int) -> mmap.mmap:
    """A little longer than asked for, so that bodies of about the same size can have it after each other."""
    step = 1 << length.bit_length() - 4
    pages = mmap.mmap(-1, -(-length // step) * step, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if _HUGE is not None and length >= _HUGE_BYTES:
        with suppress(OSError):  # a kernel without them
            pages.madvise(_HUGE)
    return pages


def _is_free(pages: mmap.mmap) -> bool:
    """Whether no view of it is left: else Python refuses to resize it. To the size it has, that changes nothing."""
    try:
        pages.resize(len(pages))
    except BufferError:
        return False
    return True
