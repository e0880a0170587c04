"""Writing objects: what the way back relies on, on the simulated cloud and on moto."""

from __future__ import annotations

import hashlib
from typing import Final

import pytest
from awscrt.checksums import combine_crc64nvme, crc64nvme

from blobmove.core.errors import Kind, Side, StoreError
from blobmove.core.reverse import read_object
from blobmove.stores.s3.objects import S3Objects
from blobmove.stores.s3.writing import S3Writing, SentPart
from tests.cloud.control import Cloud
from tests.cloud.specs import Key, ObjectSpec
from tests.contract.worlds import CREDENTIALS, S3World, refusal

PART: Final = 5 << 20
BODY: Final = b"born on Azure"
MD5: Final = hashlib.md5(BODY).digest()
HEADERS: Final = [
    ("content-type", "image/png"), ("cache-control", "max-age=60"), ("content-disposition", 'inline;  filename="a b"'),
    ("content-encoding", "gzip"), ("content-language", "de"), ("x-amz-meta-a-b", "two  blanks"),
]  # fmt: skip


@pytest.fixture
def writing(objects: S3Objects) -> S3Writing:
    return S3Writing(objects)


@pytest.fixture
def strict(cloud: Cloud, s3_world: S3World) -> None:
    """The simulated cloud recomputes every signature."""
    if s3_world.name == "cloud":
        cloud.know(Key(access_key=CREDENTIALS.access_key, secret_key=CREDENTIALS.secret_key))


@pytest.mark.usefixtures("strict")
async def test_an_object_is_written_with_its_headers_and_metadata(writing: S3Writing, objects: S3Objects) -> None:
    assert await writing.look("dir/ü 1+1=2") is None
    etag = await writing.put("dir/ü 1+1=2", BODY, md5=MD5, headers=HEADERS)
    assert etag == MD5.hex()
    told = await objects.get("dir/ü 1+1=2", etag=etag)
    assert bytes(told.body) == BODY
    assert {name: told.headers[name] for name, _ in HEADERS} == dict(HEADERS)
    looked = await writing.look("dir/ü 1+1=2")
    assert looked is not None
    assert read_object(looked.headers).yardstick() == ("md5", MD5)


async def test_an_empty_object_is_written(writing: S3Writing) -> None:
    assert await writing.put("empty", b"", md5=hashlib.md5(b"").digest(), headers=[]) == hashlib.md5(b"").hexdigest()


async def test_nothing_is_overwritten(s3_world: S3World, writing: S3Writing, objects: S3Objects) -> None:
    s3_world.put(ObjectSpec(key="there", size=10))
    with pytest.raises(StoreError) as caught:
        await writing.put("there", BODY, md5=MD5, headers=[])
    refusal(caught, Kind.EXISTS, "PreconditionFailed", Side.SOURCE)
    assert len((await objects.get("there", etag=None)).body) == 10


async def test_a_delete_marker_is_no_object(s3_world: S3World, writing: S3Writing) -> None:
    s3_world.versioned()
    s3_world.put(ObjectSpec(key="there", size=10))
    s3_world.remove("there")
    assert await writing.look("there") is None
    assert await writing.put("there", BODY, md5=MD5, headers=[]) == MD5.hex()


async def test_bytes_without_their_md5_are_refused_and_not_kept(s3_world: S3World, writing: S3Writing) -> None:
    if s3_world.deviates("no-content-md5"):
        assert await writing.put("wrong", BODY, md5=b"0" * 16, headers=[]) == MD5.hex()
        return
    with pytest.raises(StoreError) as caught:
        await writing.put("wrong", BODY, md5=b"0" * 16, headers=[])
    refusal(caught, Kind.CORRUPT, "BadDigest", Side.SOURCE)
    assert await writing.look("wrong") is None


def parts_of(*sizes: int) -> list[bytes]:
    return [bytes([number + 1]) * size for number, size in enumerate(sizes)]


async def send(writing: S3Writing, key: str, bodies: list[bytes]) -> tuple[str, list[SentPart], bytes]:
    """An upload with these parts, which are sent last to first; its id, the parts, and the CRC-64 of the whole."""
    upload = await writing.begin(key, HEADERS)
    sent = [
        await writing.send_part(key, upload, number, body, crc64=crc64nvme(body))
        for number, body in reversed([*enumerate(bodies, start=1)])
    ]
    whole = 0
    for body in bodies:
        whole = combine_crc64nvme(whole, crc64nvme(body), len(body))
    return upload, sent[::-1], whole.to_bytes(8, "big")


