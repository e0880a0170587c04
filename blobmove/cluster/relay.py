"""The MD5s of a spread object: their state goes from range to range, in order, to whichever worker has the bytes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import anyio

from blobmove.cluster.calls import BatchLost, Calls
from blobmove.cluster.payloads import Answered, Turn, TurnReport
from blobmove.core.blocks import Block
from blobmove.core.crew import RANGES_KEPT
from blobmove.engine.blockpass import Sums
from blobmove.engine.carried import Carried, Md5State, can_carry
from blobmove.engine.hashing import is_crc, join_crcs
from blobmove.engine.staging import Staging


@dataclass(slots=True)
class Relay:
    """The turns of one object's ranges. `ask` gives one to any worker that can work.

    `heard` takes what a worker tells beside its answer, and raises its trouble. `strayed`: some turn was not taken
    where its range was staged, so that somebody may still keep what nobody will ask for.
    """

    calls: Calls
    staging: Staging
    ask: Callable[[Turn], Awaitable[TurnReport]]
    heard: Callable[[Answered], None]
    strayed: bool = False
    _carried: Carried = field(init=False)
    _parts: list[bytes] = field(default_factory=list)
    _ended: dict[int, anyio.Event] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._carried = Carried(part=Md5State() if self.staging.per_part == "md5" else None)

    async def wait(self, position: int) -> None:
        """Until the range before this one has ended, well or not."""
        if position:
            await self._end_of(position - 1).wait()

    def end(self, position: int) -> None:
        """A range has ended: the next one may go on."""
        self._end_of(position).set()

    def _end_of(self, position: int) -> anyio.Event:
        return self._ended.setdefault(position, anyio.Event())

    async def turn(self, worker: str, staging: Staging, crc64: Mapping[int, int]) -> None:
        """The turn of a range: where it is kept, else, as a task of its own, anywhere. Raises like a range.

        `crc64`: by index those of its blocks, as their ids for the commit have them.
        """
        turn = Turn(staging, self._carried, crc64)
        report = await self.calls.turn_at(worker, turn)
        if report is None or report.unfit is not None:
            self.strayed = True
            report = await self.ask(turn)
        self.heard(report)
        self._take(report)

    def _take(self, report: TurnReport) -> None:
        if report.carried is None:
            raise BatchLost("their worker has left them")
        self._carried = report.carried
        self._parts += report.closed

    def result(self, sums: Sums) -> tuple[dict[str, bytes], Sequence[bytes]]:
        """The digests of the whole by algorithm, and those of the parts, when all ranges had their turn."""
        per_part, carried, blocks = self.staging.per_part, self._carried, self.staging.blocks
        if carried.at != blocks[-1].offset + blocks[-1].length:
            raise ValueError("a range has not had its turn")
        parts = [*self._parts, carried.part.digest()] if carried.part is not None else []
        if per_part is not None and is_crc(per_part):
            parts = part_crcs(per_part, blocks, sums)
        return {"md5": carried.whole.digest()} if self.staging.wholes else {}, parts


def part_crcs(algorithm: str, blocks: Sequence[Block], sums: Sums) -> list[bytes]:
    """The CRC of every part, joined from those of its blocks."""
    parts: dict[int, list[tuple[int, int]]] = {}
    for block in blocks:
        parts.setdefault(block.part, []).append((sums.crc[block.index], block.length))
    return [join_crcs(algorithm, pieces) for _, pieces in sorted(parts.items())]


def why_not(staging: Staging, kept_bytes: int) -> str:
    """Why the digests that are wanted of all bytes in order cannot go from worker to worker; "" where they can.

    `kept_bytes`: what a worker may hold of ranges that wait for their turn.
    """
    per_part = staging.per_part
    if max(block.length for block in staging.blocks) > kept_bytes // RANGES_KEPT:
        return "its blocks need more --max-memory"
    if not can_carry():
        return "this Python does not give away the state of an MD5"
    if set(staging.wholes) - {"md5"} or not (per_part is None or per_part == "md5" or is_crc(per_part)):
        return "S3 has neither an MD5 nor a CRC of it or its parts"
    return ""


def prepared(staging: Staging, ticket: str) -> Staging:
    """The same blocks under a ticket; CRCs of parts are joined from those of the blocks."""
    per_part = staging.per_part
    crc = per_part if per_part is not None and is_crc(per_part) else staging.crc
    return replace(staging, ticket=ticket, crc=crc)
