"""Where everything is wired together: settings and credentials become open doors, doors go into an operation."""

from __future__ import annotations

import gc
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from blobmove.checkpoint.reader import CheckpointReader
from blobmove.checkpoint.values import Setup
from blobmove.checkpoint.writer import CheckpointWriter
from blobmove.cli.words import parse_destination, parse_source
from blobmove.core.concurrency import Concurrency
from blobmove.core.diagnosis import Diagnosis
from blobmove.core.errors import Side
from blobmove.core.events import Listener
from blobmove.core.headers import MetadataNames
from blobmove.core.lanes import LargeLane
from blobmove.core.results import (
    BornResult,
    CopySummary,
    FlipResult,
    PlanResult,
    ReverseResult,
    StatusResult,
    VerifyResult,
)
from blobmove.core.settings import (
    CopySettings,
    DoctorSettings,
    FlipSettings,
    IfExists,
    PlanSettings,
    ReportSettings,
    Route,
    StatusSettings,
    VerifySettings,
)
from blobmove.core.timetable import Timetable
from blobmove.core.transfer import MAX_WHOLE_BYTES
from blobmove.core.units import MIB
from blobmove.engine.bench import Bench, MoveOptions
from blobmove.engine.blockpass import WINDOW
from blobmove.engine.limits import Bandwidth, Budget, Part
from blobmove.engine.requests import Counters, Requests
from blobmove.engine.stopping import Stop
from blobmove.stores.azure.control import AzureControl, container_missing
from blobmove.stores.http import HttpClient
from blobmove.stores.s3.control import S3Control, S3Settings

if TYPE_CHECKING:
    from blobmove.checkpoint.journal import FlipRun
    from blobmove.cluster.coordinator import Crew

T = TypeVar("T")

AUTO_START = 16
AUTO_MOST = 512
"""Requests in flight per side where no number was asked for: the most that latency and refusals may allow.

At the 100 ms S3 takes for a small object these are 5,000 a second, what one of its partitions gives (s3.md section
4); each holds two sockets and some 50 KiB.
"""


@dataclass(frozen=True, slots=True)
class Opened:
    """The doors of one migration, and the tools a mover needs."""

    setup: Setup
    s3: S3Control
    azure: AzureControl
    bench: Bench
    stop: Stop

    async def probe(self, side: Side) -> None:
        """Ask one side whether it is well at all. Raises BlobmoveError if not."""
        if side is Side.SOURCE:
            await self.s3.locate()
        elif not await self.azure.container_exists():
            raise container_missing(self.azure.destination)


