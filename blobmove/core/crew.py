"""The decisions of a run on many workers: who may work, how much goes into a batch, how many are out, who gets what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from blobmove.core.blocks import Block
from blobmove.core.frozen import frozen
from blobmove.core.rates import Pace
from blobmove.core.units import MIB

BATCH_OBJECTS: Final = 500
"""Objects of a batch: it costs the coordinator about a millisecond, whatever is in it, and its loss as many moves."""

BATCH_BYTES: Final = 256 * MIB
"""Bytes of a batch, so that its results come back within seconds."""

RANGE_BYTES: Final = 256 * MIB
"""Bytes of one range of blocks of a large object."""

SPREAD_BLOCKS: Final = 8
"""An object of so many blocks is spread over several workers, if its proof allows it."""

RELAY_BLOCKS: Final = 64
"""An object whose MD5 has to be computed is worth several workers from so many blocks on: its hashing is no faster."""

RANGES_KEPT: Final = 3
"""Ranges whose bodies a worker can hold at a time until their turn: two that are read, one that waits."""

_LEAST_OBJECTS: Final = 20
_AHEAD: Final = 1  # a worker has its next batch at hand when one of its own ends

WINDOW_SECONDS: Final = 0.95
"""Answers are judged in windows of about a pulse, so that every worker's are among them."""

SHARE_FLOOR: Final = 0.1
"""The least part of an equal share that a worker gets which has asked for nothing lately."""


@frozen
class WorkerFacts:
    """What must be the same on all workers: versions, and where each has found the two ends of the copy."""

    blobmove: str
    python: str
    distributed: str
    source: str = ""
    destination: str = ""


@frozen
class WorkerShown:
    """One worker as people see it. Rates in objects and bytes a second.

    Its limits: `slots` requests in flight; its part of the bandwidth in bytes a second, and of the pace of the side
    that has refused requests in requests a second, None where there is none. `settled` objects, bytes of bodies and
    requests tried again are those since it opened its doors for this run.
    """

    name: str
    state: str
    objects_per_second: float
    bytes_per_second: float
    in_flight: int
    slots: int
    settled: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    bytes_pulled: int = 0
    retried: int = 0
    bandwidth: float | None = None
    requests_per_second: float | None = None


def difference(ours: WorkerFacts, theirs: WorkerFacts) -> str:
    """What differs, both shown; "" where nothing does."""
    told = []
    for name in ("blobmove", "python", "distributed", "source", "destination"):
        here, there = getattr(ours, name), getattr(theirs, name)
        if here != there:
            told.append(f"{name}: {here or 'none'} here, {there or 'none'} there")
    return "; ".join(told)


