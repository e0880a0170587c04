"""Pages of work: read at once, and once the disk was slow awaited in a thread, until it is quick again."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from blobmove.core.model import Transfer
from blobmove.operations.copy import PAGE, SLOW_PAGES, SLOW_SECONDS, Copy


@dataclass
class Disk:
    """A reader whose next page takes `seconds`, wherever it is asked for first; a page read once is in memory."""

    seconds: float = 0.0
    now: float = 1000.0
    asked: list[tuple[str, bool]] = field(default_factory=list)
    read: set[int] = field(default_factory=set)

    def fetch(self, after: int, limit: int) -> None:
        self._read("fetch", after)

    def pending(self, after: int, limit: int) -> list[Transfer]:
        assert limit == PAGE
        self._read("pending", after)
        return []

    def _read(self, what: str, after: int) -> None:
        self.asked.append((what, threading.current_thread() is threading.main_thread()))
        if after not in self.read:
            self.read.add(after)
            self.now += self.seconds


async def test_a_slow_disk_is_waited_for_in_a_thread_and_a_quick_one_is_asked_once(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk()
    monkeypatch.setattr(time, "monotonic", lambda: disk.now)
    nobody = cast(Any, None)
    run = Copy(nobody, cast(Any, disk), nobody, nobody, nobody, nobody, nobody)
    in_thread, at_once = [("fetch", False), ("pending", True)], [("pending", True)]

    async def asked(after: int, seconds: float) -> list[tuple[str, bool]]:
        disk.asked, disk.seconds = [], seconds
        await run._next_page(after)
        return disk.asked

    assert await asked(0, 0.0) == in_thread, "nobody knows the disk yet"
    assert await asked(1, SLOW_SECONDS / 2) == at_once
    assert await asked(2, SLOW_SECONDS * 2) == at_once, "this one page everybody has waited for"
    assert await asked(3, SLOW_SECONDS * 2) == in_thread
    for page in range(4, 4 + SLOW_PAGES):
        assert await asked(page, 0.0) == in_thread, "a disk that is slow now and then"
    assert await asked(99, 0.0) == at_once