def in_loop(body: Callable[[], Awaitable[T]]) -> T:
    """Run on the fast event loop where there is one. Errors of task groups come as groups; the porch unwraps them.

    What is loaded by now lives to the end: the garbage collector need not look at it again and again. An object
    leaves no cycles behind, so it looks seldom (measured: 4 % of the CPU of small objects with the defaults).
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    return anyio.run(body, backend_options={"use_uvloop": os.name == "posix"})


def endpoint() -> str | None:
    """An S3-compatible endpoint, as the AWS tools find it."""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None


def s3_settings(bucket: str, remembered: dict[str, Any]) -> S3Settings:
    """How to reach a bucket. Where the plan has found it counts more than where the shell happens to be set to."""
    told = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    found = remembered.get("region")
    region = (told or found) if endpoint() else (found or told)
    same = region == found and remembered.get("endpoint") == endpoint()
    return S3Settings(
        bucket=bucket,
        base=remembered.get("base") if same else None,
        region=region,
        endpoint=endpoint(),
        addressing=remembered.get("addressing", "auto"),
        ca_file=os.environ.get("AWS_CA_BUNDLE"),
    )


@asynccontextmanager
async def opened(
    setup: Setup, listener: Listener, options: MoveOptions, *, concurrency: int | None, max_memory: int,
    bandwidth: Timetable | None = None,
) -> AsyncIterator[Opened]:
    """Open both doors for a run. Closed under a shield of five seconds, also after an abort.

    Bodies may take half of `max_memory`: the program itself takes about 100 MiB, and what else is read the rest.
    """
    stop = Stop()
    async with AsyncExitStack() as stack:
        bucket = parse_source(setup.source).bucket
        s3 = await stack.enter_async_context(S3Control(s3_settings(bucket, setup.settings)))
        azure = await stack.enter_async_context(AzureControl(parse_destination(setup.destination)))
        http_s3 = HttpClient(Side.SOURCE, ca_file=os.environ.get("AWS_CA_BUNDLE"))
        http_azure = HttpClient(Side.DESTINATION, ca_file=os.environ.get("SSL_CERT_FILE"))
        stack.push_async_callback(_close, http_s3, http_azure)
        source, blobs = await s3.objects(http_s3), await azure.blobs(http_azure)

        async def renew_azure() -> None:
            blobs.renew()

        memory = Budget(lambda: max_memory // 2)
        pulled = options.transfer is Route.SERVER  # then no memory is needed, only places
        lane = LargeLane(max_memory // 2, 0 if pulled else WINDOW * options.block_size)
        bench = Bench(
            source=source, destination=blobs,
            s3=Requests(Side.SOURCE, _concurrency(concurrency), source.renew, stop, listener),
            azure=Requests(Side.DESTINATION, _concurrency(concurrency), renew_azure, stop, listener),
            memory=memory, lane=lane, large_memory=Part(memory, lane.limit), read_back=Budget(lambda: max_memory // 8),
            bandwidth=Bandwidth(rate_now(bandwidth)), counters=Counters(), options=options,
            listener=listener,
        )
        yield Opened(setup, s3, azure, bench, stop)


async def _close(*clients: HttpClient) -> None:
    with anyio.move_on_after(5, shield=True):
        for client in clients:
            await client.close()


def _concurrency(asked: int | None) -> Concurrency:
    if asked is None:
        return Concurrency(AUTO_START, most=min(AUTO_MOST, _sockets() // 2))
    return Concurrency(asked, least=1, most=asked, gradient=False)


def _sockets() -> int:
    """How many sockets may be open, as far as the process may raise its limit; a tenth is left for other files."""
    wanted = AUTO_MOST * 3
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= soft < wanted:
        soft = wanted if hard < 0 else min(wanted, hard)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return wanted if soft < 0 else max(16, soft * 9 // 10)


def rate_now(bandwidth: Timetable | None) -> Callable[[], int | None] | None:
    """The limit in bytes a second as it is now, None where there is never one."""
    if bandwidth is None:
        return None
    from datetime import datetime

    def now() -> int | None:
        local = datetime.now().astimezone()  # a timetable is in the operator's local time
        return bandwidth.rate_at(local.hour * 60 + local.minute)

    return now


def run_doctor(settings: DoctorSettings) -> Diagnosis:
    """`doctor`: see cli.diagnosing."""
    from blobmove.cli.diagnosing import diagnose

    return in_loop(lambda: diagnose(settings))


def run_plan(settings: PlanSettings, listener: Listener) -> PlanResult:
    """`plan`: see cli.planning."""
    from blobmove.cli.planning import plan

    return in_loop(lambda: plan(settings, listener))


def body_sizes(settings: CopySettings) -> tuple[int, int]:
    """The whole-object limit and the block size in bytes: several bodies must fit, or they go one at a time.

    Into the memory of the one process that moves them: workers of this machine share what there is.
    """
    most = settings.max_memory // 8
    if settings.workers is not None:
        from blobmove.cli.clustering import sharing

        most = settings.max_memory // sharing(settings.workers) // 8
    return min(settings.whole_object_limit, most), min(settings.block_size, most)


def run_copy(settings: CopySettings, listener: Listener) -> tuple[CopySummary, int]:
    """`copy`: the summary and the exit code. Raises BlobmoveError after Finished when the run had to stop."""
    from blobmove.operations.copy import Copy, require_resume

    async def body() -> tuple[CopySummary, int]:
        with CheckpointReader(settings.checkpoint) as reader, CheckpointWriter(settings.checkpoint, "copy") as writer:
            setup = reader.setup()
            require_resume(reader, settings)
            options = MoveOptions(
                *body_sizes(settings), settings.if_exists,
                settings.access_tier.value if settings.access_tier else None,
                MetadataNames(setup.settings.get("metadata_names", "rename")),
                transfer=settings.transfer, content_from=settings.content_from, whole_pull_limit=MAX_WHOLE_BYTES,
            )
            async with (
                opened(setup, listener, options, concurrency=settings.concurrency,
                       max_memory=settings.max_memory, bandwidth=settings.bandwidth) as doors,
                _crew(settings, setup, options, doors, listener) as crew,
            ):
                copy = Copy(settings, reader, writer, doors.bench, listener, doors.probe, doors.stop, crew)
                summary, code, error = await copy.run()
        if error is not None:
            raise error
        return summary, code

    return in_loop(body)


@asynccontextmanager
async def _crew(
    settings: CopySettings | VerifySettings, setup: Setup, options: MoveOptions, doors: Opened, listener: Listener
) -> AsyncIterator[Crew | None]:
    """The workers where any were asked for; else None: this process does it alone, and never loads what they need."""
    if settings.workers is None and settings.scheduler is None:
        yield None
        return
    from blobmove.cli.clustering import Asked, crew

    async with crew(Asked.by(settings), setup, options, doors, listener) as found:
        yield found


def run_reverse(settings: CopySettings, listener: Listener) -> tuple[ReverseResult, int]:
    """`copy --reverse`: see cli.reversing."""
    from blobmove.cli.reversing import reverse

    return reverse(settings, listener)


def look_ahead(settings: CopySettings, listener: Listener) -> CopySummary:
    """`copy --reverse --dry-run`."""
    from blobmove.cli.reversing import look_ahead

    return look_ahead(settings, listener)


def run_verify(settings: VerifySettings, listener: Listener) -> tuple[VerifyResult, int]:
    """`verify`: the result and the exit code."""
    from blobmove.operations.verify import Verify

    async def body() -> tuple[VerifyResult, int]:
        with CheckpointReader(settings.checkpoint) as reader, CheckpointWriter(settings.checkpoint, "verify") as writer:
            setup = reader.setup()
            options = MoveOptions(32 * MIB, 8 * MIB, IfExists.COMPARE, None, MetadataNames.RENAME)
            async with (
                opened(setup, listener, options, concurrency=None, max_memory=384 * MIB) as doors,
                _crew(settings, setup, options, doors, listener) as crew,
            ):
                prefix = parse_source(setup.source).prefix  # not the last plan's: earlier ones may have been wider
                return await Verify(settings, reader, writer, doors.bench, listener, doors.stop, prefix, crew).run()

    return in_loop(body)


def read_status(settings: StatusSettings) -> StatusResult:
    """`status`: from the checkpoint alone."""
    from blobmove.operations.status import status

    return status(settings.checkpoint, all_failures=settings.failed)


def write_report(settings: ReportSettings) -> int:
    """`report`: the files asked for; the number of records written, 0 where none were."""
    from blobmove.checkpoint.story import story
    from blobmove.operations.status import records

    with CheckpointReader(settings.checkpoint) as reader:
        reader.setup()
        if settings.html is not None:
            from blobmove.views.report_page import write_report_page

            write_report_page(settings.html, story(reader))
        if settings.objects is None:
            return 0
        from blobmove.views.objects import write_objects

        return write_objects(settings.objects, records(reader))


def run_flip(settings: FlipSettings, listener: Listener) -> FlipResult:
    """`flip-service`: see cli.flipping."""
    from blobmove.cli.flipping import flip

    return flip(settings, listener)


def list_born(settings: FlipSettings, file: Path, listener: Listener) -> BornResult:
    """`flip-service --born`."""
    from blobmove.cli.flipping import born

    return born(settings, file, listener)


def list_flip_runs(checkpoint: Path) -> list[FlipRun]:
    """`flip-service --runs`."""
    from blobmove.cli.flipping import runs

    return runs(checkpoint)
