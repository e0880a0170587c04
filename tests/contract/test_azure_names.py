"""Names, metadata and copies from URLs, where Azurite is kinder, or poorer, than the service."""

from __future__ import annotations

from hashlib import md5
from urllib.parse import quote

import pytest

from blobmove.core.digests import to_base64
from blobmove.core.errors import Kind, Side, StoreError
from blobmove.core.headers import BlobProperties
from blobmove.stores.azure.blobs import AzureBlobs
from blobmove.stores.azure.blocklist import read_page
from tests.cloud.control import Cloud
from tests.cloud.specs import ObjectSpec
from tests.contract.azure_requests import RawAzure
from tests.contract.worlds import AzureWorld, refusal

PLAIN = BlobProperties(content_type="text/plain")
BLOCK_BLOB = ("x-ms-blob-type", "BlockBlob")


async def _put(blobs: AzureBlobs, name: str, metadata: tuple[tuple[str, str], ...] = ()) -> None:
    properties = BlobProperties(content_type="text/plain", metadata=metadata)
    await blobs.put_blob(name, b"x", md5=md5(b"x").digest(), properties=properties)


async def _names(blobs: AzureBlobs) -> set[str]:
    return {one.name for one in read_page(await blobs.list_page(""))[0]}


async def test_names_the_service_can_hold_come_back_as_they_are(azure_world: AzureWorld, blobs: AzureBlobs) -> None:
    names = {
        "a//b", "/lead", "dir/", "sp ace", " lead and trail ", "a+b", "ü/€", "%41", "a%2Fb", "q?x=1&y", "h#f",
        "it's(1)!*", "a:b@c", "a,b;c=d", "emoji😀", "._x", ".hidden", "a..b", "u\u0308", "\u00fc", "$web/index.html",
    }
    for name in names:
        await _put(blobs, name)

    assert await _names(blobs) == names


async def test_a_backslash_becomes_a_slash(azure_world: AzureWorld, blobs: AzureBlobs) -> None:
    await _put(blobs, "back\\slash")

    assert await _names(blobs) == {"back/slash"}


async def test_dots_at_the_end_are_cut_off(azure_world: AzureWorld, blobs: AzureBlobs) -> None:
    await _put(blobs, "name..")

    assert await _names(blobs) == ({"name.."} if azure_world.deviates("trailing-dots-kept") else {"name"})


async def test_control_characters_are_refused(
    azure_world: AzureWorld, blobs: AzureBlobs, azure: RawAzure
) -> None:
    answer = await azure.send("PUT", "ctl%01", headers=[BLOCK_BLOB], body=b"x")

    if azure_world.deviates("control-characters-accepted"):
        listing = await azure.send("GET", None, "restype=container&comp=list")
        assert (answer.status, listing.status) == (201, 500)
    else:
        assert answer.status == 400


@pytest.mark.parametrize("name", ["n" * 1025, "/".join("s" * 255)], ids=["1025 characters", "255 segments"])
async def test_names_have_limits(azure_world: AzureWorld, blobs: AzureBlobs, azure: RawAzure, name: str) -> None:
    good = await azure.send("PUT", name[:-1].removesuffix("/"), headers=[BLOCK_BLOB], body=b"x")
    bad = await azure.send("PUT", name, headers=[BLOCK_BLOB], body=b"x")

    assert good.status == 201
    assert bad.status == (201 if azure_world.deviates("long-names-accepted") else 400)


@pytest.mark.parametrize("name", ["with-hyphen", "1digit", "a.b"])
async def test_metadata_names_are_identifiers(azure_world: AzureWorld, blobs: AzureBlobs, name: str) -> None:
    with pytest.raises(StoreError) as caught:
        await _put(blobs, "one", ((name, "x"),))
    refusal(caught, Kind.REJECTED, "InvalidMetadata", Side.DESTINATION)


async def test_a_keyword_is_a_metadata_name_too(azure_world: AzureWorld, blobs: AzureBlobs) -> None:
    await _put(blobs, "one", (("class", "x"), ("_private", "y")))


async def test_metadata_has_a_limit(azure_world: AzureWorld, blobs: AzureBlobs) -> None:
    large = tuple((f"name{number}", "v" * 1000) for number in range(9))
    if azure_world.deviates("metadata-unlimited"):
        await _put(blobs, "one", large)
        return
    with pytest.raises(StoreError) as caught:
        await _put(blobs, "one", large)
    refusal(caught, Kind.REJECTED, "MetadataTooLarge", Side.DESTINATION)


async def test_a_metadata_name_comes_once(
    azure_world: AzureWorld, blobs: AzureBlobs, azure: RawAzure
) -> None:
    headers = [BLOCK_BLOB, ("x-ms-meta-Name", "a"), ("x-ms-meta-name", "b")]

    answer = await azure.send("PUT", "one", headers=headers, body=b"x")

    assert answer.status == (201 if azure_world.deviates("metadata-case-duplicates") else 400)


async def test_a_blob_from_a_url_is_proven_by_the_source_md5(
    azure_world: AzureWorld, blobs: AzureBlobs, azure: RawAzure, cloud: Cloud
) -> None:
    cloud.bucket("source")
    stored = cloud.put("source", ObjectSpec(key="one", size=5000))[0]
    source = f"{cloud.s3_url}/source/one?X-Amz-Signature=1&X-Amz-Date=20990101T000000Z&X-Amz-Expires=1"
    right = to_base64(bytes.fromhex(stored.etag))
    headers = [BLOCK_BLOB, ("x-ms-copy-source", source)]

    wrong = await azure.send("PUT", "one", headers=[
        *headers, ("x-ms-source-content-md5", to_base64(b"0" * 16))])
    good = await azure.send("PUT", "one", headers=[*headers, ("x-ms-source-content-md5", right)])

    if azure_world.deviates("no-put-blob-from-url"):
        assert {wrong.status, good.status} <= {500, 501}
        assert await blobs.properties("one") is None
        return
    assert (wrong.status, wrong.headers["x-ms-error-code"]) == (400, "Md5Mismatch")
    assert (good.status, good.headers["content-md5"]) == (201, right)
    facts = await blobs.properties("one")
    assert facts is not None
    assert facts.md5 == bytes.fromhex(stored.etag)


async def test_a_block_from_a_url_brings_its_range(
    azure_world: AzureWorld, blobs: AzureBlobs, azure: RawAzure, cloud: Cloud
) -> None:
    cloud.bucket("source")
    cloud.put("source", ObjectSpec(key="one", size=5000))
    source = f"{cloud.s3_url}/source/one?X-Amz-Signature=1&X-Amz-Date=20990101T000000Z&X-Amz-Expires=1"
    query = f"comp=block&blockid={quote(to_base64(b'id-0001'), safe='')}"

    answer = await azure.send("PUT", "one", query, headers=[
        ("x-ms-copy-source", source), ("x-ms-source-range", "bytes=1000-1099")])

    if azure_world.deviates("no-foreign-source"):
        assert (answer.status, answer.headers["x-ms-error-code"]) == (404, "CannotVerifyCopySource")
        assert cloud.counts().s3.total == 0
    else:
        assert answer.status == 201
        assert await blobs.blocks("one", committed=False) == [("id-0001", 100)]
