"""The flow of a run: pages of work to movers, results in batches to the one recorder; it ends by not being fed.

    pages of large objects -> [pages] \
                                        movers -> [done] -> recorder
    pages of all others    -> [pages] /

Each stage closes the stream it owns, and the end travels down by itself. Nobody is cancelled but to abort. Whole pages
travel, not single pieces, and a mover takes the next piece without waiting: a hop of a stream costs as much as a
tenth of a small object's whole way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

import anyio
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from blobmove.core.frozen import frozen
from blobmove.core.lanes import LargeLane
from blobmove.engine.stopping import Stop

T = TypeVar("T")
R = TypeVar("R")

BATCH_ROWS: Final = 500
BATCH_SECONDS: Final = 0.25
"""A batch is recorded when it has so many rows or is so old: 51,000 rows/s against 163 at a row a commit."""

_TICKS: Final = 12

Pages = Callable[[], AsyncIterator[Sequence[T]]]


@frozen
class Large(Generic[T]):
    """The lane of large objects: `pages` the largest first, the `size` of one in bytes, and how many at once."""

    pages: Pages[T]
    size: Callable[[T], int]
    lane: LargeLane


@frozen
class Pipeline(Generic[T, R]):
    """What flows where. `act` never raises for an object's sake; `record` is called with batches, one at a time.

    `pages` yields lists of work; `places` tells how many may be acted on at once now; `hold`, if any, is awaited before
    each piece of work and may delay it (pause file). With `long_pieces` somebody always waits for the next page.
    """

    pages: Pages[T]
    act: Callable[[T], Awaitable[R]]
    record: Callable[[list[R]], Awaitable[None]]
    places: Callable[[], int]
    stop: Stop
    hold: Callable[[], Awaitable[None]] | None = None
    large: Large[T] | None = None
    long_pieces: bool = False

    async def run(self) -> None:
        """Run until the pages are through or a stop has drained."""
        if self.large is not None:
            self.large.lane.small_left = True  # until their pages have come to an end
        done_in, done_out = anyio.create_memory_object_stream[R](4 * BATCH_ROWS)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._record, done_out)
            with done_in, self._feed(tasks, self.pages) as others, self._feed(tasks, self._large_pages()) as large:
                async with anyio.create_task_group() as movers:
                    _Shift(self, others, large, done_in, movers).hire()

    def _large_pages(self) -> Pages[T]:
        return self.large.pages if self.large else _nothing

    def _feed(self, tasks: TaskGroup, pages: Pages[T]) -> _Feed[T]:
        pages_in, pages_out = anyio.create_memory_object_stream[Sequence[T]](1)
        tasks.start_soon(self._fill, pages, pages_in)
        return _Feed(pages_out)

    async def _fill(self, pages: Pages[T], feed: MemoryObjectSendStream[Sequence[T]]) -> None:
        with feed:
            async for page in pages():
                if self.stop.is_set():
                    return
                try:
                    await feed.send(page)
                except anyio.BrokenResourceError:
                    return  # the movers have gone home: a stop

    async def _record(self, done: MemoryObjectReceiveStream[R]) -> None:
        with done:
            async for first in done:
                await self.record(await _batch(first, done))


async def _nothing() -> AsyncIterator[Sequence[T]]:
    return
    yield


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


@dataclass(slots=True)
class _Feed(Generic[T]):
    """The movers' end of one lane: the page at hand, and the stream the next one comes through."""

    stream: MemoryObjectReceiveStream[Sequence[T]]
    page: deque[T] = field(default_factory=deque)
    ended: bool = False
    turn: anyio.Lock = field(default_factory=anyio.Lock)

    def __enter__(self) -> _Feed[T]:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stream.close()

    def ready(self) -> bool:
        """Whether there is a piece of work at hand, without waiting for one."""
        while not self.page and not self.ended:
            try:
                self.page.extend(self.stream.receive_nowait())
            except anyio.WouldBlock:
                return False
            except anyio.EndOfStream:
                self.ended = True
        return bool(self.page)

    async def wait(self) -> None:
        """Wait for the next page or the end; who comes second finds it there."""
        async with self.turn:
            if self.page or self.ended:
                return
            try:
                self.page.extend(await self.stream.receive())
            except anyio.EndOfStream:
                self.ended = True


@dataclass(slots=True)
class _Shift(Generic[T, R]):
    """The movers of a run: one at first, one more with every piece begun while there are places and work."""

    line: Pipeline[T, R]
    others: _Feed[T]
    large: _Feed[T]
    done: MemoryObjectSendStream[R]
    tasks: TaskGroup
    movers: int = 0

    def hire(self) -> None:
        self.movers += 1
        self.tasks.start_soon(self._work)

    async def _work(self) -> None:
        """Move one piece after the other; go home when there is none to take or no place. The last one never does."""
        line = self.line
        try:
            while not line.stop.is_set() and self.movers <= max(1, line.places()):
                if (large := self._large_is_next()) is not None:
                    await self._move_large(large, self.large.page.popleft())
                elif self.others.ready():
                    await self._move(self.others.page.popleft())
                elif not self.others.ended:
                    await self.others.wait()
                elif not self.large.ended and not self.large.page:
                    await self.large.wait()
                else:
                    return  # all is begun, or those under way leave no room: who ends one takes the next
        finally:
            self.movers -= 1

    def _large_is_next(self) -> Large[T] | None:
        """The lane of large objects, if one of them is to be begun now."""
        large = self.line.large
        if large is None or not self.large.ready():
            return None
        if large.lane.small_left and not self.others.ready() and self.others.ended:
            large.lane.small_left = False
        return large if large.lane.admits(large.size(self.large.page[0]), self.line.places()) else None

    def _nobody_waits(self) -> bool:
        """Whether more may come and nobody stands there to take it, where a page may hold a single long piece."""
        feed = self.large if self.others.ended else self.others
        return self.line.long_pieces and not feed.ended and not feed.turn.locked()

    async def _move_large(self, large: Large[T], item: T) -> None:
        size = large.size(item)
        large.lane.begin(size)
        try:
            await self._move(item)
        finally:
            large.lane.end(size)

    async def _move(self, item: T) -> None:
        line = self.line
        if self.movers < line.places() and (
            self.others.page or self._large_is_next() is not None or self._nobody_waits()
        ):
            self.hire()
        if line.hold is not None:
            await line.hold()
        if line.stop.is_set():
            return  # fed, but not begun: it stays as it was
        result = await line.act(item)
        try:
            self.done.send_nowait(result)
        except anyio.WouldBlock:
            await self.done.send(result)  # the recorder is behind: who has results waits for it
