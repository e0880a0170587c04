"""Blocks: staging, committing, and what the service forgets, on the simulated cloud and on Azurite."""

from __future__ import annotations

from hashlib import md5

import pytest

from blobmove.core.digests import azure_crc64, to_base64
from blobmove.core.errors import Kind, Side, StoreError
from blobmove.core.headers import BlobProperties
from blobmove.stores.azure.blobs import AzureBlobs
from blobmove.stores.azure.blocklist import read_page
from tests.cloud.content import Mod251, digest
from tests.contract.azure_requests import RawAzure
from tests.contract.worlds import AzureWorld, refusal

PLAIN = BlobProperties(content_type="text/plain")
CONTENT = Mod251(3000)
IDS = ("id-0003", "id-0001", "id-0002")
ANY_MD5 = md5(b"whatever").digest()


def _block(number: int) -> bytes:
    return CONTENT.read(number * 1000, 1000)


def _crc64(body: bytes) -> int:
    from tests.cloud.content import Raw

    return int.from_bytes(digest(Raw(body), "CRC64NVME"), "big")


async def _stage(blobs: AzureBlobs, name: str, ids: tuple[str, ...] = IDS) -> None:
    for number, block_id in enumerate(ids):
        await blobs.put_block(name, block_id, _block(number), crc64=_crc64(_block(number)))


async def test_blocks_become_a_blob_in_the_order_of_the_list(azure_world: AzureWorld, blobs: AzureBlobs) -> None:
    await _stage(blobs, "big")
    assert await blobs.properties("big") is None
    staged = IDS if azure_world.deviates("staged-blocks-unsorted") else sorted(IDS)
    assert await blobs.blocks("big", committed=False) == [(one, 1000) for one in staged]

    etag = await blobs.put_block_list("big", IDS, md5=digest(CONTENT, "MD5"), properties=PLAIN)

    assert bytes(await blobs.read("big", 0, 3000, etag=etag)) == CONTENT.read(0, 3000)
    assert await blobs.blocks("big", committed=True) == [(one, 1000) for one in IDS]
    assert await blobs.blocks("big", committed=False) == []
    facts = await blobs.properties("big")
    assert facts is not None
    assert (facts.size, facts.md5, facts.content_type) == (3000, digest(CONTENT, "MD5"), "text/plain")


async def test_a_damaged_block_is_refused(azure_world: AzureWorld, blobs: AzureBlobs) -> None:
    with pytest.raises(StoreError) as caught:
        await blobs.put_block("big", "id-0001", _block(0), crc64=_crc64(_block(1)))

    refusal(caught, Kind.CORRUPT, "Crc64Mismatch", Side.DESTINATION)
    assert await blobs.blocks("big", committed=False) == []


async def test_the_crc64_of_a_block_comes_back(
    azure_world: AzureWorld, blobs: AzureBlobs, azure: RawAzure
) -> None:
    block_id = to_base64(b"id-0001").replace("=", "%3D")

    answer = await azure.send("PUT", "big", f"comp=block&blockid={block_id}", body=_block(0))

    assert answer.status == 201
    assert answer.headers["x-ms-content-crc64"] == azure_crc64(_crc64(_block(0)))


async def test_the_md5_of_a_block_list_is_stored_unchecked(azure_world: AzureWorld, blobs: AzureBlobs) -> None:
    await _stage(blobs, "big")

    await blobs.put_block_list("big", IDS, md5=ANY_MD5, properties=PLAIN)

    facts = await blobs.properties("big")
    assert facts is not None
    assert facts.md5 == ANY_MD5


async def test_without_an_md5_a_block_list_leaves_none(
    azure_world: AzureWorld, blobs: AzureBlobs, azure: RawAzure
) -> None:
    await _stage(blobs, "big")
    items = "".join(f"<Uncommitted>{to_base64(one.encode())}</Uncommitted>" for one in IDS)

    answer = await azure.send("PUT", "big", "comp=blocklist",
                        body=f"<BlockList>{items}</BlockList>".encode())

    assert answer.status == 201
    facts = await blobs.properties("big")
    assert facts is not None
    assert facts.md5 is None


async def test_ids_of_one_blob_have_one_length(azure_world: AzureWorld, blobs: AzureBlobs) -> None:
    await _stage(blobs, "big")

    with pytest.raises(StoreError) as caught:
        await blobs.put_block("big", "id-00001", _block(0), crc64=_crc64(_block(0)))
    refusal(caught, Kind.DISTURBED, "InvalidBlobOrBlock", Side.DESTINATION)


