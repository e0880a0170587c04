"""From settings and credentials to open doors, and the event loop they live in."""

from __future__ import annotations

import gc
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from blobmove.cli.words import parse_destination, parse_source
from blobmove.core.concurrency import Concurrency
from blobmove.core.errors import Side
from blobmove.core.frozen import frozen
from blobmove.core.lanes import WINDOW, LargeLane
from blobmove.core.settings import Route
from blobmove.engine.bench import Bench, MoveOptions
from blobmove.engine.limits import Bandwidth, Budget, Part
from blobmove.engine.requests import Counters, Requests
from blobmove.engine.stopping import Stop
from blobmove.stores.azure.control import AzureControl, container_missing
from blobmove.stores.http import HttpClient
from blobmove.stores.s3.control import S3Control, S3Settings

if TYPE_CHECKING:
    from blobmove.checkpoint.values import Setup
    from blobmove.core.events import Listener
    from blobmove.core.timetable import Timetable

T = TypeVar("T")

AUTO_START = 16
AUTO_MOST = 512
"""Requests in flight per side where no number was asked for: the most that latency and refusals may allow.

At the 100 ms S3 takes for a small object these are 5,000 a second, what one of its partitions gives (s3.md section
4); each holds two sockets and some 50 KiB.
"""


@frozen
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
