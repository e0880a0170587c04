"""Writing and reading whole blobs: what the Azure door relies on, on the simulated cloud and on Azurite."""

from __future__ import annotations

from hashlib import md5
from urllib.parse import quote

import pytest

from blobmove.core.digests import azure_crc64, to_base64
from blobmove.core.errors import Kind, Side, StoreError
from blobmove.core.headers import BlobProperties
from blobmove.stores.azure.blobs import ABSENT, AzureBlobs, Condition
from blobmove.stores.azure.blocklist import read_page
from blobmove.stores.azure.control import AzureControl
from tests.cloud.content import Mod251, digest
from tests.contract.azure_requests import RawAzure
from tests.contract.worlds import AzureWorld, refusal

BODY = Mod251(5000).read(0, 5000)
MD5 = md5(BODY).digest()
PLAIN = BlobProperties(content_type="text/plain")


async def test_a_container_is_made_once(azure_world: AzureWorld, azure_control: AzureControl) -> None:
    assert not await azure_control.container_exists()
    assert await azure_control.create_container()
    assert not await azure_control.create_container()
    assert await azure_control.container_exists()


async def test_a_blob_keeps_bytes_md5_headers_and_metadata(
    azure_world: AzureWorld, blobs: AzureBlobs, azure: RawAzure
) -> None:
    properties = BlobProperties("image/png", "gzip", "de", 'inline; filename="a.png"', "max-age=60", (("owner", "jo"),))

    etag = await blobs.put_blob("a/b+c ü%.png", BODY, md5=MD5, properties=properties)

    facts = await blobs.properties("a/b+c ü%.png")
    assert facts is not None
    assert (facts.size, facts.md5, facts.etag, facts.content_type) == (5000, MD5, etag, "image/png")
    assert bytes(await blobs.read("a/b+c ü%.png", 0, 5000, etag=etag)) == BODY
    assert bytes(await blobs.read("a/b+c ü%.png", 1000, 30)) == BODY[1000:1030]
    told = (await azure.send("HEAD", "a/b%2Bc%20%C3%BC%25.png")).headers
    assert told["content-disposition"] == 'inline; filename="a.png"'
    assert (told["content-encoding"], told["content-language"], told["cache-control"]) == ("gzip", "de", "max-age=60")
    assert told["x-ms-meta-owner"] == "jo"


async def test_an_empty_blob_has_the_md5_of_nothing(azure_world: AzureWorld, blobs: AzureBlobs) -> None:
    await blobs.put_blob("empty", b"", md5=md5(b"").digest(), properties=PLAIN)

    facts = await blobs.properties("empty")
    assert facts is not None
    assert (facts.size, facts.md5) == (0, md5(b"").digest())


async def test_what_arrives_wrong_is_refused_and_not_stored(azure_world: AzureWorld, blobs: AzureBlobs) -> None:
    with pytest.raises(StoreError) as caught:
        await blobs.put_blob("wrong", BODY, md5=md5(b"else").digest(), properties=PLAIN)

    refusal(caught, Kind.CORRUPT, "Md5Mismatch", Side.DESTINATION)
    assert await blobs.properties("wrong") is None


@pytest.mark.parametrize(("headers", "status", "code"), [
    ([("content-md5", "bm90IGFuIG1kNQ==")], 400, "InvalidMd5"),
    ([("content-md5", to_base64(MD5)), ("x-ms-content-crc64", azure_crc64(1))], 400, "BothCrc64AndMd5HeaderPresent"),
    ([("x-ms-content-crc64", azure_crc64(1))], 400, "Crc64Mismatch"),
    ([("x-ms-blob-content-md5", to_base64(b"0" * 16)), ("content-md5", to_base64(MD5))], 400, "Md5Mismatch"),
    ([("x-ms-blob-content-md5", to_base64(MD5)), ("content-md5", to_base64(b"0" * 16))], 201, None),
    ([("x-ms-content-crc64", azure_crc64(int.from_bytes(digest(Mod251(5000), "CRC64NVME"), "big")))], 201, None),
    ([], 201, None),
])
async def test_every_checksum_header_is_held_against_the_body(
    azure_world: AzureWorld, blobs: AzureBlobs, azure: RawAzure, headers: list[tuple[str, str]], status: int,
    code: str | None,
) -> None:
    answer = await azure.send("PUT", "one", headers=[("x-ms-blob-type", "BlockBlob"), *headers],
                        body=BODY)

    assert (answer.status, answer.headers.get("x-ms-error-code")) == (status, code)
    facts = await blobs.properties("one")
    assert (facts.md5 if facts else None) == (MD5 if status == 201 else None)


