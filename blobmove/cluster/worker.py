"""What a Dask worker runs for blobmove: a plugin that holds the doors, and the functions the coordinator calls."""

from __future__ import annotations

from typing import Any, Final

from distributed import Worker, WorkerPlugin, get_worker

from blobmove.checkpoint.reader import ProvenCopy
from blobmove.cluster.packing import Parcel
from blobmove.cluster.payloads import Heard, ReadReport, Report, Share, StageReport, Terms, Trouble, Turn, TurnReport
from blobmove.cluster.session import Session
from blobmove.core.errors import UsageError
from blobmove.core.model import Transfer
from blobmove.engine.staging import Staging

_SESSIONS: Final[dict[tuple[str, str], Session]] = {}
"""The open sessions of this process, by run and worker."""


class DoorsPlugin(WorkerPlugin):  # type: ignore[misc]  # Dask is not typed
    """Opens the doors of a run once per worker, and shuts them when the run is over or another takes its place."""

    def __init__(self, terms: Terms) -> None:
        self.name = plugin_name(terms.run)
        self._terms = terms

    async def setup(self, worker: Worker) -> None:
        """Never raises: what is wrong is told with the worker's first word."""
        session = Session(self._terms, worker.address)
        await session.open()
        _SESSIONS[self._terms.run, worker.address] = session

    async def teardown(self, worker: Worker) -> None:
        """Shut the doors. What is under way may end first."""
        session = _SESSIONS.pop((self._terms.run, worker.address), None)
        if session is not None:
            await session.close()


def plugin_name(run: str) -> str:
    """The name under which the scheduler keeps the plugin: a resumed run takes the place of the one before."""
    return f"blobmove-{run}"


async def move_batch(run: str, batch: Parcel[Transfer], patient: bool) -> Report:
    """A task: move these objects."""
    session, address = _here(run)
    if session is None:
        return Report(address, unfit=_closed())
    return await session.move(batch.pieces, patient=patient)


async def stage_range(run: str, staging: Staging) -> StageReport:
    """A task: read these blocks of a large object and stage them."""
    session, address = _here(run)
    if session is None:
        return StageReport(address, unfit=_closed())
    return await session.stage(staging)


async def take_turn(run: str, turn: Turn) -> TurnReport:
    """A task: feed these blocks to the MD5s of their object."""
    session, address = _here(run)
    if session is None:
        return TurnReport(address, unfit=_closed())
    return await session.turn(turn)


async def take_kept_turn(
    run: str, turn: Turn, dask_worker: Any = None  # noqa: ANN401 - given by Dask
) -> TurnReport | None:
    """Not a task: the same from what is kept here, None at once where it is not."""
    session = _SESSIONS.get((run, dask_worker.address))
    return await session.turn_if_kept(turn) if session is not None else None


async def forget_kept(run: str, ticket: str, dask_worker: Any = None) -> None:  # noqa: ANN401 - given by Dask
    """Not a task: what is kept under this ticket will have no turn."""
    session = _SESSIONS.get((run, dask_worker.address))
    if session is not None:
        session.forget(ticket)


async def read_batch(run: str, batch: Parcel[ProvenCopy], patient: bool) -> ReadReport:
    """A task: read these copies back."""
    session, address = _here(run)
    if session is None:
        return ReadReport(address, unfit=_closed())
    return await session.read(batch.pieces, patient=patient)


async def pulse(run: str, share: Share, dask_worker: Any = None) -> Heard | None:  # noqa: ANN401 - given by Dask
    """Not a task, and therefore answered at any time: obey this share, and tell how it goes."""
    session = _SESSIONS.get((run, dask_worker.address))
    if session is None:
        return None
    session.obey(share)
    return session.heard()


def _here(run: str) -> tuple[Session | None, str]:
    address = get_worker().address
    return _SESSIONS.get((run, address)), address


def _closed() -> Trouble:
    return Trouble.of(UsageError("E500-WORKER", "a worker has no doors open for this run"))
