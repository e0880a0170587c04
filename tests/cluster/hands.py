"""Workers without Dask: they stage ranges and take turns in this process, and some of them are not what they should."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, Final, cast

from blobmove.cluster.calls import Calls
from blobmove.cluster.payloads import Answered, StageReport, StoreTrouble, Trouble, Turn, TurnReport
from blobmove.cluster.ranges import Kept, hashed, stage
from blobmove.cluster.roster import Roster
from blobmove.cluster.spread import Spreader
from blobmove.core.blocks import cut
from blobmove.core.digests import multipart_etag
from blobmove.core.errors import StoreError, UsageError
from blobmove.core.model import Transfer
from blobmove.engine.bench import Bench
from blobmove.engine.limits import Budget, Part
from blobmove.engine.requests import Attempts
from blobmove.engine.staging import Staging
from blobmove.stores.s3.objects import S3Objects
from tests.engine.benches import ImpatientStop, bench_of
from tests.engine.benches import Staging as StagingArea

PARTS: Final = (500, 337)
BODY: Final = bytes(number % 251 for number in range(sum(PARTS)))
BLOCKS: Final = cut(PARTS, 100)
ETAG: Final = multipart_etag([hashlib.md5(BODY[:500]).digest(), hashlib.md5(BODY[500:]).digest()])
OBJECT: Final = Transfer(1, "key", "blob", len(BODY), ETAG, None, None, None, 0, None)
STAGING: Final = Staging(OBJECT, ETAG, BLOCKS, None, "abcdef01", {}, 32, ("md5",), "md5")
READINGS: Final = len(BLOCKS)
UNFIT: Final = Trouble.of(UsageError("E500-WORKER", "a worker has no doors open for this run"))


@dataclass
class S3:
    """Gives ranges of the body; in the reading of this number one bit is wrong."""

    wrong: int = 0
    readings: int = 0
    requests: Counter[str] = field(default_factory=Counter)

    async def get(self, key: str, *, byte_range: tuple[int, int], **_: Any) -> Any:  # noqa: ANN401 - stands for a door
        assert key == OBJECT.key
        self.readings += 1
        offset, length = byte_range
        body = bytearray(BODY[offset:offset + length])
        if self.readings == self.wrong:
            body[7] ^= 4
        return SimpleNamespace(body=body, etag=ETAG)


@dataclass
class Azure(StagingArea):
    """Keeps staged blocks."""

    requests: Counter[str] = field(default_factory=Counter)


def bench_with(s3: S3, azure: Azure | None = None) -> Bench:
    """A bench whose source is this one."""
    return replace(bench_of(azure or Azure()), source=cast(S3Objects, s3))


def kept_by(room: int) -> Kept:
    """So much room for what waits; time stands still."""
    return Kept(Part(Budget(lambda: 10_000), lambda: room), clock=lambda: 0.0)


@dataclass
class Hands:
    """Stands for the calls to the workers of one run. The first `unfit` tasks meet one that cannot work.

    `deaf`: who keeps a range does not answer when its turn comes.
    """

    bench: Bench
    kept: Kept = field(default_factory=lambda: kept_by(10_000))
    unfit: int = 0
    deaf: bool = False
    staged: list[Staging] = field(default_factory=list)
    turns: list[str] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    dismissed: list[str] = field(default_factory=list)
    session: str = "s"

    async def stage(self, _number: int, staging: Staging) -> StageReport:
        """A task."""
        async def work() -> StageReport:
            sums = await stage(self.bench, self.kept, staging, Attempts())
            self.staged.append(staging)
            return StageReport("w", sums=sums)

        report: StageReport = await self._task(StageReport("w"), work)
        return report

    async def turn(self, _number: int, turn: Turn) -> TurnReport:
        """A task."""
        return await self._turn("task", turn, kept_by(0) if self.deaf else self.kept)

    async def turn_at(self, _worker: str, turn: Turn) -> TurnReport | None:
        """Beside the tasks."""
        if self.deaf or not self.kept.holds(turn.staging):
            return None
        return await self._turn("kept", turn, self.kept)

    async def _turn(self, how: str, turn: Turn, kept: Kept) -> TurnReport:
        async def work() -> TurnReport:
            self.turns.append(how)
            carried, closed = await hashed(self.bench, kept, turn, Attempts())
            return TurnReport("w", carried=carried, closed=closed)

        report: TurnReport = await self._task(TurnReport("w"), work)
        return report

    async def _task(self, nothing: Any, work: Callable[[], Awaitable[Answered]]) -> Any:  # noqa: ANN401 - a report
        if self.unfit:
            self.unfit -= 1
            return replace(nothing, worker="unfit", unfit=UNFIT)
        try:
            return await work()
        except StoreError as error:
            return replace(nothing, store=StoreTrouble.of(error))

    async def forget(self, ticket: str) -> None:
        """What all do at the end of an object that has left something behind."""
        self.forgotten.append(ticket)
        self.kept.forget_all(ticket)

    async def dismiss(self, worker: str, _trouble: Trouble) -> None:
        """What the roster does."""
        self.dismissed.append(worker)

    def spreader(self, kept_bytes: int = 900) -> Spreader:
        """That of a run with these workers."""
        roster = SimpleNamespace(hear=lambda *_: None, dismiss=self.dismiss)
        return Spreader(cast(Calls, self), cast(Roster, roster), lambda: 2, ImpatientStop(), kept_bytes)
