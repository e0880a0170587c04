"""The cloud as a whole: what it knows of clocks, credentials, copies from URLs, and what it tells of itself."""

from __future__ import annotations

import time
from hashlib import md5
from urllib.parse import quote

import pytest

from blobmove.core.errors import Kind, Side, StoreError
from blobmove.core.headers import BlobProperties
from blobmove.stores.azure.account import API_VERSION
from blobmove.stores.azure.blobs import AzureBlobs, Condition
from blobmove.stores.http import Answer, HttpClient
from blobmove.stores.s3.objects import S3Objects
from blobmove.stores.s3.presign import Credentials, Presigner, encode_key
from tests.cloud.content import Mod251, digest
from tests.cloud.control import SAS, Cloud, CloudError
from tests.cloud.specs import BlobSpec, Key, ObjectSpec, Rule, Settings, in_base64

PLAIN = BlobProperties(content_type="text/plain")
MIB = 1 << 20


def _presigned(cloud: Cloud, key: str, *extra: tuple[str, str]) -> str:
    path = f"/src/{encode_key(key)}"
    signer = Presigner(Credentials("AKIACLOUD", "cloud-secret"), "eu-central-1", cloud.s3_url.partition("://")[2])
    return f"{cloud.s3_url}{path}?{signer.query('GET', path, extra)}"


async def _azure(cloud: Cloud, method: str, target: str, *headers: tuple[str, str], auth: str = SAS) -> Answer:
    http = HttpClient(Side.DESTINATION)
    url = f"{cloud.azure_url}/dst/{target}{'&' if '?' in target else '?'}{auth}".rstrip("?&")
    lines = [f"{name}: {value}" for name, value in (("x-ms-version", API_VERSION), *headers)]
    answer = await http.send(method, url, lines)
    await http.close()
    return answer


def _put_from(url: str) -> tuple[tuple[str, str], ...]:
    return ("x-ms-blob-type", "BlockBlob"), ("x-ms-copy-source", url)


async def test_a_large_object_streams_whole_and_in_ranges(cloud: Cloud, source: S3Objects) -> None:
    cloud.put("src", ObjectSpec(key="big", size=20 * MIB + 3, recipe="seeded:x", etag="0" * 32))
    expected = cloud.object_content("src", "big")

    assert bytes((await source.get("big", etag="0" * 32)).body) == expected
    ranged = await source.get("big", etag=None, byte_range=(5 * MIB - 1, 8 * MIB))
    assert bytes(ranged.body) == expected[5 * MIB - 1 : 13 * MIB - 1]


async def test_the_clock_ends_urls_and_signatures(cloud: Cloud, source: S3Objects, target: AzureBlobs) -> None:
    cloud.put("src", ObjectSpec(key="one", size=10))
    cloud.settings(Settings(clock_offset=80 * 365 * 86400))

    with pytest.raises(StoreError) as caught:
        await source.get("one", etag=None)
    assert (caught.value.kind, caught.value.detail) == (Kind.EXPIRED, "Request has expired")
    with pytest.raises(StoreError) as caught:
        await target.properties("one")
    assert (caught.value.kind, caught.value.code) == (Kind.EXPIRED, "AuthenticationFailed")


async def test_a_session_token_expires(cloud: Cloud, source: S3Objects) -> None:
    cloud.put("src", ObjectSpec(key="one", size=10))
    cloud.know(Key(access_key="AKIACLOUD", secret_key="cloud-secret", expires=time.time() - 1))

    with pytest.raises(StoreError) as caught:
        await source.get("one", etag=None)
    assert (caught.value.kind, caught.value.code) == (Kind.EXPIRED, "ExpiredToken")
    cloud.know(Key(access_key="AKIASOMEBODY", secret_key="else"))
    with pytest.raises(StoreError) as caught:
        await source.get("one", etag=None)
    assert (caught.value.kind, caught.value.code) == (Kind.STOP_ACCESS, "InvalidAccessKeyId")


