"""Two lanes on virtual time: a mix with a few giants is moved whole in hardly more than the least possible time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from random import Random

import anyio
import pytest

from blobmove.core.lanes import LARGE_BYTES, LargeLane
from blobmove.core.units import GIB, MIB
from blobmove.engine.limits import Budget, Part, Ranked
from blobmove.engine.pipeline import Large, Pipeline
from blobmove.engine.stopping import Stop
from tests.engine.virtual_time import run

LINE = 100 * MIB  # bytes/s of the network
CONNECTION = 4 * MIB  # bytes/s one connection can carry at most
LATENCY = 0.02
BLOCK, BLOCKS = 8 * MIB, 12
QUANTUM = MIB
MEMORY = 192 * MIB


def mix(count: int, seed: int = 1, median: int = 80 * 1024, sigma: float = 2.37) -> list[int]:
    """Sizes in bytes, log-normal: with these numbers one in a hundred is larger than 20 MiB."""
    random = Random(seed)
    return [min(200 * MIB, int(median * random.lognormvariate(0, sigma))) for _ in range(count)]


@dataclass
class World:
    """Objects (their sizes) behind a network that all transfers share fairly; moved by the real pipeline."""

    sizes: list[int]
    places: int = 32
    lanes: bool = True
    lane: LargeLane = field(default_factory=lambda: LargeLane(MEMORY, BLOCK * BLOCKS))
    begun: dict[int, float] = field(default_factory=dict)
    ended: dict[int, float] = field(default_factory=dict)
    free_at: float = 0.0
    most_held: int = 0

    def __post_init__(self) -> None:
        self.memory = Budget(lambda: MEMORY)
        self.part = Part(self.memory, self.lane.limit) if self.lanes else None

    async def pages(self) -> AsyncIterator[Sequence[int]]:
        wanted = [n for n, size in enumerate(self.sizes) if size < LARGE_BYTES or not self.lanes]
        for start in range(0, len(wanted), 1000):
            yield wanted[start:start + 1000]

    async def large(self) -> AsyncIterator[Sequence[int]]:
        wanted = [n for n, size in enumerate(self.sizes) if size >= LARGE_BYTES and self.lanes]
        wanted.sort(key=lambda n: -self.sizes[n])
        for start in range(0, len(wanted), 100):
            yield wanted[start:start + 100]

    async def act(self, number: int) -> int:
        self.begun[number] = anyio.current_time()
        size = self.sizes[number]
        memory = self.part.ranked() if self.part and size >= LARGE_BYTES else self.memory
        window = anyio.Semaphore(BLOCKS)
        async with anyio.create_task_group() as tasks:
            for start in range(0, size, BLOCK):
                length = min(BLOCK, size - start)
                await window.acquire()
                await memory.take(length)
                tasks.start_soon(self._block, length, window, memory)
        self.ended[number] = anyio.current_time()
        return number

    async def _block(self, length: int, window: anyio.Semaphore, memory: Budget | Ranked) -> None:
        self.most_held = max(self.most_held, self.memory.used)
        await anyio.sleep(LATENCY)
        for start in range(0, length, QUANTUM):
            piece = min(QUANTUM, length - start)
            now = anyio.current_time()
            self.free_at = max(now, self.free_at) + piece / LINE
            await anyio.sleep(max(self.free_at - now, piece / CONNECTION))
        memory.give_back(length)
        window.release()

    async def record(self, results: list[int]) -> None:
        return

    async def hold(self) -> None:
        return

    async def move(self) -> float:
        """Move everything; returns the seconds it took."""
        await Pipeline(
            pages=self.pages, act=self.act, record=self.record, places=lambda: self.places, stop=Stop(),
            hold=self.hold, large=Large(self.large, self.sizes.__getitem__, self.lane),
        ).run()
        assert len(self.ended) == len(self.sizes)
        assert self.memory.used == self.lane.held == self.lane.out == 0
        return max(self.ended.values())

    def least_seconds(self) -> float:
        """No schedule can be faster: the line is full all the time, or the largest takes all it can get."""
        latencies = len(self.sizes) * LATENCY / self.places
        connections = min(BLOCKS, -(-max(self.sizes) // BLOCK), MEMORY // BLOCK) or 1
        return max(sum(self.sizes) / LINE, max(self.sizes) / min(LINE, connections * CONNECTION), latencies)

    def small_end(self) -> float:
        return max(at for n, at in self.ended.items() if self.sizes[n] < LARGE_BYTES)


GIANTS = [GIB, GIB // 2]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_mix_with_giants_takes_hardly_longer_than_it_must(seed: int) -> None:
    world = World(mix(2000, seed) + GIANTS)
    assert run(world.move) <= 1.1 * world.least_seconds()


def test_a_line_of_few_giants_has_no_tail() -> None:
    """The largest alone cannot fill the line: it is begun first, though its number is the last."""
    sizes = [100 * MIB] * 20 + [GIB]
    world = World(sizes)
    assert run(world.move) <= 1.12 * world.least_seconds()
    assert world.begun[len(sizes) - 1] < 0.1


def test_without_lanes_the_giant_at_the_end_leaves_a_tail() -> None:
    """The same network and no lanes: what the measure would be if the lanes did nothing."""
    without = World([100 * MIB] * 20 + [GIB], lanes=False)
    assert run(without.move) > 1.3 * without.least_seconds()


@pytest.mark.parametrize("large", [[20 * MIB] * 150, [64 * MIB] * 50, [GIB] * 3])
def test_small_objects_are_not_starved(large: list[int]) -> None:
    small = mix(3000, sigma=1.0)
    alone = World(list(small))
    alone_seconds = run(alone.move)
    world = World(small + large)
    run(world.move)
    assert world.small_end() <= 3 * alone_seconds + 0.5
    assert world.small_end() < 0.6 * max(world.ended.values())


def test_while_small_ones_are_left_large_ones_hold_half_of_the_memory() -> None:
    world = World(mix(3000, sigma=1.0) + [64 * MIB] * 40)
    held: list[tuple[float, int]] = []
    act = world.act

    async def watched(number: int) -> int:
        assert isinstance(world.part, Part)
        held.append((anyio.current_time(), world.part.used))
        return await act(number)

    world.act = watched  # type: ignore[method-assign]
    run(world.move)
    last_small = max(at for n, at in world.begun.items() if world.sizes[n] < LARGE_BYTES)
    assert max(used for at, used in held if at < last_small) <= MEMORY // 2
    assert max(used for at, used in held) > MEMORY // 2
    assert world.most_held <= MEMORY


def test_large_objects_only_and_small_objects_only() -> None:
    for sizes in ([64 * MIB] * 20, [1000] * 3000, [LARGE_BYTES], [0]):
        world = World(sizes)
        assert run(world.move) <= 1.1 * world.least_seconds() + 2 * LATENCY + MIB / CONNECTION


def test_the_largest_begin_first() -> None:
    sizes = [(n * 37 % 50 + 8) * MIB for n in range(50)] + [1000] * 100
    world = World(sizes, places=4)
    run(world.move)
    large = [n for n in sorted(world.begun, key=lambda n: (world.begun[n], -sizes[n])) if sizes[n] >= LARGE_BYTES]
    assert [sizes[n] for n in large] == sorted((sizes[n] for n in large), reverse=True)
