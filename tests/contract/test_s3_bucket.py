"""The bucket as a whole: where it is, what it lists, who may ask."""

from __future__ import annotations

import pytest

from blobmove.core.errors import Kind, Side, StoreError, UsageError
from blobmove.stores.http import HttpClient
from blobmove.stores.s3.control import S3Control, S3Settings
from blobmove.stores.s3.objects import S3Objects
from tests.cloud.content import Mod251, digest
from tests.cloud.specs import Key, ObjectSpec
from tests.contract.test_s3_objects import ODD_KEYS
from tests.contract.worlds import CREDENTIALS, REGION, CloudS3, S3World, ask, refusal


async def test_the_bucket_is_located(s3_world: S3World, control: S3Control) -> None:
    assert await control.locate() == REGION


async def test_a_bucket_that_is_not_there_is_said_so(s3_world: S3World, http: HttpClient) -> None:
    settings = S3Settings("no-such-bucket-here", region=REGION, endpoint=s3_world.url)
    async with S3Control(settings) as control:
        with pytest.raises(UsageError) as told:
            await control.locate()
        assert told.value.code == "E404-BUCKET"
        objects = await control.objects(http)
        with pytest.raises(StoreError) as caught:
            await objects.get("one", etag=None)
        refusal(caught, Kind.STOP_CONFIG, "NoSuchBucket", Side.SOURCE)


async def test_a_listing_shows_every_key_as_it_is(s3_world: S3World, control: S3Control) -> None:
    s3_world.put(*(ObjectSpec(key=f"odd/{key}", size=7) for key in ODD_KEYS), ObjectSpec(key="other", size=1))

    found = [one async for page in control.list_versions("odd/") for one in page]

    assert {one.key for one in found} == {f"odd/{key}" for key in ODD_KEYS}
    etag = digest(Mod251(7), "MD5").hex()
    assert {(one.size, one.etag, one.storage_class, one.is_latest) for one in found} == {(7, etag, "STANDARD", True)}
    assert [one.key for one in found] == sorted(one.key for one in found)


async def test_a_listing_of_versions_shows_old_ones_and_markers(s3_world: S3World, control: S3Control) -> None:
    s3_world.versioned()
    s3_world.put(ObjectSpec(key="doc", size=10))
    s3_world.put(ObjectSpec(key="doc", size=20), ObjectSpec(key="gone", size=5))
    s3_world.remove("gone")

    found = [one async for page in control.list_all_versions("") for one in page]

    assert sorted((one.key, one.size or 0, one.is_latest, one.is_delete_marker) for one in found) == [
        ("doc", 10, False, False), ("doc", 20, True, False), ("gone", 0, True, True), ("gone", 5, False, False)]
    assert [one.key async for page in control.list_versions("") for one in page] == ["doc"]


async def test_folders_one_level_down_are_listed(s3_world: S3World, control: S3Control) -> None:
    keys = ("r/2026-01-01T01-00Z/manifest.json", "r/2026-01-02T01-00Z/manifest.json", "r/data/x", "r/file")
    s3_world.put(*(ObjectSpec(key=key, size=1) for key in keys))

    assert await control.list_folders("r/") == ["r/2026-01-01T01-00Z/", "r/2026-01-02T01-00Z/", "r/data/"]


async def test_a_wrong_signature_is_refused(s3_world: S3World, objects: S3Objects, http: HttpClient) -> None:
    s3_world.put(ObjectSpec(key="a b+ü", size=10))
    if isinstance(s3_world, CloudS3):
        s3_world.cloud.know(Key(access_key=CREDENTIALS.access_key, secret_key=CREDENTIALS.secret_key))

    assert len((await objects.get("a b+ü", etag=None, checksums=True)).body) == 10
    good = await ask(http, s3_world, "a b+ü", ("x-amz-checksum-mode", "ENABLED"))
    bad = await ask(http, s3_world, "a b+ü", tamper=True)

    assert good.status == 200
    if s3_world.deviates("no-signature-check"):
        assert bad.status == 200
    else:
        assert bad.status == 403
        assert b"SignatureDoesNotMatch" in bytes(bad.body)
