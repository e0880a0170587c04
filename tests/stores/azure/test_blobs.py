"""Writing blobs: nothing that somebody else has put there is written over or deleted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from hashlib import md5

import pytest

from blobmove.core.errors import Kind, Side, StoreError
from blobmove.core.headers import BlobProperties
from blobmove.stores.azure.account import SasAuthorizer
from blobmove.stores.azure.blobs import ABSENT, AzureBlobs, Condition
from blobmove.stores.http import HttpClient
from tests.cloud.control import SAS, Cloud

PLAIN = BlobProperties()
OURS, THEIRS = b"ours", b"theirs"


@pytest.fixture
async def blobs(cloud: Cloud) -> AsyncIterator[AzureBlobs]:
    cloud.container("dst")
    http = HttpClient(Side.DESTINATION)
    yield AzureBlobs(http, cloud.azure_url, "dst", SasAuthorizer(SAS))
    await http.close()


async def _put(blobs: AzureBlobs, body: bytes, condition: Condition = ABSENT) -> str:
    return await blobs.put_blob("one", body, md5=md5(body).digest(), properties=PLAIN, condition=condition)


async def _commit(blobs: AzureBlobs, condition: Condition) -> str:
    return await blobs.put_block_list("one", (), md5=md5(b"").digest(), properties=PLAIN, condition=condition)


async def test_a_blob_that_has_become_another_is_neither_written_over_nor_deleted(
    blobs: AzureBlobs, cloud: Cloud
) -> None:
    ours = await _put(blobs, OURS)
    await _put(blobs, THEIRS, Condition(ours))
    for write in (
        _put(blobs, OURS), _put(blobs, OURS, Condition(ours)), _commit(blobs, ABSENT), _commit(blobs, Condition(ours)),
        blobs.put_placeholder("one"), blobs.delete("one", ours),
    ):  # fmt: skip
        with pytest.raises(StoreError) as caught:
            await write
        assert caught.value.kind is Kind.EXISTS
    (blob,) = cloud.blobs("dst").values()
    assert (blob.md5, blob.writes) == (md5(THEIRS).hexdigest(), 2)


async def test_what_is_still_ours_may_be_written_over_and_deleted(blobs: AzureBlobs, cloud: Cloud) -> None:
    first = await _put(blobs, OURS)
    second = await _commit(blobs, Condition(first))
    await blobs.delete("one", second)
    assert cloud.blobs("dst") == {}
