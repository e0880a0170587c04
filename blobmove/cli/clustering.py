"""Wiring of `copy --workers` and `copy --scheduler`: a cluster joined or started, doors opened on every worker."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from blobmove.cluster.dask_settings import dask_log, require_dask
from blobmove.core.crew import room_for
from blobmove.core.errors import UsageError
from blobmove.core.events import Listener, Note
from blobmove.core.frozen import frozen
from blobmove.core.settings import CopySettings, How, VerifySettings, for_checkpoint
from blobmove.stores import machine

if TYPE_CHECKING:
    from blobmove.checkpoint.values import Setup
    from blobmove.cli.doors import Opened
    from blobmove.cluster.coordinator import Crew
    from blobmove.cluster.joining import Meeting
    from blobmove.cluster.payloads import Doors, Terms
    from blobmove.core.crew import WorkerFacts
    from blobmove.core.timetable import Timetable
    from blobmove.engine.bench import MoveOptions


@frozen
class Asked:
    """What a command was asked for: `workers` processes here (0: as many as cores), or the `scheduler` of a cluster.

    `again` is the command to type after an end before time; limits are those of the whole run.
    """

    again: str
    workers: int | None
    scheduler: str | None
    concurrency: int | None
    max_memory: int
    bandwidth: Timetable | None

    @classmethod
    def by(cls, settings: CopySettings | VerifySettings) -> Asked:
        """What `copy` or `verify` was asked for. Raises UsageError for both at once, and for a listing."""
        if settings.workers is not None and settings.scheduler is not None:
            raise UsageError("E400-CLUSTER", "--workers starts a cluster of its own, --scheduler joins another one",
                             hint="leave one of both off")
        where = f"--scheduler {settings.scheduler}" if settings.scheduler else f"--workers {settings.workers or 'auto'}"
        if isinstance(settings, CopySettings):
            again = for_checkpoint(f"blobmove copy --resume {where}", settings.checkpoint)
            return cls(again, settings.workers, settings.scheduler, settings.concurrency, settings.max_memory,
                       settings.bandwidth)
        from blobmove.operations.verify import again as verify_again

        again = verify_again(replace(settings, how=How.READ))
        if settings.how is not How.READ:
            raise UsageError("E400-CLUSTER", "a listing is one request after the other: there is nothing to share",
                             hint=again)
        return cls(again, settings.workers, settings.scheduler, None, room(settings.workers), None)


def sharing(workers: int | None) -> int:
    """How many processes share the memory of this machine: so many workers (0: one a core), or this one alone."""
    return 1 if workers is None else workers or machine.cores()


def room(workers: int | None) -> int:
    """The `--max-memory` of a run of so many workers that was given none, in bytes."""
    return room_for(sharing(workers), machine.memory())


@asynccontextmanager
async def crew(
    asked: Asked, setup: Setup, options: MoveOptions, doors: Opened, listener: Listener
) -> AsyncIterator[Crew]:
    """A crew that is ready for work. Raises UsageError, RefusedError (workers unlike this process), AccessError."""
    require_dask()
    from blobmove.cli.doors import rate_now
    from blobmove.cluster.coordinator import Crew
    from blobmove.cluster.joining import connected, doors_open
    from blobmove.cluster.roster import Roster
    from blobmove.cluster.waiting import ended_by_signals

    async with ended_by_signals(asked.again) as begin, AsyncExitStack() as stack:
        stack.enter_context(dask_log(listener))
        meeting, number = await _meeting(asked, listener, stack)
        client = await stack.enter_async_context(connected(meeting))
        threads = dict(await client.scheduler.ncores())
        calls = await stack.enter_async_context(
            doors_open(client, _terms(asked, setup, options, doors, number, len(threads)), meeting)
        )
        listener(Note(f"{len(threads)} workers at {meeting.address}"))
        roster = Roster(calls, doors.bench, listener, asked.concurrency, rate_now(asked.bandwidth), threads)
        await begin()
        yield Crew(calls, roster, listener, asked.max_memory // number)


async def _meeting(asked: Asked, listener: Listener, stack: AsyncExitStack) -> tuple[Meeting, int]:
    """Where to meet, and by how many workers of one machine its memory is shared."""
    from blobmove.cluster.joining import Meeting

    if asked.scheduler is not None:
        return Meeting(asked.scheduler, asked.again), 1
    from blobmove.cluster.local import LocalCluster

    number = sharing(asked.workers)
    local = await stack.enter_async_context(LocalCluster(number, listener).running())
    return Meeting(local.address, asked.again, number, local.security), number


def _terms(asked: Asked, setup: Setup, options: MoveOptions, doors: Opened, sharing: int, workers: int) -> Terms:
    """The terms of the run, with an equal share of its limits to begin with."""
    from blobmove.cluster.payloads import Share, Terms
    from blobmove.core.crew import divided

    rate: Callable[[], int | None] | None = None
    if asked.bandwidth is not None:
        from blobmove.cli.doors import rate_now

        rate = rate_now(asked.bandwidth)
    limit = rate() if rate is not None else None
    share = Share(
        None if asked.concurrency is None else divided(asked.concurrency, workers),
        None if limit is None else limit / max(1, workers),
    )
    return Terms(setup.plan, setup, options, asked.max_memory // sharing, facts_of(doors), open_doors, share,
                 limited=rate is not None)


def facts_of(doors: Opened) -> WorkerFacts:
    """What this process is and has found, to be compared with the others."""
    from dataclasses import replace

    from blobmove.cluster.joining import program

    return replace(program(), source=doors.bench.source.address, destination=str(doors.azure.destination))


@asynccontextmanager
async def open_doors(terms: Terms, listener: Listener) -> AsyncIterator[Doors]:
    """On a worker: the doors of a run, with the credentials this process finds by itself."""
    from blobmove.cli.doors import opened
    from blobmove.cluster.payloads import Doors

    async with opened(terms.setup, listener, terms.options, concurrency=terms.share.concurrency,
                      max_memory=terms.max_memory) as doors:
        yield Doors(doors.bench, doors.stop, facts_of(doors))