async def test_a_block_that_is_not_there_spoils_the_list(azure_world: AzureWorld, blobs: AzureBlobs) -> None:
    await _stage(blobs, "big")

    with pytest.raises(StoreError) as caught:
        await blobs.put_block_list("big", ["id-0001", "id-0009"], md5=ANY_MD5, properties=PLAIN)
    refusal(caught, Kind.DISTURBED, "InvalidBlockList", Side.DESTINATION)


async def test_the_same_list_again_is_refused_by_condition_only(
    azure_world: AzureWorld, blobs: AzureBlobs, azure: RawAzure
) -> None:
    await _stage(blobs, "big")
    await blobs.put_block_list("big", IDS, md5=ANY_MD5, properties=PLAIN)

    with pytest.raises(StoreError) as caught:
        await blobs.put_block_list("big", IDS, md5=ANY_MD5, properties=PLAIN)
    refusal(caught, Kind.EXISTS, "BlobAlreadyExists", Side.DESTINATION)
    items = "".join(f"<Latest>{to_base64(one.encode())}</Latest>" for one in IDS)
    again = await azure.send("PUT", "big", "comp=blocklist",
                       body=f"<BlockList>{items}</BlockList>".encode())
    assert again.status == 201
    assert bytes(await blobs.read("big", 0, 3000)) == CONTENT.read(0, 3000)


async def test_a_commit_forgets_the_blocks_it_does_not_name(azure_world: AzureWorld, blobs: AzureBlobs) -> None:
    await _stage(blobs, "big")

    await blobs.put_block_list("big", IDS[:1], md5=ANY_MD5, properties=PLAIN)

    assert await blobs.blocks("big", committed=False) == []
    assert await blobs.blocks("big", committed=True) == [(IDS[0], 1000)]


async def test_a_whole_blob_forgets_the_staged_blocks(
    azure_world: AzureWorld, blobs: AzureBlobs, azure: RawAzure
) -> None:
    await _stage(blobs, "big")

    answer = await azure.send("PUT", "big", headers=[("x-ms-blob-type", "BlockBlob")], body=b"x")

    assert answer.status == 201
    left = await blobs.blocks("big", committed=False)
    assert len(left) == (3 if azure_world.deviates("staged-blocks-survive") else 0)


async def test_staged_blocks_alone_are_no_blob(azure_world: AzureWorld, blobs: AzureBlobs) -> None:
    await _stage(blobs, "big")
    found, _ = read_page(await blobs.list_page(""))
    assert found == []

    if azure_world.deviates("staged-blocks-block"):
        with pytest.raises(StoreError) as caught:
            await blobs.put_blob("big", b"x", md5=md5(b"x").digest(), properties=PLAIN)
        refusal(caught, Kind.EXISTS, "BlobAlreadyExists", Side.DESTINATION)
    else:
        await blobs.put_blob("big", b"x", md5=md5(b"x").digest(), properties=PLAIN)
    await _stage(blobs, "other")
    await blobs.put_block_list("other", IDS, md5=ANY_MD5, properties=PLAIN)


async def test_deleting_a_blob_ends_it(azure_world: AzureWorld, blobs: AzureBlobs, azure: RawAzure) -> None:
    await _stage(blobs, "big")
    await blobs.put_block_list("big", IDS, md5=ANY_MD5, properties=PLAIN)

    assert (await azure.send("DELETE", "big")).status == 202
    assert await blobs.properties("big") is None


async def test_a_placeholder_drops_what_is_staged_and_goes_only_by_its_own_etag(
    azure_world: AzureWorld, blobs: AzureBlobs
) -> None:
    await _stage(blobs, "big")

    etag = await blobs.put_placeholder("big")

    assert await blobs.blocks("big", committed=False) == []
    facts = await blobs.properties("big")
    assert facts is not None
    assert (facts.size, facts.etag, facts.placeholder) == (0, etag, True)
    with pytest.raises(StoreError) as caught:
        await blobs.delete("big", "0x8DE000000000000")
    refusal(caught, Kind.EXISTS, "ConditionNotMet", Side.DESTINATION)
    await blobs.delete("big", etag)
    assert await blobs.properties("big") is None
    with pytest.raises(StoreError) as caught:
        await blobs.delete("big", etag)
    assert caught.value.kind in (Kind.MISSING, Kind.EXISTS)


async def test_a_placeholder_is_refused_where_there_is_a_blob(azure_world: AzureWorld, blobs: AzureBlobs) -> None:
    await blobs.put_blob("big", b"of the application", md5=md5(b"of the application").digest(), properties=PLAIN)

    with pytest.raises(StoreError) as caught:
        await blobs.put_placeholder("big")
    refusal(caught, Kind.EXISTS, "BlobAlreadyExists", Side.DESTINATION)
    assert bytes(await blobs.read("big", 0, 18)) == b"of the application"
