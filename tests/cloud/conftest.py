"""The tool's two data paths on the simulated cloud, without any SDK in between."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from blobmove.core.errors import Side
from blobmove.stores.azure.account import SasAuthorizer
from blobmove.stores.azure.blobs import AzureBlobs
from blobmove.stores.http import HttpClient
from blobmove.stores.s3.objects import S3Objects
from blobmove.stores.s3.presign import Credentials
from tests.cloud.control import SAS, Cloud


async def _credentials() -> Credentials:
    return Credentials("AKIACLOUD", "cloud-secret")


async def _no_fallback(key: str, version_id: str | None, etag: str | None) -> dict[str, str]:
    raise AssertionError("the SDK is not asked here")


@pytest.fixture
async def source(cloud: Cloud) -> AsyncIterator[S3Objects]:
    """The bucket `src`, empty."""
    cloud.bucket("src")
    http = HttpClient(Side.SOURCE)
    yield S3Objects(http, f"{cloud.s3_url}/src/", "eu-central-1", _credentials, _no_fallback)
    await http.close()


@pytest.fixture
async def target(cloud: Cloud) -> AsyncIterator[AzureBlobs]:
    """The container `dst`, empty."""
    cloud.container("dst")
    http = HttpClient(Side.DESTINATION)
    yield AzureBlobs(http, cloud.azure_url, "dst", SasAuthorizer(SAS))
    await http.close()
