"""Latency, bandwidth and the hidden limit of requests, as the tool's client feels them."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from hashlib import md5

import anyio
import pytest

from blobmove.core.errors import Kind, StoreError
from blobmove.core.headers import BlobProperties
from blobmove.stores.azure.blobs import AzureBlobs
from blobmove.stores.s3.objects import S3Objects
from tests.cloud.control import Cloud
from tests.cloud.skies import Sky
from tests.cloud.specs import ObjectSpec, Weather


async def test_latency_is_felt_by_each_request_and_shared_by_none(cloud: Cloud, source: S3Objects) -> None:
    cloud.put("src", ObjectSpec(key="one", size=100))
    cloud.weather("s3", Weather(latency_ms=250))

    began = time.monotonic()
    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(lambda: source.get("one", etag=None))
    took = time.monotonic() - began

    assert 0.25 <= took < 20 * 0.25
    assert cloud.counts().s3.most_in_flight > 1


async def test_bandwidth_is_shared_by_all(cloud: Cloud, source: S3Objects) -> None:
    cloud.put("src", ObjectSpec(key="one", size=100_000))
    cloud.weather("s3", Weather(bandwidth=5_000_000))

    began = time.monotonic()
    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(lambda: source.get("one", etag=None))

    assert time.monotonic() - began >= 10 * 100_000 / 5_000_000


async def _often(request: Callable[[], Awaitable[object]]) -> None:
    for _ in range(20):
        await request()


async def test_too_many_requests_are_told_to_slow_down(cloud: Cloud, source: S3Objects, target: AzureBlobs) -> None:
    cloud.put("src", ObjectSpec(key="one", size=100))
    cloud.weather("s3", Weather(limit=2, retry_after=1))
    cloud.weather("azure", Weather(limit=2))

    with pytest.raises(StoreError) as caught:
        await _often(lambda: source.get("one", etag=None))
    assert (caught.value.kind, caught.value.code, caught.value.retry_after) == (Kind.THROTTLED, "SlowDown", 1.0)
    with pytest.raises(StoreError) as caught:
        await _often(lambda: target.properties("one"))
    assert (caught.value.kind, caught.value.retry_after) == (Kind.THROTTLED, None)
    assert cloud.counts().s3.throttled == 1


def test_a_limit_lets_through_what_it_says() -> None:
    sky = Sky(Weather(limit=100))

    passed = sum(not sky.over_limit(10 + tick / 1000) for tick in range(5000))

    assert passed == pytest.approx(5 * 100 + 10, abs=2)


async def test_a_request_that_has_arrived_is_done_though_nobody_waits(cloud: Cloud, target: AzureBlobs) -> None:
    cloud.weather("azure", Weather(latency_ms=60))
    async with anyio.create_task_group() as group:
        group.start_soon(_put, target)
        await _until(lambda: bool(cloud.counts().azure.requests))
        group.cancel_scope.cancel()

    await _until(lambda: cloud.blob("dst", "one") is not None)


async def test_what_is_under_way_does_not_outlive_a_reset(cloud: Cloud, target: AzureBlobs) -> None:
    """What is sent later and takes as long is there, so the other one would be, too."""
    cloud.weather("azure", Weather(latency_ms=600))
    async with anyio.create_task_group() as group:
        group.start_soon(_put_in_vain, target)
        await _until(lambda: bool(cloud.counts().azure.requests))
        cloud.reset()
        cloud.container("dst")
    cloud.weather("azure", Weather(latency_ms=600))
    await _put(target, "later")

    assert list(cloud.blobs("dst")) == ["later"]


async def test_what_is_under_way_at_a_reset_is_not_counted_with_what_comes_after(
    cloud: Cloud, source: S3Objects, target: AzureBlobs
) -> None:
    cloud.weather("azure", Weather(latency_ms=20_000))
    async with anyio.create_task_group() as group:
        group.start_soon(_put_in_vain, target)
        await _until(lambda: bool(cloud.counts().azure.requests))
        cloud.reset()
        cloud.weather("azure", Weather(latency_ms=1))
        cloud.container("dst")
        await _put(target)
        assert cloud.counts().azure.most_in_flight == 1


async def _put(target: AzureBlobs, name: str = "one") -> None:
    await target.put_blob(name, b"x", md5=md5(b"x").digest(), properties=BlobProperties())


async def _put_in_vain(target: AzureBlobs) -> None:
    with pytest.raises(StoreError):
        await _put(target)


async def _until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(30):
        while not condition():  # noqa: ASYNC110 - it happens in another process
            await anyio.sleep(0.002)
