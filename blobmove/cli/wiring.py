"""Where everything is wired together: settings and credentials become open doors, doors go into an operation."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import anyio

from blobmove.checkpoint.journal import FlipRun
from blobmove.checkpoint.reader import CheckpointReader
from blobmove.checkpoint.values import Setup
from blobmove.checkpoint.writer import CheckpointWriter
from blobmove.cli.words import parse_destination, parse_source
from blobmove.core.errors import Side
from blobmove.core.events import Listener
from blobmove.core.headers import MetadataNames
from blobmove.core.pacing import Aimd
from blobmove.core.results import CopySummary, FlipResult, PlanResult, StatusResult, VerifyResult
from blobmove.core.settings import (
    CopySettings,
    FlipSettings,
    IfExists,
    PlanSettings,
    ReportSettings,
    StatusSettings,
    VerifySettings,
)
from blobmove.core.timetable import Timetable
from blobmove.core.units import MIB
from blobmove.engine.bench import Bench, MoveOptions
from blobmove.engine.limits import Bandwidth, Budget
from blobmove.engine.requests import Counters, Requests
from blobmove.engine.stopping import Stop
from blobmove.stores.azure.control import AzureControl, container_missing
from blobmove.stores.http import HttpClient
from blobmove.stores.s3.control import S3Control, S3Settings

T = TypeVar("T")

AUTO_START = 16
AUTO_MOST = 256


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
    """Run on the fast event loop where there is one. Errors of task groups come as groups; the porch unwraps them."""
    return anyio.run(body, backend_options={"use_uvloop": os.name == "posix"})


def endpoint() -> str | None:
    """An S3-compatible endpoint, as the AWS tools find it."""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None


def s3_settings(bucket: str, remembered: dict[str, Any]) -> S3Settings:
    """How to reach a bucket. Where the plan has found it counts more than where the shell happens to be set to."""
    told = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    found = remembered.get("region")
    return S3Settings(
        bucket=bucket,
        region=(told or found) if endpoint() else (found or told),
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

    Collecting a body takes about twice its size for a moment, so the budgets for bodies are half of `max_memory`.
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

        bench = Bench(
            source=source, destination=blobs,
            s3=Requests(Side.SOURCE, _aimd(concurrency), source.renew, stop, listener),
            azure=Requests(Side.DESTINATION, _aimd(concurrency), renew_azure, stop, listener),
            memory=Budget(lambda: max_memory * 3 // 8), read_back=Budget(lambda: max_memory // 8),
            bandwidth=Bandwidth(_rate_now(bandwidth)), counters=Counters(), options=options,
        )
        yield Opened(setup, s3, azure, bench, stop)


async def _close(*clients: HttpClient) -> None:
    with anyio.move_on_after(5, shield=True):
        for client in clients:
            await client.close()


def _aimd(concurrency: int | None) -> Aimd:
    if concurrency is None:
        return Aimd(float(AUTO_START), least=4, most=AUTO_MOST)
    return Aimd(float(concurrency), least=1, most=concurrency)


def _rate_now(bandwidth: Timetable | None) -> Callable[[], int | None]:
    if bandwidth is None:
        return lambda: None
    from datetime import datetime

    def now() -> int | None:
        local = datetime.now().astimezone()  # a timetable is in the operator's local time
        return bandwidth.rate_at(local.hour * 60 + local.minute)

    return now


def run_plan(settings: PlanSettings, listener: Listener) -> PlanResult:
    """`plan`: see cli.planning."""
    from blobmove.cli.planning import plan

    return in_loop(lambda: plan(settings, listener))


def run_copy(settings: CopySettings, listener: Listener) -> tuple[CopySummary, int]:
    """`copy`: the summary and the exit code. Raises BlobmoveError after Finished when the run had to stop."""
    from blobmove.operations.copy import Copy, require_resume

    async def body() -> tuple[CopySummary, int]:
        with CheckpointReader(settings.checkpoint) as reader, CheckpointWriter(settings.checkpoint, "copy") as writer:
            setup = reader.setup()
            require_resume(reader, settings)
            most = settings.max_memory // 8  # several bodies must fit, or they are moved one at a time
            options = MoveOptions(
                min(settings.whole_object_limit, most), min(settings.block_size, most), settings.if_exists,
                settings.access_tier.value if settings.access_tier else None,
                MetadataNames(setup.settings.get("metadata_names", "rename")),
            )
            async with opened(setup, listener, options, concurrency=settings.concurrency,
                              max_memory=settings.max_memory, bandwidth=settings.bandwidth) as doors:
                copy = Copy(settings, reader, writer, doors.bench, listener, doors.probe, doors.stop)
                summary, code, error = await copy.run()
        if error is not None:
            raise error
        return summary, code

    return in_loop(body)


def run_verify(settings: VerifySettings, listener: Listener) -> tuple[VerifyResult, int]:
    """`verify`: the result and the exit code."""
    from blobmove.operations.verify import Verify

    async def body() -> tuple[VerifyResult, int]:
        with CheckpointReader(settings.checkpoint) as reader, CheckpointWriter(settings.checkpoint, "verify") as writer:
            setup = reader.setup()
            options = MoveOptions(32 * MIB, 8 * MIB, IfExists.COMPARE, None, MetadataNames.RENAME)
            async with opened(setup, listener, options, concurrency=None, max_memory=512 * MIB) as doors:
                prefix = parse_source(setup.source).prefix  # not the last plan's: earlier ones may have been wider
                return await Verify(settings, reader, writer, doors.bench, listener, doors.stop, prefix).run()

    return in_loop(body)


def read_status(settings: StatusSettings) -> StatusResult:
    """`status`: from the checkpoint alone."""
    from blobmove.operations.status import status

    return status(settings.checkpoint, all_failures=settings.failed)


def write_report(settings: ReportSettings) -> int:
    """`report`: the number of records written."""
    from blobmove.operations.status import records
    from blobmove.views.objects import write_objects

    with CheckpointReader(settings.checkpoint) as reader:
        reader.setup()
        return write_objects(settings.objects, records(reader))




def run_flip(settings: FlipSettings, listener: Listener) -> FlipResult:
    """`flip-service`: see cli.flipping."""
    from blobmove.cli.flipping import flip

    return flip(settings, listener)


def list_flip_runs(checkpoint: Path) -> list[FlipRun]:
    """`flip-service --runs`."""
    from blobmove.cli.flipping import runs

    return runs(checkpoint)