async def test_the_tools_signatures_are_right_and_other_regions_are_not(cloud: Cloud, source: S3Objects) -> None:
    keys = ("a b+ü%/..x", "q?x=1&y", "~*'()!")
    cloud.put("src", *(ObjectSpec(key=key, size=10, parts=(6, 4)) for key in keys))
    cloud.know(Key(access_key="AKIACLOUD", secret_key="cloud-secret"))

    for key in keys:
        await source.get(key, etag=None, byte_range=(1, 2), checksums=True)
        await source.head(key, etag=None, part=2)
    cloud.bucket("src", region="us-west-2")
    with pytest.raises(StoreError) as caught:
        await source.get(keys[0], etag=None)
    assert caught.value.kind is Kind.STOP_CONFIG


async def test_a_bearer_token_is_good_until_it_ends(cloud: Cloud, target: AzureBlobs) -> None:
    now = cloud.now()
    cloud.settings(Settings(bearer={"fresh": now + 60, "stale": now - 60}))

    told = {
        token: (await _azure(cloud, "GET", "one", ("authorization", f"Bearer {token}"), auth="")).status
        for token in ("fresh", "stale", "unknown")
    }

    assert told == {"fresh": 404, "stale": 401, "unknown": 401}
    assert (await _azure(cloud, "GET", "one", auth="")).headers["x-ms-error-code"] == "NoAuthenticationInformation"


async def test_azure_pulls_a_blob_from_s3(cloud: Cloud, target: AzureBlobs, source: S3Objects) -> None:
    stored = cloud.put("src", ObjectSpec(key="one", size=3 * MIB, headers={"Content-Type": "image/png"}))[0]

    answer = await _azure(cloud, "PUT", "one", *_put_from(_presigned(cloud, "one")))

    blob = cloud.blob("dst", "one")
    assert answer.status == 201
    assert blob is not None
    assert (blob.md5, blob.content_md5, blob.headers["Content-Type"]) == (stored.etag, stored.etag, "image/png")
    assert cloud.counts().s3.requests == {"GetObject": 1}
    assert cloud.compare("src", "dst").identical == 1


async def test_azure_passes_on_why_it_could_not_pull(cloud: Cloud, target: AzureBlobs, source: S3Objects) -> None:
    cloud.put("src", ObjectSpec(key="one", size=100), ObjectSpec(key="dot.", size=100))
    cloud.put("src", ObjectSpec(key="cold", size=100, storage_class="GLACIER"))
    cloud.know(Key(access_key="AKIACLOUD", secret_key="cloud-secret"))

    async def pulled(url: str) -> tuple[int, str, bytes]:
        answer = await _azure(cloud, "PUT", "x", *_put_from(url))
        return answer.status, answer.headers.get("x-ms-error-code", ""), bytes(answer.body)

    for key, status, code in (
        ("none", 404, b"NoSuchKey"), ("cold", 403, b"InvalidObjectState"), ("dot.", 403, b"SignatureDoesNotMatch"),
    ):
        told = await pulled(_presigned(cloud, key))
        assert told[:2] == (status, "CannotVerifyCopySource"), key
        assert code in told[2]
        assert b"<CopySourceStatusCode>%d<" % status in told[2]
    long = _presigned(cloud, "one", ("response-content-type", "x" * 1800))
    assert (await pulled(long))[:2] == (400, "InvalidHeaderValue")
    assert (await pulled("http://example.invalid/x"))[:2] == (404, "CannotVerifyCopySource")
    cloud.rule(Rule(side="s3", do="reset", count=1))
    assert (await pulled(_presigned(cloud, "one")))[:2] == (500, "CannotVerifyCopySource")
    assert (await pulled(_presigned(cloud, "one")))[0] == 201


async def test_a_bit_flipped_between_s3_and_azure_is_caught_by_the_source_checksum(
    cloud: Cloud, target: AzureBlobs, source: S3Objects
) -> None:
    cloud.put("src", ObjectSpec(key="one", size=MIB))
    cloud.rule(Rule(side="s3", do="flip"))
    query = f"one?comp=block&blockid={quote('aWQtMQ==')}"
    headers = ("x-ms-copy-source", _presigned(cloud, "one")), ("x-ms-source-range", "bytes=0-1048575")

    blind = await _azure(cloud, "PUT", query, *headers)
    crc64 = digest(Mod251(MIB), "CRC64NVME")[::-1]

    import base64

    assert blind.headers["x-ms-content-crc64"] != base64.b64encode(crc64).decode()
    told = ("x-ms-source-content-crc64", base64.b64encode(crc64).decode())
    assert (await _azure(cloud, "PUT", query, *headers, told)).headers["x-ms-error-code"] == "Crc64Mismatch"


