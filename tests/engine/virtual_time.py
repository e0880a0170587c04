"""An event loop on which time passes only when everybody waits: hours of a run in a moment, always the same."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

T = TypeVar("T")


class _Selector(selectors.DefaultSelector):
    """Instead of waiting for its timeout it moves the clock on by as much."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if not found and timeout is None:
            raise AssertionError("everybody waits for somebody else")
        if not found:
            self.now += timeout or 0.0
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now


def run(body: Callable[[], Awaitable[T]]) -> T:
    """Run `body` on virtual time: `anyio.current_time()` begins at 0 and jumps from one sleeper's end to the next."""
    return anyio.run(body, backend_options={"loop_factory": VirtualLoop})
