"""Reading single objects: what the S3 door relies on, on the simulated cloud and on moto."""

from __future__ import annotations

import hashlib

import pytest
from botocore.exceptions import ClientError

from blobmove.core.digests import ALGORITHMS, bare, multipart_etag, stored_checksums
from blobmove.core.errors import Kind, Side, StoreError
from blobmove.stores.http import HttpClient
from blobmove.stores.s3.objects import S3Objects
from tests.cloud.content import Mod251, Raw, digest
from tests.cloud.specs import ObjectSpec
from tests.contract.worlds import S3World, ask, refusal

ODD_KEYS = (
    "a//b", "/lead", "dir/", "x.", "sp ace", "a+b", "ü/€", "%41", "a%2Fb", "q?x=1&y", "h#f", "t~ilde", "it's(1)!*",
    "a:b@c", "tab\t", "back\\slash", "a,b;c=d", "emoji😀", "soap",
)


def _md5(size: int, start: int = 0) -> str:
    return digest(Mod251(size, start), "MD5").hex()


async def test_a_get_brings_bytes_etag_headers_and_metadata(s3_world: S3World, objects: S3Objects) -> None:
    headers = {
        "Content-Type": "image/png", "Content-Encoding": "gzip", "Content-Language": "de",
        "Content-Disposition": 'inline; filename="a.png"', "Cache-Control": "max-age=60",
    }
    s3_world.put(ObjectSpec(key="one", size=5000, headers=headers, metadata={"owner": "jo"}, tags={"a": "b"}))

    answer = await objects.get("one", etag=_md5(5000))

    assert bytes(answer.body) == Mod251(5000).read(0, 5000)
    assert bare(answer.headers["etag"]) == _md5(5000)
    told = {name: answer.headers[name.lower()] for name in headers}
    assert told == headers
    assert answer.headers["x-amz-meta-owner"] == "jo"
    assert answer.headers["x-amz-tagging-count"] == "1"
    assert "x-amz-storage-class" not in answer.headers


async def test_a_key_is_found_exactly_as_it_is_written(s3_world: S3World, objects: S3Objects) -> None:
    s3_world.put(*(ObjectSpec(key=key, size=20, recipe=f"mod251:{n}") for n, key in enumerate(ODD_KEYS)))

    for number, key in enumerate(ODD_KEYS):
        answer = await objects.get(key, etag=None)
        assert bytes(answer.body) == Mod251(20, number).read(0, 20), key


async def test_a_key_may_hold_a_newline(s3_world: S3World, objects: S3Objects) -> None:
    spec = ObjectSpec(key="new\nline", size=20)
    if s3_world.deviates("newline-key"):
        with pytest.raises(ClientError, match="404"):
            s3_world.put(spec)
        return
    s3_world.put(spec)
    assert len((await objects.get("new\nline", etag=None)).body) == 20


async def test_a_stale_etag_is_told_from_a_missing_key(s3_world: S3World, objects: S3Objects) -> None:
    s3_world.put(ObjectSpec(key="one", size=10))

    with pytest.raises(StoreError) as caught:
        await objects.get("one", etag="0" * 32)
    refusal(caught, Kind.CHANGED, "PreconditionFailed", Side.SOURCE)
    with pytest.raises(StoreError) as caught:
        await objects.get("two", etag=None)
    refusal(caught, Kind.MISSING, "NoSuchKey", Side.SOURCE)


async def test_ranges_come_as_asked_and_not_beyond_the_end(s3_world: S3World, objects: S3Objects) -> None:
    s3_world.put(ObjectSpec(key="one", size=1000), ObjectSpec(key="empty", size=0))

    answer = await objects.get("one", etag=_md5(1000), byte_range=(300, 200))

    assert bytes(answer.body) == Mod251(1000).read(300, 200)
    assert answer.headers["content-range"] == "bytes 300-499/1000"
    for key, byte_range in (("one", (1000, 10)), ("empty", (0, 1))):
        with pytest.raises(StoreError) as caught:
            await objects.get(key, etag=None, byte_range=byte_range)
        refusal(caught, Kind.CHANGED, "InvalidRange", Side.SOURCE)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_stored_checksums_are_those_of_the_bytes(
    s3_world: S3World, objects: S3Objects, algorithm: str
) -> None:
    s3_world.put(ObjectSpec(key="one", size=3000, checksum=algorithm.upper()))
    expected = digest(Mod251(3000), algorithm.upper())

    answer = await objects.get("one", etag=None, checksums=True)
    ranged = await objects.get("one", etag=None, byte_range=(100, 50), checksums=True)

    assert [(one.algorithm, one.value, one.parts) for one in stored_checksums(answer.headers)] == [
        (algorithm, expected, None)]
    assert answer.headers.get("x-amz-checksum-type") == (
        None if s3_world.deviates("no-checksum-type") else "FULL_OBJECT")
    header = f"x-amz-checksum-{algorithm}"
    assert header not in ranged.headers


