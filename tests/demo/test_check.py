"""The check finds nothing in a faultless migration, and every single deviation in a faulty one."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from azure.storage.blob import BlobBlock, ContentSettings

from blobmove.demo.check import azure_metadata
from blobmove.demo.clients import container_client, s3_client
from blobmove.demo.company import BUCKET, CONTAINER
from blobmove.demo.odd_objects import DELETED_KEYS, GLACIER_KEY, PLACEHOLDER_KEY, REFUSED_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azure.storage.blob import BlobClient

    from blobmove.demo.company import StoredObject
    from tests.demo.tiny_world import TinyWorld

pytestmark = pytest.mark.servers

FULL_HEADERS_KEY = "exports/umsatz.csv.gz"


@pytest.fixture
def stored(tiny_world: TinyWorld) -> Iterator[StoredObject]:
    """An object with every header and metadata; its blob is made whole again after the test."""
    stored = tiny_world.company.current()[FULL_HEADERS_KEY]
    yield stored
    tiny_world.put(stored)


@pytest.fixture
def blob(tiny_world: TinyWorld, stored: StoredObject) -> BlobClient:
    return container_client(tiny_world.azure_url, CONTAINER).get_blob_client(stored.key)


def settings_of(blob: BlobClient) -> ContentSettings:
    return blob.get_blob_properties().content_settings


def problems(world: TinyWorld) -> list[str]:
    return world.check_objects().problems


def test_a_faultless_migration_has_no_findings_and_every_object_was_compared(tiny_world: TinyWorld) -> None:
    findings = tiny_world.check_objects()
    arrived = tiny_world.company.must_arrive()
    assert findings.problems == []
    assert findings.objects == len(arrived)
    assert findings.bytes == sum(len(stored.content.read()) for stored in arrived.values())


def test_one_changed_byte_is_found_twice_by_bytes_and_by_md5(tiny_world: TinyWorld, stored: StoredObject) -> None:
    body = bytearray(stored.content.read())
    body[len(body) // 2] ^= 1
    tiny_world.put(stored, bytes(body))
    found = problems(tiny_world)
    assert len(found) == 2
    assert "bytes differ" in found[0]
    assert "Content-MD5 stored with the blob is not that of the bytes" in found[1]


def test_a_blob_without_md5_is_found(tiny_world: TinyWorld, stored: StoredObject, blob: BlobClient) -> None:
    settings, metadata = settings_of(blob), blob.get_blob_properties().metadata
    settings.content_md5 = None
    blob.stage_block("0001", stored.content.read())
    blob.commit_block_list([BlobBlock("0001")], content_settings=settings, metadata=metadata)
    assert problems(tiny_world) == [f"{stored.key!r}: no Content-MD5 is stored with the blob"]


@pytest.mark.parametrize(
    ("setting", "header"),
    [
        ("content_type", "Content-Type"),
        ("content_disposition", "Content-Disposition"),
        ("content_encoding", "Content-Encoding"),
        ("content_language", "Content-Language"),
        ("cache_control", "Cache-Control"),
    ],
)
def test_a_changed_header_is_found(tiny_world: TinyWorld, blob: BlobClient, setting: str, header: str) -> None:
    settings = settings_of(blob)
    setattr(settings, setting, "other")
    blob.set_http_headers(settings)
    found = problems(tiny_world)
    assert len(found) == 1
    assert f"{header} should be" in found[0]


def test_a_header_that_s3_does_not_have_is_found(tiny_world: TinyWorld) -> None:
    plain = tiny_world.company.current()["exports/no-type.dat"]
    blob = container_client(tiny_world.azure_url, CONTAINER).get_blob_client(plain.key)
    settings = settings_of(blob)
    settings.content_language = "de"
    blob.set_http_headers(settings)
    assert problems(tiny_world) == [f"{plain.key!r}: Content-Language should be None, is 'de'"]
    tiny_world.put(plain)


def test_metadata_without_the_original_name_is_found(tiny_world: TinyWorld, blob: BlobClient) -> None:
    metadata = dict(blob.get_blob_properties().metadata)
    del metadata["rename_key_printed_by"]
    blob.set_blob_metadata(metadata)
    found = problems(tiny_world)
    assert len(found) == 1
    assert "metadata should be" in found[0]


def test_a_missing_blob_is_found(tiny_world: TinyWorld, blob: BlobClient, stored: StoredObject) -> None:
    blob.delete_blob()
    assert problems(tiny_world) == [f"{stored.key!r}: not on Azure"]


@pytest.mark.parametrize("key", [GLACIER_KEY, PLACEHOLDER_KEY, REFUSED_KEY, *DELETED_KEYS, "never/heard/of"])
def test_a_blob_that_should_not_be_there_is_found(tiny_world: TinyWorld, key: str) -> None:
    container = container_client(tiny_world.azure_url, CONTAINER)
    container.upload_blob(key, b"too much")
    found = problems(tiny_world)
    container.delete_blob(key)
    assert found == [f"{key!r}: on Azure, but should not be"]


def test_an_object_that_vanished_from_the_bucket_is_found(tiny_world: TinyWorld, stored: StoredObject) -> None:
    s3 = s3_client(tiny_world.s3_url)
    marker = s3.delete_object(Bucket=BUCKET, Key=stored.key)["VersionId"]
    found = problems(tiny_world)
    s3.delete_object(Bucket=BUCKET, Key=stored.key, VersionId=marker)
    assert f"{stored.key!r}: the bucket and the company disagree whether it must arrive" in found


def test_names_that_azure_refuses_become_a_pair_and_others_stay() -> None:
    assert azure_metadata({"Tenant_1": "a", "x-y.z": "b", "1st": "c"}) == {
        "Tenant_1": "a",
        "rename_x_y_z": "b",
        "rename_key_x_y_z": "x-y.z",
        "rename_1st": "c",
        "rename_key_1st": "1st",
    }


@pytest.fixture
def database(tiny_world: TinyWorld) -> Iterator[TinyWorld]:
    """The world with a database that may be spoilt: it is put back after the test."""
    safe = tiny_world.database.with_suffix(".safe")
    shutil.copyfile(tiny_world.database, safe)
    yield tiny_world
    shutil.move(safe, tiny_world.database)


def test_a_faultless_flip_has_no_findings_and_every_row_was_compared(database: TinyWorld) -> None:
    findings = database.check_rows()
    assert findings.problems == []
    assert findings.rows == sum(len(rows) for _, rows in database.before.values())
    with database.sql() as connection:
        flipped = connection.execute("SELECT count(*) FROM active_storage_blobs WHERE service_name = 'azure'")
        assert findings.flipped == flipped.fetchone()[0] > 0


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        ("UPDATE active_storage_blobs SET service_name = 'amazon' WHERE id = 1", "service_name should be 'azure'"),
        ("UPDATE active_storage_blobs SET service_name = 'azure' WHERE service_name = 'local'", "should be 'local'"),
        ("UPDATE active_storage_blobs SET service_name = 'azure'", "should be 'amazon'"),
        ("UPDATE active_storage_blobs SET checksum = 'x' WHERE id = 2", "checksum should be"),
        ("UPDATE active_storage_blobs SET created_at = '2026' WHERE id = 2", "created_at should be"),
        ("DELETE FROM active_storage_blobs WHERE id = 3", "number of rows changed"),
        ("ALTER TABLE active_storage_blobs ADD COLUMN updated_at datetime", "columns or number of rows changed"),
        ("UPDATE active_storage_attachments SET blob_id = 2 WHERE id = 1", "active_storage_attachments: changed"),
        ("UPDATE orders SET number = 'B-1' WHERE id = 7", "table orders: changed"),
        ("CREATE TABLE leftover (id integer)", "table leftover: changed"),
        ("DROP INDEX index_active_storage_blobs_on_key", "table sqlite_master: changed"),
    ],
)
def test_a_changed_row_is_found(database: TinyWorld, statement: str, finding: str) -> None:
    with database.sql() as connection:
        connection.execute(statement)
    assert any(finding in problem for problem in database.check_rows().problems)
