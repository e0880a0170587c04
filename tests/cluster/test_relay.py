"""What may go from worker to worker, and what a worker keeps until its turn."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import anyio
import pytest

from blobmove.cluster import ranges
from blobmove.cluster.ranges import KEPT_SECONDS, Kept
from blobmove.cluster.relay import part_crcs, why_not
from blobmove.core.blocks import cut
from blobmove.core.model import Transfer
from blobmove.engine.blockpass import Sums
from blobmove.engine.hashing import crc_of, digest
from blobmove.engine.limits import Budget, Part
from blobmove.engine.staging import Staging
from tests.engine.benches import turns

PARTS = (500, 37, 300)
BODY = bytes(number % 251 for number in range(sum(PARTS)))
OBJECT = Transfer(1, "key", "blob", sum(PARTS), "e-3", None, None, None, 0, None)
STAGING = Staging(OBJECT, "e-3", cut(PARTS, 100), None, "abcdef01", {}, 32, ("md5",), "md5")


@pytest.mark.parametrize(("wholes", "per_part", "kept", "reason"), [
    (("md5",), "md5", 300, ""),
    (("md5",), "crc32c", 300, ""),
    (("md5",), None, 300, ""),
    (("md5", "sha256"), None, 300, "neither"),
    (("md5",), "sha256", 300, "neither"),
    (("md5",), "md5", 299, "--max-memory"),
])
def test_md5s_and_crcs_go_from_worker_to_worker_where_there_is_room(
    wholes: tuple[str, ...], per_part: str | None, kept: int, reason: str
) -> None:
    told = why_not(replace(STAGING, wholes=wholes, per_part=per_part), kept)
    assert reason in told if reason else told == ""


def test_where_python_does_not_give_away_the_state_of_an_md5_one_worker_does_it(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blobmove.cluster.relay.can_carry", lambda: False)
    assert "this Python" in why_not(STAGING, 300)


def test_the_crc_of_a_part_is_joined_from_its_blocks() -> None:
    crcs = {block.index: crc_of("crc32c", BODY[block.offset:][:block.length]) for block in STAGING.blocks}
    parts = part_crcs("crc32c", STAGING.blocks, Sums({}, crcs, 0))
    assert parts == [digest("crc32c", BODY[:500]), digest("crc32c", BODY[500:537]), digest("crc32c", BODY[537:])]


def kept_in(whole: Budget, most: int) -> Kept:
    return Kept(Part(whole, lambda: most), clock=lambda: 0.0)


async def test_what_is_kept_has_its_room_until_its_turn() -> None:
    whole = Budget(lambda: 100)
    kept = kept_in(whole, 60)
    room = await kept.reserve(50)
    assert room is not None
    kept.keep(("t", 0), {0: bytes(50)}, room)
    assert whole.used == 50
    found = kept.claim(("t", 0))
    assert found is not None
    found.memory.give_back(found.size)
    assert (whole.used, kept.claim(("t", 0))) == (0, None)


async def test_a_range_staged_twice_is_kept_once() -> None:
    whole = Budget(lambda: 100)
    kept = kept_in(whole, 100)
    for _ in range(2):
        room = await kept.reserve(30)
        assert room is not None
        kept.keep(("t", 0), {0: bytes(30)}, room)
    assert whole.used == 30


async def test_who_finds_no_room_for_long_goes_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "ROOM_SECONDS", 0.01)
    whole = Budget(lambda: 100)
    kept = kept_in(whole, 60)
    room = await kept.reserve(50)
    assert room is not None
    kept.keep(("t", 0), {0: bytes(50)}, room)
    assert await kept.reserve(50) is None
    assert whole.used == 50
    assert whole.take_now(40), "what is kept never takes all of the memory"


async def test_a_failed_object_s_bytes_are_forgotten_at_once_and_others_in_time() -> None:
    now, whole = 0.0, Budget(lambda: 100)
    kept = Kept(Part(whole, lambda: 60), clock=lambda: now)
    for ticket in ("failed", "lost"):
        room = await kept.reserve(30)
        assert room is not None
        kept.keep((ticket, 0), {0: bytes(30)}, room)
    kept.forget_all("failed")
    assert whole.used == 30
    now = KEPT_SECONDS
    kept.give_way(whole)
    assert whole.used == 30
    now = KEPT_SECONDS + 1
    kept.give_way(whole)
    assert whole.used == 0, "also where nobody asks for room"


@dataclass
class Worker:
    """Its memory, what it keeps of it, and its clock. `pulse` is what happens once a second."""

    limit: int
    now: float = 0.0
    whole: Budget = field(init=False)
    kept: Kept = field(init=False)

    def __post_init__(self) -> None:
        self.whole = Budget(lambda: self.limit)
        self.kept = Kept(Part(self.whole, lambda: self.limit * 3 // 4), clock=lambda: self.now)

    async def keep(self, *names: int) -> None:
        """Three ranges of an object of which another one is still on its way."""
        for name in names:
            room = await self.kept.reserve(8)
            assert room is not None
            self.kept.keep(("x", name), {0: bytes(8)}, room)

    def pulse(self, seconds: float) -> None:
        for _ in range(int(seconds)):
            self.now += 1.0
            self.kept.give_way(self.whole)


async def test_what_is_kept_gives_way_where_everybody_waits_for_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A large body heads the row, the range that all kept ones wait for stands behind it."""
    monkeypatch.setattr(ranges, "ROOM_SECONDS", 3.0)
    worker = Worker(48)
    await worker.keep(5, 9, 13)
    got: list[str] = []

    async def take(name: str, units: int) -> None:
        await worker.whole.take(units)
        got.append(name)
        worker.whole.give_back(units)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(take, "a large body", 32)
        await turns()
        tasks.start_soon(take, "the range that the others wait for", 8)
        await turns()
        worker.pulse(3)
        assert (got, worker.whole.used) == ([], 24)
        worker.pulse(3)
        with anyio.fail_after(5):
            while len(got) < 2:
                await turns()
    assert got == ["a large body", "the range that the others wait for"]
    assert worker.whole.used == 16, "no more of it than was needed: the others have their turns from what is kept"


async def test_what_is_kept_stays_where_memory_goes_from_hand_to_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "ROOM_SECONDS", 3.0)
    worker = Worker(48)
    await worker.keep(5, 9, 13)
    await worker.whole.take(24)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(worker.whole.take, 20)
        await turns()
        for _ in range(20):
            worker.whole.give_back(1)
            worker.pulse(1)
        assert worker.whole.used == 48, "the one who waited is in"
    worker.pulse(20)
    assert len(worker.kept._ranges) == 3, "nobody waits: they may stay until they are old"
