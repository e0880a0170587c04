"""Spreading one large object: ranges of its blocks staged by many workers, its proof composed and committed here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TypeVar

import anyio

from blobmove.cluster.calls import BatchLost, Calls
from blobmove.cluster.payloads import Answered, StageReport, Turn, TurnReport
from blobmove.cluster.relay import Relay, prepared, why_not
from blobmove.cluster.roster import UNFIT_LIMIT, UNFIT_SECONDS, Roster
from blobmove.core.blocks import Block
from blobmove.core.crew import RANGE_BYTES, RANGES_KEPT, ranges_of
from blobmove.core.errors import BlobmoveError, StoreError
from blobmove.engine.bench import OneMachine
from blobmove.engine.blockpass import Found, Sums, joined
from blobmove.engine.limits import Budget
from blobmove.engine.requests import Attempts
from blobmove.engine.staging import Staging
from blobmove.engine.stopping import Stop

R = TypeVar("R", bound=Answered)


class Unfinished(Exception):
    """Raised when a stop came before all ranges were given out: what is staged is found by the next run."""


@dataclass(slots=True)
class Spreader:
    """The `spread` of the coordinator's bench. At most `places()` ranges are out, of all objects together.

    `kept_bytes`: what a worker may hold of ranges that wait for their turn.
    """

    calls: Calls
    roster: Roster
    places: Callable[[], int]
    stop: Stop
    kept_bytes: int
    _out: Budget = field(init=False)
    _numbers: count[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self._out = Budget(self.places)

    async def __call__(self, staging: Staging, attempts: Attempts) -> Found:
        """Have all blocks staged. Raises StoreError, BlobmoveError, BatchLost, Unfinished: the first there was.

        Raises OneMachine for an object whose digests cannot go from worker to worker.
        """
        if not (staging.wholes or staging.per_part):
            return joined(staging.blocks, staging.crc, await _Spreading(self, staging, attempts).run())
        if reason := why_not(staging, self.kept_bytes):
            raise OneMachine(reason)
        staging = prepared(staging, f"{self.calls.session}-{self.number()}")
        spreading = _Spreading(self, staging, attempts)
        spreading.relay = relay = Relay(self.calls, staging, self.ask_anybody, spreading.heard)
        try:
            sums = await spreading.run()
        except Exception:
            await self.calls.forget(staging.ticket)
            raise
        if relay.strayed:
            await self.calls.forget(staging.ticket)
        wholes, parts = relay.result(sums)
        return replace(joined(staging.blocks, staging.crc, sums), wholes=wholes, parts=parts)

    def number(self) -> int:
        """A number for the next call."""
        return next(self._numbers)

    async def ask(self, staging: Staging) -> StageReport:
        """Have one range staged."""
        return await self._fit(lambda: self.calls.stage(self.number(), staging))

    async def ask_anybody(self, turn: Turn) -> TurnReport:
        """Have one range hashed by any worker."""
        return await self._fit(lambda: self.calls.turn(self.number(), turn))

    async def _fit(self, ask: Callable[[], Awaitable[R]]) -> R:
        """What a worker answers that can work: the others are sent away, as long as there are not too many.

        Raises Unfinished where a stop comes between.
        """
        for _ in range(UNFIT_LIMIT - 1):
            report = await ask()
            if report.unfit is None:
                return report
            self.roster.hear(report.worker, report.heard)
            await self.roster.dismiss(report.worker, report.unfit)
            await self.stop.sleep(UNFIT_SECONDS)
            if self.stop.is_set():
                raise Unfinished
        return await ask()


@dataclass(slots=True)
class _Spreading:
    """One object on its way."""

    spreader: Spreader
    staging: Staging
    attempts: Attempts
    relay: Relay | None = None
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
            for position, blocks in enumerate(self._ranges(missing)):
                await out.take()
                if self._ended():
                    out.give_back()
                    break
                tasks.start_soon(self._one, position, blocks)
        if self._error is not None:
            raise self._error
        return Sums(self._crc64, self._crc, self._staged)

    def _take_held(self) -> None:
        """Where the CRC-64 is all that is asked for, what Azure holds need not be read again."""
        if self.relay is None and self.staging.crc in (None, "crc64nvme"):
            self._crc64.update(self.staging.held)
            self._crc.update(self.staging.held)

    def _ranges(self, blocks: tuple[Block, ...]) -> list[tuple[Block, ...]]:
        """Where their bodies are kept for a turn, ranges are as long as there is room for some of them."""
        spreader, places = self.spreader, self.spreader.places()
        if self.relay is None:
            return ranges_of(blocks, places)
        return ranges_of(blocks, places, min(RANGE_BYTES, spreader.kept_bytes // RANGES_KEPT))

    def _ended(self) -> bool:
        if self._error is None and self.spreader.stop.is_set():
            self._error = Unfinished()
        return self._error is not None

    async def _one(self, position: int, blocks: tuple[Block, ...]) -> None:
        held = {block.index: crc for block in blocks if (crc := self.staging.held.get(block.index)) is not None}
        try:
            staging = replace(self.staging, blocks=blocks, held=held)
            report = await self.spreader.ask(staging)
            self.heard(report)
            sums = self._take(report)
            if self.relay is not None:
                await self.relay.wait(position)
                if self._error is None:
                    await self.relay.turn(report.worker, staging, sums.crc64)
        except (BatchLost, StoreError, BlobmoveError, OneMachine, Unfinished) as error:
            self._error = self._error or error
        finally:
            if self.relay is not None:
                self.relay.end(position)
            self.spreader._out.give_back()

    def heard(self, report: Answered) -> None:
        """What a worker tells beside its answer. Raises what went wrong with a range."""
        self.spreader.roster.hear(report.worker, report.heard)
        self.attempts.count += report.tries
        self.attempts.lost = self.attempts.lost or report.lost
        if report.store is not None:
            raise report.store.error()
        trouble = report.trouble or report.unfit
        if trouble is not None:
            raise trouble.error(report.worker)
        if report.alone:
            raise OneMachine(report.alone)

    def _take(self, report: StageReport) -> Sums:
        """The sums of a range. Raises BatchLost where its worker has left it."""
        if report.sums is None:
            raise BatchLost("their worker has left them")
        self._crc64.update(report.sums.crc64)
        self._crc.update(report.sums.crc)
        self._staged += report.sums.staged
        return report.sums
