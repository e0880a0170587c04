"""Spreading one large object: ranges of its blocks staged by many workers, its proof composed and committed here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count

import anyio

from blobmove.cluster.calls import BatchLost, Calls
from blobmove.cluster.payloads import StageReport
from blobmove.cluster.roster import Roster
from blobmove.core.blocks import Block
from blobmove.core.crew import ranges_of
from blobmove.core.errors import BlobmoveError, StoreError
from blobmove.engine.blockpass import Staging, Sums
from blobmove.engine.limits import Budget
from blobmove.engine.requests import Attempts
from blobmove.engine.stopping import Stop


class Unfinished(Exception):
    """Raised when a stop came before all ranges were given out: what is staged is found by the next run."""


@dataclass(slots=True)
class Spreader:
    """The `spread` of the coordinator's bench. At most `places()` ranges are out, of all objects together."""

    calls: Calls
    roster: Roster
    places: Callable[[], int]
    stop: Stop
    _out: Budget = field(init=False)
    _numbers: count[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self._out = Budget(self.places)

    async def __call__(self, staging: Staging, attempts: Attempts) -> Sums:
        """Have all blocks staged. Raises StoreError, BlobmoveError, BatchLost, Unfinished: the first there was."""
        spreading = _Spreading(self, staging, attempts)
        return await spreading.run()

    async def ask(self, staging: Staging) -> StageReport:
        """Have one range staged."""
        report = await self.calls.stage(next(self._numbers), staging)
        self.roster.hear(report.worker, report.heard)
        return report


@dataclass(slots=True)
class _Spreading:
    """One object on its way."""

    spreader: Spreader
    staging: Staging
    attempts: Attempts
    _crc64: dict[int, int] = field(default_factory=dict)
    _crc: dict[int, int] = field(default_factory=dict)
    _staged: int = 0
    _error: Exception | None = None

    async def run(self) -> Sums:
        """Give out range after range; the first failure lets those that are out end, and is raised."""
        self._take_held()
        missing = tuple(block for block in self.staging.blocks if block.index not in self._crc64)
        out = self.spreader._out
        async with anyio.create_task_group() as tasks:
            for blocks in ranges_of(missing, self.spreader.places()):
                await out.take()
                if self._ended():
                    out.give_back()
                    break
                tasks.start_soon(self._one, blocks)
        if self._error is not None:
            raise self._error
        return Sums(self._crc64, self._crc, self._staged)

    def _take_held(self) -> None:
        """Where the CRC-64 is all that is asked for, what Azure holds need not be read again."""
        if self.staging.crc in (None, "crc64nvme"):
            self._crc64.update(self.staging.held)
            self._crc.update(self.staging.held)

    def _ended(self) -> bool:
        if self._error is None and self.spreader.stop.is_set():
            self._error = Unfinished()
        return self._error is not None

    async def _one(self, blocks: tuple[Block, ...]) -> None:
        held = {block.index: crc for block in blocks if (crc := self.staging.held.get(block.index)) is not None}
        try:
            self._take(await self.spreader.ask(replace(self.staging, blocks=blocks, held=held)))
        except (BatchLost, StoreError, BlobmoveError) as error:
            self._error = self._error or error
        finally:
            self.spreader._out.give_back()

    def _take(self, report: StageReport) -> None:
        """The sums of a range. Raises what went wrong with it."""
        self.attempts.count += report.tries
        self.attempts.lost = self.attempts.lost or report.lost
        if report.store is not None:
            raise report.store.error()
        trouble = report.trouble or report.unfit
        if trouble is not None:
            raise trouble.error(report.worker)
        if report.sums is not None:
            self._crc64.update(report.sums.crc64)
            self._crc.update(report.sums.crc)
            self._staged += report.sums.staged