async def test_leased_blobs_answer_in_either_order(cloud: Cloud, target: AzureBlobs) -> None:
    cloud.put_blobs("dst", BlobSpec(name="one", size=10, lease="11111111-1111-1111-1111-111111111111"))

    async def refused() -> str:
        with pytest.raises(StoreError) as caught:
            await target.put_blob("one", b"x", md5=md5(b"x").digest(), properties=PLAIN)
        return caught.value.code

    assert await refused() == "BlobAlreadyExists"
    cloud.settings(Settings(lease_first=True))
    assert await refused() == "LeaseIdMissing"


async def test_blobs_that_were_there_before_are_told_exactly(cloud: Cloud, target: AzureBlobs) -> None:
    cloud.put_blobs(
        "dst",
        BlobSpec(name="no-md5", size=10, md5="none", tier="Cool", metadata={"a": "b"}),
        BlobSpec(name="staged", committed=False, staged=(("id-1", "mod251", 500), ("id-2", "seeded:a", 600))),
    )
    etag = await target.put_blob("no-md5", b"x", md5=md5(b"x").digest(), properties=PLAIN,
                                 condition=Condition(cloud.blobs("dst")["no-md5"].etag))

    blobs = cloud.blobs("dst")
    assert blobs["staged"].staged == [("id-1", 500), ("id-2", 600)]
    assert not blobs["staged"].committed
    assert (blobs["no-md5"].writes, blobs["no-md5"].etag, blobs["no-md5"].metadata) == (2, etag, {})
    assert await target.blocks("staged", committed=False) == [("id-1", 500), ("id-2", 600)]


async def test_the_comparison_sees_every_difference(cloud: Cloud) -> None:
    cloud.bucket("src")
    cloud.put("src", *(ObjectSpec(key=key, size=100_000) for key in ("same", "missing", "different", "wrong-md5")))
    cloud.put_blobs(
        "dst",
        BlobSpec(name="same", size=100_000),
        BlobSpec(name="different", size=100_000, recipe="mod251:1"),
        BlobSpec(name="wrong-md5", size=100_000, md5="AAAAAAAAAAAAAAAAAAAAAA=="),
        BlobSpec(name="extra", recipe=in_base64(b"x")),
    )

    told = cloud.compare("src", "dst")

    assert (told.identical, told.missing, told.different) == (2, ["missing"], ["different"])
    assert (told.extra, told.wrong_md5) == (["extra"], ["wrong-md5"])


async def test_composite_checksums_of_ranges_follow_the_parts(cloud: Cloud, source: S3Objects) -> None:
    cloud.put("src", ObjectSpec(key="one", parts=(600, 400), checksum="SHA256", checksum_type="COMPOSITE"))

    async def told(first: int, length: int) -> str | None:
        answer = await source.get("one", etag=None, byte_range=(first, length), checksums=True)
        return answer.headers.get("x-amz-checksum-sha256")

    whole = (await source.get("one", etag=None, checksums=True)).headers["x-amz-checksum-sha256"]
    assert whole.endswith("-2")
    assert await told(0, 1000) == whole.removesuffix("-2")
    assert await told(100, 100) is None
    assert await told(600, 400) not in (None, whole)


async def test_reset_forgets_everything(cloud: Cloud, source: S3Objects) -> None:
    cloud.put("src", ObjectSpec(key="one", size=10))
    cloud.rule(Rule(side="s3", do="answer"))
    cloud.settings(Settings(clock_offset=10**6))
    cloud.reset()

    assert cloud.rules() == []
    assert cloud.counts().s3.total == 0
    assert abs(cloud.now() - time.time()) < 60
    with pytest.raises(StoreError) as caught:
        await source.get("one", etag=None)
    assert caught.value.code == "NoSuchBucket"
    with pytest.raises(CloudError, match="ContainerNotFound"):
        cloud.blobs("dst")
