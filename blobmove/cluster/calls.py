"""Calls to the workers through Dask: a batch as a task, a pulse beside the tasks; its failures in our words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

import anyio
from distributed import Client, KilledWorker
from distributed.client import FutureCancelledError, FuturesCancelledError
from distributed.comm.core import CommClosedError

from blobmove.checkpoint.reader import ProvenCopy
from blobmove.cluster.packing import Parcel
from blobmove.cluster.payloads import Heard, ReadReport, Report, Share, StageReport, Turn, TurnReport
from blobmove.cluster.worker import forget_kept, move_batch, pulse, read_batch, stage_range, take_kept_turn, take_turn
from blobmove.core.errors import BlobmoveError, RefusedError, UsageError
from blobmove.core.model import Transfer
from blobmove.engine.staging import Staging

ANSWER_SECONDS: Final = 20.0
"""How long the scheduler or a worker may be silent when it is asked how it goes."""


class BatchLost(Exception):
    """Raised when Dask has given up a batch: every worker it was given to died."""


@dataclass(slots=True)
class Calls:
    """The way to the workers of one run. `again` is the command to type when the scheduler is lost."""

    client: Client
    run: str
    again: str
    session: str = field(default_factory=lambda: uuid4().hex[:12])
    gone: bool = False

    async def move(self, number: int, batch: tuple[Transfer, ...], patient: bool) -> Report:
        """Have a batch moved by whichever worker Dask chooses. Raises BatchLost, or BlobmoveError for the run."""
        report: Report = await self._task(f"move-{number}", move_batch, self.run, Parcel(batch), patient)
        return report

    async def read(self, number: int, batch: tuple[ProvenCopy, ...], patient: bool) -> ReadReport:
        """Have a batch of copies read back. Raises like `move`."""
        report: ReadReport = await self._task(f"read-{number}", read_batch, self.run, Parcel(batch), patient)
        return report

    async def stage(self, number: int, staging: Staging) -> StageReport:
        """Have a range of blocks staged. Raises like `move`."""
        report: StageReport = await self._task(f"stage-{number}", stage_range, self.run, staging)
        return report

    async def turn(self, number: int, turn: Turn) -> TurnReport:
        """Have a range of blocks hashed by any worker. Raises like `move`."""
        report: TurnReport = await self._task(f"turn-{number}", take_turn, self.run, turn)
        return report

    async def turn_at(self, worker: str, turn: Turn) -> TurnReport | None:
        """Have a range hashed by the worker that keeps it, beside its tasks; None where it does not (any more).

        It reads nothing for this, so it answers soon, or not at all.
        """
        told = await self._ask(worker, take_kept_turn, turn)
        return told if isinstance(told, TurnReport) else None

    async def forget(self, ticket: str) -> None:
        """Have all workers forget what they keep under a ticket; who does not hear it forgets it in time."""
        if self.gone:
            return
        with anyio.move_on_after(ANSWER_SECONDS):
            try:
                await self.client.run(forget_kept, self.run, ticket, on_error="return")
            except (CommClosedError, OSError, KeyError, ValueError, AttributeError):
                return

    async def _task(self, name: str, function: Any, *args: Any) -> Any:  # noqa: ANN401 - as Dask has it
        # A key of its own: Dask must not take a batch for one it has run before. Its loss is the only reason for
        # another try (allowed-failures); what a batch answers is never an exception.
        key = f"blobmove-{name}-{self.run}-{self.session}"
        future = self.client.submit(function, *args, key=key, pure=False, retries=0)
        try:
            return await future
        except KilledWorker as error:
            raise BatchLost(f"their workers died ({error.allowed_failures + 1} times)") from None
        except MemoryError:  # told by Dask itself: not even the answer had room
            raise BatchLost("their worker had no memory left") from None
        except (FutureCancelledError, FuturesCancelledError, CommClosedError, OSError) as error:
            raise self.lost(error) from None
        except (ImportError, AttributeError) as error:  # a worker that has come later, without the program
            raise RefusedError(
                "E409-WORKER", "a worker does not have the program of the coordinator", cause=str(error),
                hint=f"install the same blobmove on all workers, then: {self.again}",
            ) from None
        finally:
            future.release()

    def lost(self, error: BaseException) -> BlobmoveError:
        """The scheduler is gone: from now on nobody is asked to say goodbye."""
        self.gone = True
        return scheduler_lost(self.again, error)

    async def threads(self) -> dict[str, int] | None:
        """All workers and their threads, as the scheduler knows them; None where it does not answer."""
        with anyio.move_on_after(ANSWER_SECONDS):
            try:
                return dict(await self.client.scheduler.ncores())
            except (CommClosedError, OSError, AttributeError):
                return None
        return None

    async def pulse(self, worker: str, share: Share) -> Heard | None:
        """Give a worker its share and hear how it goes; None where it does not answer, or has no doors open."""
        heard = await self._ask(worker, pulse, share)
        return heard if isinstance(heard, Heard) else None

    async def _ask(self, worker: str, function: Any, told: Any) -> Any:  # noqa: ANN401 - as Dask has it
        """What a worker answers at once; None, or an exception as a value, where it does not."""
        with anyio.move_on_after(ANSWER_SECONDS):
            try:
                answers = await self.client.run(function, self.run, told, workers=[worker], on_error="return")
            except (CommClosedError, OSError, KeyError, ValueError, AttributeError):
                return None
            return answers.get(worker)
        return None

    async def dismiss(self, worker: str) -> None:
        """Have a worker leave the cluster."""
        with anyio.move_on_after(ANSWER_SECONDS):
            try:
                await self.client.retire_workers([worker], close_workers=True)
            except (CommClosedError, OSError, AttributeError):
                return


def scheduler_lost(again: str, error: BaseException) -> BlobmoveError:
    """The scheduler is gone; `again` is the command to type when it is back."""
    cause = str(error).partition("\n")[0][:300]
    return UsageError("E000-SCHEDULER", "the connection to the scheduler is lost", cause=cause,
                      hint=f"start the cluster again, then: {again}")
