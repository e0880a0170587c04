"""Copies from a URL through the tool's door: what a pull proves, and what it says when it is refused."""

from __future__ import annotations

import pytest

from blobmove.core.blocks import block_id
from blobmove.core.errors import Kind, PullRefused, Side, StoreError
from blobmove.core.headers import BlobProperties
from blobmove.stores.azure.blobs import AzureBlobs, Origin
from blobmove.stores.s3.objects import S3Objects
from blobmove.stores.s3.presign import Credentials
from tests.cloud.content import from_recipe
from tests.cloud.control import Cloud
from tests.cloud.facts import StoredObject
from tests.cloud.specs import Key, ObjectSpec
from tests.contract.worlds import CREDENTIALS, REGION, AzureWorld, fresh_name, refusal

SIZE = 300_000
PROPERTIES = BlobProperties("image/png", metadata=(("owner", "jo"),))
ABSENT_KEY = "not/there"


@pytest.fixture
def bucket(cloud: Cloud) -> str:
    """A bucket whose signatures are checked, with one object."""
    name = fresh_name("pulled")
    cloud.know(Key(access_key=CREDENTIALS.access_key, secret_key=CREDENTIALS.secret_key))
    cloud.bucket(name, region=REGION)
    return name


@pytest.fixture
def stored(cloud: Cloud, bucket: str) -> StoredObject:
    spec = ObjectSpec(key="dir/one=1.png", size=SIZE, headers={"Content-Type": "text/html"}, checksum="CRC64NVME")
    return cloud.put(bucket, spec)[0]


@pytest.fixture
def source(cloud: Cloud, bucket: str) -> S3Objects:
    """The S3 door, used for nothing but its URLs."""
    async def credentials() -> Credentials:
        return CREDENTIALS

    return S3Objects(None, f"{cloud.s3_url}/{bucket}/", REGION, credentials, None)  # type: ignore[arg-type]


async def origin_of(source: S3Objects, key: str, etag: str, *, expires: int = 60, **span: int) -> Origin:
    return Origin(await source.url(key, expires=expires), etag, span.get("length", SIZE), span.get("offset", 0))


async def test_a_whole_is_pulled_only_with_the_right_md5_and_only_our_properties_come_along(
    azure_world: AzureWorld, blobs: AzureBlobs, source: S3Objects, stored: StoredObject, cloud: Cloud
) -> None:
    origin = await origin_of(source, stored.key, stored.etag)
    md5 = bytes.fromhex(stored.etag)
    if azure_world.deviates("no-put-blob-from-url"):
        with pytest.raises(StoreError) as refused:
            await blobs.put_blob_from_url("a", origin, md5=md5, properties=PROPERTIES)
        assert isinstance(refused.value, PullRefused) or refused.value.status == 500
        return
    with pytest.raises(StoreError) as wrong:
        await blobs.put_blob_from_url("a", origin, md5=b"0" * 16, properties=PROPERTIES)
    refusal(wrong, Kind.CORRUPT, "Md5Mismatch", Side.DESTINATION)
    assert await blobs.properties("a") is None

    pulled = await blobs.put_blob_from_url("a", origin, md5=md5, properties=PROPERTIES)

    blob = cloud.blob(azure_world.container, "a")
    assert blob is not None
    assert (pulled.md5, pulled.etag, blob.content_md5, blob.size) == (md5, blob.etag, stored.etag, SIZE)
    assert (blob.headers["Content-Type"], blob.metadata) == ("image/png", {"owner": "jo"})
    with pytest.raises(StoreError) as again:
        await blobs.put_blob_from_url("a", origin, md5=md5, properties=PROPERTIES)
    assert again.value.kind is Kind.EXISTS


async def test_a_block_answers_the_crc_64_of_its_range(
    azure_world: AzureWorld, blobs: AzureBlobs, source: S3Objects, stored: StoredObject
) -> None:
    from awscrt.checksums import crc64nvme

    name = block_id("12345678", 0, 0)
    origin = await origin_of(source, stored.key, stored.etag, offset=1000, length=70_000)
    if azure_world.deviates("no-foreign-source"):
        with pytest.raises(PullRefused) as refused:
            await blobs.put_block_from_url("a", name, origin)
        assert (refused.value.code, refused.value.source_code) == ("CannotVerifyCopySource", "")
        return
    told = await blobs.put_block_from_url("a", name, origin)
    assert told == crc64nvme(from_recipe("mod251", SIZE).read(1000, 70_000)).to_bytes(8, "big")
    assert await blobs.blocks("a", committed=False) == [(name, 70_000)]


@pytest.mark.parametrize(("key", "etag", "expires", "status", "code"), [
    (ABSENT_KEY, "", 60, 404, "NoSuchKey"), ("", "stale", 60, 0, ""), ("", "", -60, 403, "AccessDenied"),
], ids=["not there", "another version", "expired"])  # fmt: skip
async def test_the_source_s_refusal_is_told_and_nothing_is_written(
    key: str, etag: str, expires: int, status: int, code: str,
    azure_world: AzureWorld, blobs: AzureBlobs, source: S3Objects, stored: StoredObject,
) -> None:
    if azure_world.deviates("no-put-blob-from-url"):
        return
    origin = await origin_of(source, key or stored.key, etag or stored.etag, expires=expires)
    with pytest.raises(PullRefused) as refused:
        await blobs.put_blob_from_url("a", origin, md5=b"0" * 16, properties=PROPERTIES)
    assert (refused.value.source_status, refused.value.source_code) == (status, code)
    assert "X-Amz" not in f"{refused.value!r} {origin!r}"
    assert await blobs.properties("a") is None
