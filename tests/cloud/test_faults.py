"""Each fault shows itself to the tool's HTTP client as the real thing would."""

from __future__ import annotations

import time
from hashlib import md5

import pytest

from blobmove.core.errors import Kind, StoreError
from blobmove.core.headers import BlobProperties
from blobmove.stores.azure.blobs import AzureBlobs
from blobmove.stores.s3.objects import S3Objects
from tests.cloud.content import Mod251, Raw, digest
from tests.cloud.control import Cloud
from tests.cloud.specs import Deed, ObjectSpec, Rule, When

SIZE = 5000
BODY = Mod251(SIZE).read(0, SIZE)
PLAIN = BlobProperties(content_type="text/plain")


async def _put(target: AzureBlobs, name: str = "one") -> str:
    return await target.put_blob(name, BODY, md5=md5(BODY).digest(), properties=PLAIN)


def _crc64(body: bytes) -> int:
    return int.from_bytes(digest(Raw(body), "CRC64NVME"), "big")


async def test_a_throttled_request_says_when_to_come_back(cloud: Cloud, source: S3Objects) -> None:
    cloud.put("src", ObjectSpec(key="one", size=SIZE), ObjectSpec(key="two", size=SIZE))
    number = cloud.rule(Rule(side="s3", do="answer", code="SlowDown", retry_after=2, nth=(1,), per_key=True))

    for key in ("one", "two"):
        with pytest.raises(StoreError) as caught:
            await source.get(key, etag=None)
        assert (caught.value.kind, caught.value.code, caught.value.retry_after) == (Kind.THROTTLED, "SlowDown", 2.0)
        assert len((await source.get(key, etag=None)).body) == SIZE
    assert cloud.fired(number).fired == 2
    assert cloud.counts().s3.answers == {"GetObject": {"200": 2, "503": 2}}


@pytest.mark.parametrize("when", ["before_read", "before_answer", "in_body"])
async def test_a_reset_loses_the_connection_once(cloud: Cloud, source: S3Objects, when: When) -> None:
    cloud.put("src", ObjectSpec(key="one", size=SIZE))
    cloud.rule(Rule(side="s3", do="reset", when=when, at=100, count=1))

    with pytest.raises(StoreError) as caught:
        await source.get("one", etag=None)

    assert caught.value.kind is Kind.TRANSIENT
    assert bytes((await source.get("one", etag=None)).body) == BODY


async def test_a_reset_after_the_body_does_not_harm_the_answer(cloud: Cloud, source: S3Objects) -> None:
    cloud.put("src", ObjectSpec(key="one", size=SIZE))
    number = cloud.rule(Rule(side="s3", do="reset", when="after_body"))

    assert bytes((await source.get("one", etag=None)).body) == BODY
    assert cloud.fired(number).fired == 1


@pytest.mark.parametrize(("do", "stored"), [("lost", True), ("reset", False)])
async def test_a_lost_answer_is_not_a_lost_request(cloud: Cloud, target: AzureBlobs, do: Deed, stored: bool) -> None:
    cloud.rule(Rule(side="azure", do=do, operation="PutBlob", count=1))

    with pytest.raises(StoreError) as caught:
        await _put(target)

    assert caught.value.kind is Kind.TRANSIENT
    assert (cloud.blob("dst", "one") is not None) is stored


async def test_a_body_cut_short_is_noticed(cloud: Cloud, source: S3Objects) -> None:
    cloud.put("src", ObjectSpec(key="one", size=1_000_000))
    cloud.rule(Rule(side="s3", do="cut", at=500_000, count=1))

    with pytest.raises(StoreError) as caught:
        await source.get("one", etag=None)

    assert (caught.value.kind, caught.value.code) == (Kind.TRANSIENT, "BodyCutShort")


async def test_a_body_may_be_short_and_say_so(cloud: Cloud, source: S3Objects) -> None:
    cloud.put("src", ObjectSpec(key="one", size=SIZE))
    cloud.rule(Rule(side="s3", do="cut", at=SIZE - 1, lie=True))

    assert bytes((await source.get("one", etag=None)).body) == BODY[:-1]


async def test_a_drip_is_slow_and_complete(cloud: Cloud, source: S3Objects) -> None:
    cloud.put("src", ObjectSpec(key="one", size=SIZE))
    cloud.rule(Rule(side="s3", do="drip", chunk=500, seconds=0.002))

    began = time.monotonic()
    assert bytes((await source.get("one", etag=None)).body) == BODY
    assert time.monotonic() - began >= 10 * 0.002


async def test_one_bit_is_wrong_on_the_way_out(cloud: Cloud, source: S3Objects) -> None:
    cloud.put("src", ObjectSpec(key="one", size=SIZE), ObjectSpec(key="two", size=3_000_000))
    number = cloud.rule(Rule(side="s3", do="flip", seed=5))

    for key, size in (("one", SIZE), ("two", 3_000_000)):
        got = bytes((await source.get(key, etag=None)).body)
        difference = int.from_bytes(got, "little") ^ int.from_bytes(Mod251(size).read(0, size), "little")
        assert difference.bit_count() == 1
        assert ("GetObject", key, f"bit {difference.bit_length() - 1}") in cloud.fired(number).log