def batch_objects(left: int, places: int) -> int:
    """How many objects the next batch takes, of so many that are left, with so many batches out at a time.

    Towards the end batches get smaller, so that all workers end at about the same time.
    """
    return max(_LEAST_OBJECTS, min(BATCH_OBJECTS, left // (2 * max(1, places))))


def batches_out(threads: Mapping[str, int]) -> int:
    """How many batches may be out: one a thread of each worker, and its next one."""
    return sum(number + _AHEAD for number in threads.values())


def ranges_of(blocks: tuple[Block, ...], places: int, most_bytes: int = RANGE_BYTES) -> list[tuple[Block, ...]]:
    """The blocks of one object as ranges for several workers, in order: enough for all, none longer than need be."""
    if not blocks:
        return []
    biggest = max(block.length for block in blocks)
    most = max(1, most_bytes // biggest)
    length = max(1, min(most, len(blocks) // (2 * max(1, places))))
    return [blocks[start:start + length] for start in range(0, len(blocks), length)]


ROOM: Final = 384 * MIB
"""The `--max-memory` of one process."""

WORKER_ROOM: Final = 256 * MIB
"""What each of several on one machine has at least: an eighth of it holds a block as large as that of one process."""


def room_for(processes: int, machine: int | None) -> int:
    """The `--max-memory` of so many processes where nobody asked for another one, of a machine of so many bytes.

    What one process needs, shared by sixteen, would cut large objects into blocks of 3 MiB: eleven times the requests.
    So each gets enough for blocks of 32 MiB, as long as half of the machine's memory is left to others.
    """
    wanted = ROOM if processes == 1 else max(ROOM, processes * WORKER_ROOM)
    return wanted if machine is None else max(ROOM, min(wanted, machine // 2))


def kept_bytes(max_memory: int) -> int:
    """The part of a worker's `--max-memory` that ranges may take until their turn: bodies have half, these most of it.

    What is left lets smaller work go on; where a larger body waits for long, what is kept gives way.
    """
    return max_memory * 3 // 8


def is_spread(size: int, etag: str | None, block_size: int) -> bool:
    """Whether an object is worth several workers: many blocks, and more of them if it was uploaded in parts."""
    parts = etag is not None and "-" in etag
    return size >= (RELAY_BLOCKS if parts else SPREAD_BLOCKS) * block_size


def divided(total: int, number: int) -> int:
    """One worker's part of a whole number that all of them share; each gets at least one."""
    return max(1, total // max(1, number))


def seats(total: int, working: Mapping[str, bool], held: Mapping[str, int]) -> dict[str, int]:
    """A whole number divided among workers: who has nothing to do gets one, the others equal parts of the rest.

    `held`: what each may have until now, as it has confirmed. What one is to have more of, others must have given back
    before: together they never have more than `total`, unless there are more workers than that.
    """
    busy = sorted(name for name, works in working.items() if works) or sorted(working)
    each, over = divmod(max(len(busy), total - (len(working) - len(busy))), max(1, len(busy)))
    due = dict.fromkeys(working, 1) | {name: each + (place < over) for place, name in enumerate(busy)}
    free = max(0, total - sum(held.get(name, 1) for name in working))
    given = {}
    for name, number in sorted(due.items()):
        has = held.get(name, 1)
        given[name] = min(number, has + free)
        free -= max(0, given[name] - has)
    return given


def portions(total: float, wanted: Mapping[str, float]) -> dict[str, float]:
    """A rate divided among workers by what each has used lately; who has used nothing still gets a little."""
    if not wanted:
        return {}
    floor = SHARE_FLOOR * max(sum(wanted.values()), 1e-9) / len(wanted)
    weights = {name: max(floor, use) for name, use in wanted.items()}
    whole = sum(weights.values())
    return {name: total * weight / whole for name, weight in weights.items()}


class GivenPace(Pace):
    """A pace that somebody else decides: it obeys, and learns nothing by itself."""

    __slots__ = ()

    def listens(self) -> bool:
        """Never: the coordinator hears of the refusals."""
        return False

    def turn(self, span: float, good: int, refused: int) -> float:
        """Nothing is learnt from a window."""
        return 0.0

    def forgotten(self) -> bool:
        """Only who gave it takes it back."""
        return False


class SharedPace:
    """The pace of all workers together to one side: the same curve as in one process, on the sum of their answers.

    `rate` in requests a second is None until one of them was refused something.
    """

    def __init__(self) -> None:
        self._pace: Pace | None = None
        self._least = 0.0
        self._span = 0.0
        self._good = self._refused = 0
        self.refused = 0

    @property
    def rate(self) -> float | None:
        return self._pace.rate if self._pace is not None else None

    def hear(self, span: float, good: int, refused: int) -> None:
        """What all workers were answered in the last `span` seconds."""
        self.refused += refused
        self._span += span
        self._good += good
        self._refused += refused
        if self._span < max(self._least, WINDOW_SECONDS):
            return
        span, good, refused = self._span, self._good, self._refused
        self._span, self._good, self._refused, self._least = 0.0, 0, 0, 0.0
        if self._pace is None:
            if refused:
                self._pace = Pace(max(1.0, good / span))
                self._least = self._pace.measure(0.0)
            return
        if refused and self._pace.listens():
            self._least = self._pace.measure(0.0)
            return
        self._least = self._pace.turn(span, good, refused)
        if self._pace.forgotten():
            self._pace = None


WORKER_OBJECTS: Final = 1000.0
WORKER_BYTES: Final = 350.0 * MIB
"""What a worker of one core moves in a second, to plan with (docs/explanation/performance.md)."""


RUN_OBJECTS: Final = 20_000.0
"""Small objects that one run moves in a second: so many writes an Azure account takes by default, and one coordinator
gives out a quarter more (docs/explanation/performance.md). More workers are idle."""


def workers_for(objects: int, size: int, hours: float) -> int:
    """How many workers of one core move so many objects of so many bytes together within these hours."""
    seconds = max(1.0, hours * 3600)
    needed = max(objects / WORKER_OBJECTS, size / WORKER_BYTES) / seconds
    return max(1, -int(-needed // 1))
