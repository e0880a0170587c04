"""Joining a cluster: the scheduler found, every worker's program and settings compared, its doors opened."""

from __future__ import annotations

import pkgutil
import platform
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import anyio
from distributed import Client, Security
from distributed import __version__ as distributed_version
from distributed.comm.core import CommClosedError

from blobmove import __version__
from blobmove.cluster.calls import Calls, scheduler_lost
from blobmove.cluster.payloads import Terms
from blobmove.cluster.worker import DoorsPlugin, plugin_name
from blobmove.core.crew import WorkerFacts, difference
from blobmove.core.errors import RefusedError, UsageError
from blobmove.core.frozen import frozen

CONNECT_SECONDS: Final = 10.0
WORKERS_SECONDS: Final = 60.0
"""How long to wait for the first worker (`--scheduler`), or for all of them (`--workers`)."""

_LEAVING_SECONDS: Final = 15.0


@frozen
class Meeting:
    """Where to meet: the scheduler's address, how to speak to it, how many workers to wait for, what to type again."""

    address: str
    again: str
    wait_for: int = 1
    security: Security | None = None


def program() -> WorkerFacts:
    """The versions of this process."""
    return WorkerFacts(__version__, _minor(platform.python_version()), distributed_version)


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


@asynccontextmanager
async def connected(meeting: Meeting) -> AsyncIterator[Client]:
    """A client of the scheduler; a worker is there, and all have our program. Raises UsageError, RefusedError."""
    try:
        client = await Client(
            meeting.address, asynchronous=True, security=meeting.security or Security(), set_as_default=False,
            timeout=CONNECT_SECONDS, name="blobmove",
        )
    except (OSError, CommClosedError, TimeoutError, ValueError, TypeError, RuntimeError) as error:
        raise UsageError("E000-SCHEDULER", f"no scheduler answers at {meeting.address}", cause=_first_line(error),
                         hint="check the address, the network and the TLS settings of Dask") from None
    try:
        with _words_for_loss(meeting):
            await _wait_for_workers(client, meeting)
            await _compare_programs(client, meeting)
        yield client
    finally:
        with anyio.move_on_after(_LEAVING_SECONDS, shield=True):
            await client.close(timeout=5)


async def _wait_for_workers(client: Client, meeting: Meeting) -> None:
    with anyio.move_on_after(WORKERS_SECONDS):
        while len(await client.scheduler.ncores()) < meeting.wait_for:  # noqa: ASYNC110 - Dask has no such event
            await anyio.sleep(0.1)
    if not await client.scheduler.ncores():
        raise UsageError("E404-WORKERS", f"the scheduler at {meeting.address} has no workers",
                         hint="start some with: dask worker " + meeting.address)


async def _compare_programs(client: Client, meeting: Meeting) -> None:
    """Asked by the standard library's own functions: a worker need not have this program to answer."""
    blobmove = await client.run(pkgutil.resolve_name, "blobmove:__version__", on_error="return")
    python = await client.run(platform.python_version, on_error="return")
    dask = await client.run(pkgutil.resolve_name, "distributed:__version__", on_error="return")
    ours = program()
    for worker in blobmove:
        if any(isinstance(answers.get(worker), OSError | CommClosedError) for answers in (blobmove, python, dask)):
            continue  # it has died meanwhile
        theirs = WorkerFacts(_told(blobmove, worker), _minor(_told(python, worker)), _told(dask, worker))
        if told := difference(ours, theirs):
            raise RefusedError(
                "E409-WORKER", f"worker {worker} is not like the coordinator", cause=told,
                hint=f"install the same on all workers, then: {meeting.again}",
            )


def _told(answers: Mapping[str, Any], worker: str) -> str:
    answer = answers.get(worker)
    return answer if isinstance(answer, str) else "not installed"


@asynccontextmanager
async def doors_open(client: Client, terms: Terms, meeting: Meeting) -> AsyncIterator[Calls]:
    """The doors of the run open on every worker, also on those that come later; shut at the end.

    Raises the error of the first worker that cannot work: nothing has been given out by then.
    """
    calls = Calls(client, terms.run, meeting.again)
    try:
        with _words_for_loss(meeting):
            await _register(client, DoorsPlugin(terms))
            for worker in await client.scheduler.ncores():
                heard = await calls.pulse(worker, terms.share)
                if heard is not None and heard.trouble is not None:
                    raise heard.trouble.error(worker)
        yield calls
    finally:
        if not calls.gone:
            with anyio.move_on_after(_LEAVING_SECONDS, shield=True):
                await _shut(client, terms.run)


async def _register(client: Client, plugin: DoorsPlugin) -> None:
    """Have all workers open their doors. One that dies meanwhile is missed by nobody; the scheduler would be."""
    try:
        await client.register_plugin(plugin, name=plugin.name)
    except (OSError, CommClosedError):
        await client.scheduler.ncores()


@contextmanager
def _words_for_loss(meeting: Meeting) -> Iterator[None]:
    """A scheduler that goes away meanwhile, in the operator's words."""
    try:
        yield
    except (OSError, CommClosedError, TimeoutError) as error:
        raise scheduler_lost(meeting.again, error) from None


async def _shut(client: Client, run: str) -> None:
    try:
        await client.unregister_worker_plugin(plugin_name(run))
    except Exception:  # whatever it is, nothing is lost by it: the next run of this plan shuts these doors
        return


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