async def test_one_bit_wrong_on_the_way_in_is_refused(cloud: Cloud, target: AzureBlobs) -> None:
    cloud.rule(Rule(side="azure", do="flip", bit=800, count=2))

    with pytest.raises(StoreError) as caught:
        await _put(target)
    assert caught.value.code == "Md5Mismatch"
    with pytest.raises(StoreError) as caught:
        await target.put_block("one", "id-1", BODY, crc64=_crc64(BODY))
    assert caught.value.code == "Crc64Mismatch"
    assert cloud.blobs("dst") == {}


async def test_one_bit_wrong_is_stored_where_nobody_checks(cloud: Cloud, target: AzureBlobs) -> None:
    cloud.rule(Rule(side="azure", do="flip", operation="PutBlob", bit=0))
    wrong = bytes([BODY[0] ^ 1]) + BODY[1:]

    await target.put_blob("one", BODY, md5=md5(wrong).digest(), properties=PLAIN)

    assert cloud.blob_content("dst", "one") == wrong


async def test_reading_a_blob_back_can_go_wrong_too(cloud: Cloud, target: AzureBlobs) -> None:
    await _put(target)
    cloud.rule(Rule(side="azure", do="flip", operation="GetBlob", bit=0))

    assert bytes(await target.read("one", 0, SIZE)) == bytes([BODY[0] ^ 1]) + BODY[1:]


async def test_credentials_expire_by_rule(cloud: Cloud, source: S3Objects, target: AzureBlobs) -> None:
    cloud.put("src", ObjectSpec(key="one", size=SIZE))
    cloud.rule(Rule(side="s3", do="expired", count=1))
    cloud.rule(Rule(side="azure", do="expired", count=1))

    with pytest.raises(StoreError) as caught:
        await source.get("one", etag=None)
    assert (caught.value.kind, caught.value.code, caught.value.status) == (Kind.EXPIRED, "ExpiredToken", 400)
    with pytest.raises(StoreError) as caught:
        await _put(target)
    assert (caught.value.kind, caught.value.status) == (Kind.EXPIRED, 401)
    assert caught.value.code == "InvalidAuthenticationInfo"


async def test_a_source_changes_just_before_it_is_read(cloud: Cloud, source: S3Objects) -> None:
    stored = cloud.put("src", ObjectSpec(key="one", size=SIZE), ObjectSpec(key="two", size=SIZE))
    cloud.rule(Rule(side="s3", do="overwrite", key="one", replacement={"size": 7, "recipe": "mod251:9"}))
    cloud.rule(Rule(side="s3", do="remove", key="two"))

    with pytest.raises(StoreError) as caught:
        await source.get("one", etag=stored[0].etag)
    assert caught.value.kind is Kind.CHANGED
    assert cloud.object_content("src", "one") == Mod251(7, 9).read(0, 7)
    with pytest.raises(StoreError) as caught:
        await source.get("two", etag=stored[1].etag)
    assert caught.value.kind is Kind.MISSING


async def test_an_etag_can_be_stale(cloud: Cloud, source: S3Objects) -> None:
    cloud.put("src", ObjectSpec(key="one", size=SIZE))
    cloud.rule(Rule(side="s3", do="stale_etag", etag="0" * 32))

    assert (await source.get("one", etag=None)).headers["etag"] == f'"{"0" * 32}"'


async def test_a_request_that_hangs_ends_in_a_reset(cloud: Cloud, source: S3Objects) -> None:
    cloud.put("src", ObjectSpec(key="one", size=SIZE))
    cloud.rule(Rule(side="s3", do="hang", seconds=0.05))

    with pytest.raises(StoreError) as caught:
        await source.get("one", etag=None)
    assert caught.value.kind is Kind.TRANSIENT


async def test_chance_depends_on_key_and_seed_only(cloud: Cloud, source: S3Objects) -> None:
    keys = [f"k{number}" for number in range(40)]

    async def hit(order: list[str], seed: int) -> set[str]:
        cloud.reset()
        cloud.bucket("src")
        cloud.put("src", *(ObjectSpec(key=key, size=10) for key in keys))
        number = cloud.rule(Rule(side="s3", do="stale_etag", probability=0.3, seed=seed))
        for key in order:
            await source.get(key, etag=None)
        return {key for _, key, _ in cloud.fired(number).log}

    first = await hit(keys, 1)
    assert await hit(keys[::-1], 1) == first
    assert await hit(keys, 2) != first
    assert 3 < len(first) < 25


async def test_a_misspelt_rule_is_refused(cloud: Cloud) -> None:
    with pytest.raises(AssertionError, match="unexpected keyword"):
        cloud._ask("rule", {"side": "s3", "do": "answer", "kee": "x"})
