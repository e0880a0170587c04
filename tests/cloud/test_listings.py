"""Long listings: pages end and go on where they should, on both sides."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from blobmove.stores.azure.blobs import AzureBlobs
from blobmove.stores.azure.blocklist import read_page
from blobmove.stores.s3.control import S3Control, S3Settings
from tests.cloud.control import Cloud
from tests.cloud.specs import BlobSpec, ObjectSpec, SeriesSpec


@pytest.fixture
async def control(cloud_environment: Cloud) -> AsyncIterator[S3Control]:
    settings = S3Settings("src", region="eu-central-1", endpoint=cloud_environment.s3_url)
    cloud_environment.bucket("src", versioned=True)
    async with S3Control(settings) as opened:
        yield opened


async def test_objects_are_listed_page_by_page(
    cloud: Cloud, control: S3Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dateutil.parser.parse", None)  # which would take half of the time
    made = cloud.put_series("src", SeriesSpec(pattern="a/{n:05d} + ü", count=2300, smallest=0, largest=50, seed=3))
    cloud.put("src", ObjectSpec(key="b", size=1))

    pages = [page async for page in control.list_versions("a/")]

    assert [len(page) for page in pages] == [1000, 1000, 300]
    keys = [one.key for page in pages for one in page]
    assert keys == [f"a/{number:05d} + ü" for number in range(2300)]
    assert sum(one.size or 0 for page in pages for one in page) == made.bytes
    assert cloud.counts().s3.requests == {"ListObjectsV2": 3}


async def test_versions_are_listed_page_by_page(cloud: Cloud, control: S3Control) -> None:
    for _ in range(2):
        cloud.put_series("src", SeriesSpec(pattern="k{n:04d}", count=700, smallest=5, largest=5))
    cloud.remove("src", "k0000")

    found = [one async for page in control.list_all_versions("") for one in page]

    assert len(found) == len({(one.key, one.version_id) for one in found}) == 1401
    assert sum(one.is_latest for one in found) == 700
    assert [one.key for one in found if one.is_delete_marker] == ["k0000"]


async def test_folders_are_listed_once_each(cloud: Cloud, control: S3Control) -> None:
    cloud.put_series("src", SeriesSpec(pattern="r/{n:04d}/x", count=1500, smallest=1, largest=1))
    cloud.put_series("src", SeriesSpec(pattern="r/{n:04d}/y", count=1500, smallest=1, largest=1))

    assert await control.list_folders("r/") == [f"r/{number:04d}/" for number in range(1500)]


async def test_blobs_are_listed_5000_at_a_time(cloud: Cloud, target: AzureBlobs) -> None:
    names = [f"n/{number:05d}" for number in range(5003)]
    cloud.put_blobs("dst", *(BlobSpec(name=name, size=3) for name in names), BlobSpec(name="odd\ufffe&<", size=4))

    first, marker = read_page(await target.list_page("", "n/"))
    rest, end = read_page(await target.list_page(marker, "n/"))
    odd, _ = read_page(await target.list_page("", "odd"))

    assert (len(first), len(rest), end) == (5000, 3, "")
    assert [one.name for one in (*first, *rest)] == names
    assert [(one.name, one.size) for one in odd] == [("odd\ufffe&<", 4)]
    assert all(one.md5 is not None for one in first)
