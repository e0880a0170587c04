"""The flow of a run: pages of work to N movers, results in batches to the one recorder; it ends by not being fed.

    pages -> [todo] -> N movers -> [done] -> recorder

Each stage closes the stream it owns, and the end travels down by itself. Nobody is cancelled but to abort.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from blobmove.engine.limits import Budget
from blobmove.engine.stopping import Stop

T = TypeVar("T")
R = TypeVar("R")

BATCH_ROWS: Final = 500
BATCH_SECONDS: Final = 0.25
"""A batch is recorded when it has so many rows or is so old: 51,000 rows/s against 163 at a row a commit."""

_TICKS: Final = 12


@dataclass(frozen=True, slots=True)
class Pipeline(Generic[T, R]):
    """What flows where. `act` never raises for an object's sake; `record` is called with batches, one at a time.

    `pages` yields lists of work; `places` bounds how many are acted on at once, `movers` how many tasks there are;
    `hold` is awaited before each piece of work and may delay it (pause file).
    """

    pages: Callable[[], AsyncIterator[Sequence[T]]]
    act: Callable[[T], Awaitable[R]]
    record: Callable[[list[R]], Awaitable[None]]
    places: Budget
    movers: int
    stop: Stop
    hold: Callable[[], Awaitable[None]]

    async def run(self) -> None:
        """Run until the pages are through or a stop has drained."""
        todo_in, todo_out = anyio.create_memory_object_stream[T](self.movers * 2)
        done_in, done_out = anyio.create_memory_object_stream[R](self.movers * 4)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._feed, todo_in)
            with todo_out, done_in:
                for _ in range(self.movers):
                    tasks.start_soon(self._move, todo_out.clone(), done_in.clone())
            tasks.start_soon(self._record, done_out)

    async def _feed(self, todo: MemoryObjectSendStream[T]) -> None:
        with todo:
            async for page in self.pages():
                for item in page:
                    if self.stop.is_set():
                        return
                    await todo.send(item)

    async def _move(self, todo: MemoryObjectReceiveStream[T], done: MemoryObjectSendStream[R]) -> None:
        with todo, done:
            async for item in todo:
                await self.hold()
                async with self.places.hold():
                    if self.stop.is_set():
                        continue  # fed, but not begun: it stays as it was
                    result = await self.act(item)
                await done.send(result)

    async def _record(self, done: MemoryObjectReceiveStream[R]) -> None:
        with done:
            async for first in done:
                await self.record(await _batch(first, done))


async def _batch(first: R, done: MemoryObjectReceiveStream[R]) -> list[R]:
    """What comes within BATCH_SECONDS, at most BATCH_ROWS. No receive is cancelled: nothing can be lost."""
    batch = [first]
    for _ in range(_TICKS):
        try:
            while len(batch) < BATCH_ROWS:
                batch.append(done.receive_nowait())
        except anyio.WouldBlock:
            await anyio.sleep(BATCH_SECONDS / _TICKS)
        except anyio.EndOfStream:
            break
        else:
            break
    return batch