async def test_without_asking_no_checksum_comes(s3_world: S3World, objects: S3Objects) -> None:
    s3_world.put(ObjectSpec(key="one", size=3000, checksum="SHA256"))

    assert not stored_checksums((await objects.get("one", etag=None)).headers)


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "SHA256"])
async def test_multipart_etags_and_checksums_follow_the_parts(
    s3_world: S3World, objects: S3Objects, algorithm: str
) -> None:
    parts = (6000, 7000, 11)
    content = Mod251(sum(parts))
    spans = [(0, 6000), (6000, 7000), (13000, 11)]
    s3_world.put(
        ObjectSpec(key="composite", parts=parts, checksum=algorithm, checksum_type="COMPOSITE"),
        ObjectSpec(key="full", parts=parts, checksum="CRC64NVME"),
    )

    composite = await objects.get("composite", etag=None, checksums=True)
    full = await objects.get("full", etag=None, checksums=True)

    expected = multipart_etag(hashlib.md5(content.read(*span)).digest() for span in spans)
    assert bare(composite.headers["etag"]) == bare(full.headers["etag"]) == expected
    found = stored_checksums(composite.headers)
    used = "CRC32" if algorithm == "CRC32C" and s3_world.deviates("composite-crc32c-is-crc32") else algorithm
    joined = b"".join(digest(content, used, *span) for span in spans)
    assert [(one.algorithm, one.parts) for one in found] == [(algorithm.lower(), 3)]
    assert found[0].value == digest(Raw(joined), used)
    assert [(one.value, one.parts) for one in stored_checksums(full.headers)] == [(digest(content, "CRC64NVME"), None)]


async def test_parts_are_told_by_head_and_by_get(s3_world: S3World, objects: S3Objects, http: HttpClient) -> None:
    parts = (6000, 7000)
    s3_world.put(ObjectSpec(key="two-parts", parts=parts))
    whole = (await objects.head("two-parts", etag=None)).headers

    head = (await objects.head("two-parts", etag=None, part=1)).headers
    second = await ask(http, s3_world, "two-parts", ("partNumber", "2"))

    assert (whole["content-length"], head["content-length"]) == ("13000", "6000")
    assert head["x-amz-mp-parts-count"] == "2"
    assert (head["etag"] == whole["etag"]) is not s3_world.deviates("head-part-etag")
    if s3_world.deviates("get-part-number"):
        assert (second.status, len(second.body)) == (200, 13000)
    else:
        assert second.status == 206
        assert bytes(second.body) == Mod251(13000).read(6000, 7000)
        assert second.headers["content-range"] == "bytes 6000-12999/13000"


async def test_an_archived_object_is_refused_until_it_is_restored(s3_world: S3World, objects: S3Objects) -> None:
    s3_world.put(ObjectSpec(key="cold", size=10, storage_class="GLACIER"))

    with pytest.raises(StoreError) as caught:
        await objects.get("cold", etag=None)
    refusal(caught, Kind.ARCHIVED, "InvalidObjectState", Side.SOURCE)
    assert (await objects.head("cold", etag=None)).headers["x-amz-storage-class"] == "GLACIER"


async def test_versions_are_read_by_id_and_markers_are_told(
    s3_world: S3World, objects: S3Objects, http: HttpClient
) -> None:
    s3_world.versioned()
    s3_world.put(ObjectSpec(key="doc", size=10))
    s3_world.put(ObjectSpec(key="doc", size=20))
    s3_world.remove("doc")
    old, new, marker = s3_world.versions("doc")

    assert len((await objects.get("doc", etag=None, version_id=old)).body) == 10
    assert len((await objects.get("doc", etag=None, version_id=new)).body) == 20
    with pytest.raises(StoreError) as caught:
        await objects.get("doc", etag=None)
    refusal(caught, Kind.MISSING, "NoSuchKey", Side.SOURCE)
    with pytest.raises(StoreError) as caught:
        await objects.get("doc", etag=None, version_id=marker)
    code = "NoSuchVersion" if s3_world.deviates("delete-marker-by-id") else "MethodNotAllowed"
    refusal(caught, Kind.MISSING, code, Side.SOURCE)
    answer = await ask(http, s3_world, "doc")
    assert answer.headers.get("x-amz-delete-marker") == (
        None if s3_world.deviates("delete-marker-header") else "true")


async def test_the_etag_of_a_kms_object_is_no_md5(s3_world: S3World, objects: S3Objects) -> None:
    s3_world.put(ObjectSpec(key="kms", size=4096, encryption="aws:kms"))

    answer = await objects.get("kms", etag=None)

    assert answer.headers["x-amz-server-side-encryption"] == "aws:kms"
    assert (bare(answer.headers["etag"]) == _md5(4096)) is s3_world.deviates("kms-etag-is-md5")


async def test_a_customer_key_must_be_sent(s3_world: S3World, http: HttpClient) -> None:
    s3_world.put(ObjectSpec(key="ssec", size=10, encryption="SSE-C"))

    answer = await ask(http, s3_world, "ssec")

    assert answer.status == (200 if s3_world.deviates("sse-c-not-enforced") else 400)


async def test_an_expired_url_is_refused(s3_world: S3World, http: HttpClient) -> None:
    s3_world.put(ObjectSpec(key="one", size=10))

    answer = await ask(http, s3_world, "one", age=3700)

    if s3_world.deviates("no-expiry"):
        assert answer.status == 200
    else:
        assert answer.status == 403
        assert b"Request has expired" in bytes(answer.body)


async def test_a_key_has_at_most_1024_bytes(s3_world: S3World, http: HttpClient) -> None:
    answer = await ask(http, s3_world, "k" * 1025)

    if s3_world.deviates("long-key-accepted"):
        assert answer.status == 404
    else:
        assert answer.status == 400
        assert b"KeyTooLongError" in bytes(answer.body)
