"""A wait that a signal ends: before a run has begun there is nothing to drain, but somebody may want to go."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
from anyio.abc import TaskStatus

from blobmove.core.errors import Interrupted, Terminated


@dataclass(slots=True)
class _Ear:
    """Hears one signal and ends `waiting` for it; deaf after `close`, for the run that then listens itself."""

    waiting: anyio.CancelScope
    number: int = 0
    _scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    _deaf: anyio.Event = field(default_factory=anyio.Event)

    async def listen(self, *, task_status: TaskStatus[None]) -> None:
        with self._scope, anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            task_status.started()
            async for number in signals:
                self.number = int(number)
                self.waiting.cancel()
                break
        self._deaf.set()

    async def close(self) -> None:
        self._scope.cancel()
        await self._deaf.wait()


@asynccontextmanager
async def ended_by_signals(again: str) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """What is done in the body ends at the first SIGINT or SIGTERM, until what is yielded has been awaited.

    Raises Interrupted or Terminated then, with `again`, the command to type.
    """
    async with anyio.create_task_group() as tasks:
        ear = _Ear(tasks.cancel_scope)
        await tasks.start(ear.listen)
        yield ear.close
        await ear.close()
    if ear.number == signal.SIGTERM:
        raise Terminated("E143-TERMINATED", "terminated while the workers were met", hint=f"then: {again}")
    if ear.number:
        raise Interrupted("E130-INTERRUPTED", "interrupted while the workers were met", hint=f"then: {again}")
