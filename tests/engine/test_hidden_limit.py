"""Against the simulated cloud, over real sockets: a side that takes R requests a second gets R, and refuses few."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from hashlib import md5

import anyio
import pytest

from blobmove.core.concurrency import Concurrency
from blobmove.core.errors import Side, StoreError
from blobmove.core.headers import BlobProperties
from blobmove.engine.requests import Attempts, Requests
from blobmove.engine.stopping import Stop
from blobmove.stores.azure.account import SasAuthorizer
from blobmove.stores.azure.blobs import AzureBlobs
from blobmove.stores.http import HttpClient
from blobmove.stores.s3.objects import S3Objects
from blobmove.stores.s3.presign import Credentials
from tests.cloud.control import SAS, Cloud
from tests.cloud.facts import SideCounts
from tests.cloud.specs import ObjectSpec, SideName, Weather

CLIENTS = 256
WINDOWS = 8
Request = Callable[[], Awaitable[object]]
Seen = tuple[float, float]


class Users:
    """CLIENTS that ask one side again and again through one `Requests`, and what the cloud counted meanwhile."""

    def __init__(self, cloud: Cloud, side: SideName, request: Request) -> None:
        self.cloud, self.side, self.request = cloud, side, request
        self.stop = Stop()
        kind = Side.SOURCE if side == "s3" else Side.DESTINATION
        self.requests = Requests(kind, Concurrency(16), anyio.lowlevel.checkpoint, self.stop)

    async def one(self) -> None:
        while not self.stop.is_set():
            try:
                await self.requests.run(self.request, Attempts())
            except StoreError:
                assert self.stop.is_set()

    async def watch(
        self, *moments: tuple[float, Callable[[], None] | None], enough: Callable[[Seen], bool] = lambda found: False
    ) -> list[Seen]:
        """Work through the moments (seconds to let pass, then something to do); for each requests/s accepted by the
        cloud and the share it refused. Ends after the first, settling one as soon as one is `enough`."""
        found: list[Seen] = []
        async with anyio.create_task_group() as tasks:
            for _ in range(CLIENTS):
                tasks.start_soon(self.one)
            for seconds, then in moments:
                before = self._counts()
                started = anyio.current_time()
                await anyio.sleep(seconds)
                took, after = anyio.current_time() - started, self._counts()
                sent, refused = after.total - before.total, after.throttled - before.throttled
                found.append(((sent - refused) / took, refused / max(1, sent)))
                if then is not None:
                    then()
                if len(found) > 1 and enough(found[-1]):
                    break
            self.stop.ask("seen enough")
        return found

    def _counts(self) -> SideCounts:
        counts = self.cloud.counts()
        return counts.s3 if self.side == "s3" else counts.azure


async def _credentials() -> Credentials:
    return Credentials("AKIACLOUD", "cloud-secret")


async def _no_fallback(key: str, version_id: str | None, etag: str | None) -> dict[str, str]:
    raise AssertionError("the SDK is not asked here")


async def _gets(cloud: Cloud, http: HttpClient) -> Users:
    cloud.bucket("src")
    cloud.put("src", ObjectSpec(key="one", size=100))
    source = S3Objects(http, f"{cloud.s3_url}/src/", "eu-central-1", _credentials, _no_fallback)
    return Users(cloud, "s3", lambda: source.get("one", etag=None))


def _puts(cloud: Cloud, http: HttpClient) -> Users:
    cloud.container("dst")
    blobs = AzureBlobs(http, cloud.azure_url, "dst", SasAuthorizer(SAS))
    numbers = iter(range(10**9))
    digest = md5(b"x").digest()
    return Users(cloud, "azure", lambda: blobs.put_blob(f"{next(numbers)}", b"x", md5=digest,
                                                        properties=BlobProperties()))


def _as_wanted(found: Seen, limit: float) -> bool:
    return 0.9 * limit <= found[0] <= 1.05 * limit and found[1] < 0.02


async def test_the_limit_of_s3_is_found_and_kept(cloud: Cloud) -> None:
    """A machine that stands still for a second spoils the rate of one window; a wrong pace spoils them all."""
    http = HttpClient(Side.SOURCE)
    users = await _gets(cloud, http)
    cloud.weather("s3", Weather(limit=400, latency_ms=2))
    _, *seen = await users.watch((4, None), *[(3, None)] * WINDOWS, enough=lambda found: _as_wanted(found, 400))
    await http.close()
    assert _as_wanted(seen[-1], 400), seen


@pytest.mark.heavy
@pytest.mark.parametrize("latency_ms", [0, 20, 60])
@pytest.mark.parametrize("factor", [0.5, 2.0])
async def test_the_limit_of_azure_is_followed_when_it_moves(cloud: Cloud, latency_ms: float, factor: float) -> None:
    http = HttpClient(Side.DESTINATION)
    users = _puts(cloud, http)
    limit, other = 300, 300 * factor

    def set_to(rate: float) -> Callable[[], None]:
        return lambda: cloud.weather("azure", Weather(limit=rate, latency_ms=latency_ms))

    set_to(limit)()
    _, settled, _, moved, _, back = await users.watch(
        (10, None), (10, set_to(other)), (10, None), (10, set_to(limit)), (10, None), (10, None)
    )
    await http.close()
    assert _as_wanted(settled, limit), settled
    assert _as_wanted(moved, other), moved
    assert _as_wanted(back, limit), back