async def test_nothing_is_overwritten_without_its_etag(azure_world: AzureWorld, blobs: AzureBlobs) -> None:
    first = await blobs.put_blob("one", BODY, md5=MD5, properties=PLAIN)

    with pytest.raises(StoreError) as caught:
        await blobs.put_blob("one", BODY, md5=MD5, properties=PLAIN, condition=ABSENT)
    refusal(caught, Kind.EXISTS, "BlobAlreadyExists", Side.DESTINATION)
    with pytest.raises(StoreError) as caught:
        await blobs.put_blob("one", BODY, md5=MD5, properties=PLAIN, condition=Condition("0x8D0000000000000"))
    refusal(caught, Kind.EXISTS, "ConditionNotMet", Side.DESTINATION)
    second = await blobs.put_blob("one", b"new", md5=md5(b"new").digest(), properties=PLAIN, condition=Condition(first))
    assert second != first
    with pytest.raises(StoreError) as caught:
        await blobs.read("one", 0, 3, etag=first)
    refusal(caught, Kind.EXISTS, "ConditionNotMet", Side.DESTINATION)


async def test_what_is_missing_is_told_from_a_missing_container(
    azure_world: AzureWorld, blobs: AzureBlobs, azure_control: AzureControl, azure: RawAzure
) -> None:
    assert await blobs.properties("nothing") is None
    assert await blobs.blocks("nothing", committed=True) == []
    await azure_control.create_container()
    answer = await azure.send("DELETE", "nothing")
    assert (answer.status, answer.headers["x-ms-error-code"]) == (404, "BlobNotFound")
    elsewhere = AzureWorld(azure_world.name, azure_world.url, "no-such-container")
    block_blob = [("x-ms-blob-type", "BlockBlob")]
    answer = await RawAzure(azure.http, elsewhere).send("PUT", "one", headers=block_blob, body=BODY)
    assert (answer.status, answer.headers["x-ms-error-code"]) == (404, "ContainerNotFound")


async def test_a_range_beyond_the_end_is_refused(azure_world: AzureWorld, blobs: AzureBlobs) -> None:
    await blobs.put_blob("one", BODY, md5=MD5, properties=PLAIN)

    with pytest.raises(StoreError) as caught:
        await blobs.read("one", 5001, 1)
    refusal(caught, Kind.REJECTED, "InvalidRange", Side.DESTINATION)
    with pytest.raises(StoreError) as caught:
        await blobs.read("one", 5000, 1)
    if azure_world.deviates("range-at-the-end"):
        refusal(caught, Kind.CORRUPT, "RangeNotHonoured", Side.DESTINATION)
    else:
        refusal(caught, Kind.REJECTED, "InvalidRange", Side.DESTINATION)


async def test_an_archived_blob_is_neither_read_nor_replaced(azure_world: AzureWorld, blobs: AzureBlobs) -> None:
    etag = await blobs.put_blob("cold", BODY, md5=MD5, properties=PLAIN, tier="Archive")

    for attempt in (
        blobs.read("cold", 0, 10),
        blobs.put_blob("cold", BODY, md5=MD5, properties=PLAIN, condition=Condition(etag)),
    ):
        with pytest.raises(StoreError) as caught:
            await attempt
        refusal(caught, Kind.REJECTED, "BlobArchived", Side.DESTINATION)


async def test_a_leased_blob_takes_no_write(
    azure_world: AzureWorld, blobs: AzureBlobs, azure: RawAzure
) -> None:
    etag = await blobs.put_blob("leased", BODY, md5=MD5, properties=PLAIN)
    lease = [("x-ms-lease-action", "acquire"), ("x-ms-lease-duration", "-1")]
    assert (await azure.send("PUT", "leased", "comp=lease", headers=lease)).status == 201

    for attempt in (
        blobs.put_blob("leased", BODY, md5=MD5, properties=PLAIN, condition=Condition(etag)),
        blobs.put_block("leased", "id-0001", BODY, crc64=int.from_bytes(digest(Mod251(5000), "CRC64NVME"), "big")),
    ):
        with pytest.raises(StoreError) as caught:
            await attempt
        refusal(caught, Kind.REJECTED, "LeaseIdMissing", Side.DESTINATION)


async def test_a_listing_has_names_sizes_and_md5s_page_by_page(
    azure_world: AzureWorld, blobs: AzureBlobs, azure: RawAzure
) -> None:
    names = ("a/1", "a/2 + ü&<>.txt", "a/3", "b/1")
    for name in names:
        await blobs.put_blob(name, BODY, md5=MD5, properties=PLAIN)

    found, marker = read_page(await blobs.list_page("", "a/"))
    query = "restype=container&comp=list&maxresults=2"
    first, following = read_page(bytes((await azure.send("GET", None, query)).body))
    query += f"&marker={quote(following, safe='')}"
    rest, last = read_page(bytes((await azure.send("GET", None, query)).body))

    assert [(one.name, one.size, one.md5, one.content_type) for one in found] == [
        (name, 5000, MD5, "text/plain") for name in names[:3]]
    assert marker == last == ""
    assert [one.name for one in (*first, *rest)] == list(names)