@pytest.mark.usefixtures("strict")
async def test_parts_are_joined_into_an_object_with_the_crc_64_of_the_whole(
    s3_world: S3World, writing: S3Writing, objects: S3Objects
) -> None:
    bodies = parts_of(PART, PART, 77)
    upload, sent, crc64 = await send(writing, "large", bodies)
    assert await writing.look("large") is None

    joined = await writing.join("large", upload, sent, crc64=crc64, size=2 * PART + 77)

    assert joined.etag == hashlib.md5(b"".join(hashlib.md5(body).digest() for body in bodies)).hexdigest() + "-3"
    assert joined.crc64 == (None if s3_world.deviates("no-checksum-of-joined") else crc64)
    looked = await writing.look("large")
    assert looked is not None
    assert read_object(looked.headers).yardstick() == ("crc64nvme", crc64)
    assert looked.headers["x-amz-meta-a-b"] == "two  blanks"
    got = await objects.get("large", etag=joined.etag)
    assert bytes(got.body) == b"".join(bodies)


async def test_a_part_without_its_crc_64_is_refused(s3_world: S3World, writing: S3Writing) -> None:
    upload = await writing.begin("large", [])
    if s3_world.deviates("no-checksum-of-parts"):
        assert (await writing.send_part("large", upload, 1, BODY, crc64=7)).etag == MD5.hex()
        return
    with pytest.raises(StoreError) as caught:
        await writing.send_part("large", upload, 1, BODY, crc64=7)
    refusal(caught, Kind.CORRUPT, "BadDigest", Side.SOURCE)


async def test_a_whole_without_its_crc_64_is_not_joined(s3_world: S3World, writing: S3Writing) -> None:
    upload, sent, crc64 = await send(writing, "large", parts_of(PART, 9))
    wrong = crc64[::-1]
    if s3_world.deviates("no-checksum-of-whole"):
        assert (await writing.join("large", upload, sent, crc64=wrong, size=PART + 9)).etag.endswith("-2")
        return
    with pytest.raises(StoreError) as caught:
        await writing.join("large", upload, sent, crc64=wrong, size=PART + 9)
    refusal(caught, Kind.CORRUPT, "BadDigest", Side.SOURCE)
    assert await writing.look("large") is None
    assert (await writing.join("large", upload, sent, crc64=crc64, size=PART + 9)).crc64 == crc64


async def test_parts_are_not_joined_over_an_object(s3_world: S3World, writing: S3Writing) -> None:
    upload, sent, crc64 = await send(writing, "large", parts_of(PART, 9))
    s3_world.put(ObjectSpec(key="large", size=10))
    with pytest.raises(StoreError) as caught:
        await writing.join("large", upload, sent, crc64=crc64, size=PART + 9)
    refusal(caught, Kind.EXISTS, "PreconditionFailed", Side.SOURCE)


async def test_an_aborted_upload_is_gone_and_can_be_aborted_again(s3_world: S3World, writing: S3Writing) -> None:
    upload, sent, crc64 = await send(writing, "large", parts_of(9))
    await writing.abort("large", upload)
    await writing.abort("large", upload)
    with pytest.raises(StoreError) as caught:
        await writing.join("large", upload, sent, crc64=crc64, size=9)
    if s3_world.deviates("no-such-upload"):
        assert caught.value.status == 500
        return
    refusal(caught, Kind.DISTURBED, "NoSuchUpload", Side.SOURCE)


async def test_a_missing_bucket_is_everybody_s_trouble(objects: S3Objects, writing: S3Writing) -> None:
    objects._path = "/no-such-bucket-anywhere/"
    with pytest.raises(StoreError) as caught:
        await writing.put("a", BODY, md5=MD5, headers=[])
    refusal(caught, Kind.STOP_CONFIG, "NoSuchBucket", Side.SOURCE)


async def test_no_text_of_an_error_holds_a_signature(writing: S3Writing, s3_world: S3World) -> None:
    s3_world.put(ObjectSpec(key="there", size=10))
    with pytest.raises(StoreError) as caught:
        await writing.put("there", BODY, md5=MD5, headers=[])
    assert "X-Amz" not in f"{caught.value!r} {caught.value}"
