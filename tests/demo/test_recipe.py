"""The sample company is always the same, large enough, and has everything a migration trips over."""

from __future__ import annotations

import gzip
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from blobmove.demo.clients import s3_client
from blobmove.demo.company import BUCKET, Company, CompanySize, Content
from blobmove.demo.company_database import write_database
from blobmove.demo.delivery import FORMATS, INVENTORY_URL, deliver, switch_on
from blobmove.demo.odd_objects import DELETED_KEYS, GLACIER_KEY, PLACEHOLDER_KEY, REFUSED_KEY
from blobmove.demo.recipe import build
from tests.demo.tiny_world import TinyWorld

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20


@pytest.fixture(scope="module")
def company() -> Company:
    return build(CompanySize())


def test_there_are_more_than_3000_objects_and_300_mib(company: Company) -> None:
    today = company.current()
    assert len(today) == 3100
    assert sum(stored.content.size for stored in today.values()) > 300 * MIB


def test_most_objects_are_small_and_ten_or_so_hold_most_of_the_bytes(company: Company) -> None:
    sizes = sorted(stored.content.size for stored in company.current().values())
    assert sizes[len(sizes) * 95 // 100] <= 65_536 + 70
    assert sum(sizes[-12:]) > sum(sizes) * 0.8


def test_the_same_size_gives_the_same_company_and_another_seed_another(company: Company) -> None:
    assert build(CompanySize()) == company
    assert build(CompanySize(seed=1)) != company
    assert CompanySize.parse(CompanySize(7, 300, large=False).text) == CompanySize(7, 300, large=False)


def test_no_key_is_written_twice_before_versioning(company: Company) -> None:
    assert len({stored.key for stored in company.before}) == len(company.before)


def test_what_must_not_arrive_is_in_the_bucket_but_not_expected(company: Company) -> None:
    today, expected = company.current(), company.must_arrive()
    assert set(today) - set(expected) == {GLACIER_KEY, PLACEHOLDER_KEY, REFUSED_KEY}
    assert not set(DELETED_KEYS) & set(today)
    assert set(DELETED_KEYS) <= {stored.key for stored in company.before}


@pytest.mark.parametrize("text", [" ", "+", "ü", "%", "//", "\u030a", "?", "#", "\U0001f4e6"])
def test_names_with_every_odd_character_are_there(company: Company, text: str) -> None:
    assert any(text in key for key in company.must_arrive())


def test_two_keys_of_rails_52_differ_by_case_alone(company: Company) -> None:
    first, second = company.blobs[0].key, company.blobs[1].key
    assert first != second
    assert first.lower() == second.lower()
    assert len(first) == 24


def test_large_objects_are_single_in_even_and_in_uneven_parts(company: Company) -> None:
    large = [stored.part_sizes for stored in company.current().values() if stored.content.size > 32 * MIB]
    assert () in large
    assert any(len(set(parts)) == 1 for parts in large)
    assert any(len(set(parts[:-1])) > 1 for parts in large)
    assert all(sum(stored.part_sizes) in {0, stored.content.size} for stored in company.before)
    assert any(stored.part_sizes and stored.content.size < MIB for stored in company.before)


def test_gzip_is_real_gzip_and_magic_bytes_are_real(company: Company) -> None:
    packed = company.current()["exports/umsatz.csv.gz"]
    assert gzip.decompress(packed.content.read()).count(b"\n") > 1000
    assert company.current()["customs/scans//4711.tif"].content.read().startswith(b"II*\x00")


def test_content_is_a_function_of_its_label_and_has_its_size() -> None:
    assert Content("a", 100, b"%PDF").read() == Content("a", 100, b"%PDF").read() != Content("b", 100, b"%PDF").read()
    assert len(Content("a", 100, b"%PDF").read()) == 100
    assert Content("a", 2, b"%PDF").read() == b"%P"
    assert Content("a", 0).read() == b""


def test_the_database_has_the_rows_rails_would_have(tmp_path: Path) -> None:
    company = build(CompanySize(objects=120, large=False))
    rows = write_database(company, tmp_path / "acme.sqlite3")
    with closing(sqlite3.connect(tmp_path / "acme.sqlite3")) as database:
        def ask(question: str) -> int:
            return int(database.execute(question).fetchone()[0])

        assert ask("SELECT count(*) FROM active_storage_blobs") == rows == len(company.blobs)
        assert ask("SELECT count(*) FROM active_storage_blobs WHERE checksum IS NULL") == 1
        assert ask("SELECT count(*) FROM active_storage_blobs WHERE service_name = 'local'") == 8
        assert ask("SELECT count(*) FROM active_storage_blobs WHERE service_name = 'mirror'") > 0
        attached = "SELECT blob_id FROM active_storage_attachments"
        unattached = database.execute(f"SELECT key FROM active_storage_blobs WHERE id NOT IN ({attached})")
        abandoned = [key for (key,) in unattached]
        assert len(abandoned) == 1
        assert abandoned[0] not in company.current()
        assert ask("SELECT count(*) FROM active_storage_variant_records") == len(company.variants) > 0
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []


@pytest.mark.servers
def test_the_bucket_holds_what_the_recipe_says(tiny_world: TinyWorld) -> None:
    s3, company = s3_client(tiny_world.s3_url), tiny_world.company
    listed = s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    assert {item["Key"] for item in listed} == set(company.current())
    pages = s3.list_object_versions(Bucket=BUCKET)
    assert len(pages["Versions"]) == len(company.before) + len(company.after)
    assert {marker["Key"] for marker in pages["DeleteMarkers"] if marker["IsLatest"]} == set(DELETED_KEYS)
    assert s3.head_object(Bucket=BUCKET, Key="exports/two-parts.bin")["ETag"].endswith('-2"')
    assert s3.head_object(Bucket=BUCKET, Key="exports/two-parts.bin", PartNumber=1)["ContentLength"] == 5 * MIB
    assert s3.head_object(Bucket=BUCKET, Key=GLACIER_KEY)["StorageClass"] == "GLACIER"
    assert s3.get_object(Bucket=BUCKET, Key="reports/since-versioning.csv", ChecksumMode="ENABLED")["ChecksumSHA256"]


@pytest.mark.servers
@pytest.mark.parametrize("format", sorted(FORMATS))
def test_an_inventory_of_every_version_and_marker_is_delivered(tiny_world: TinyWorld, format: str) -> None:
    from datetime import UTC, datetime

    s3, company = s3_client(tiny_world.s3_url), tiny_world.company
    switch_on(s3, format)
    manifest, rows = deliver(s3, company, format, datetime(2026, 11, 21, 1, 0, tzinfo=UTC))
    assert rows == len(company.before) + len(company.after) + len(company.deleted)
    bucket, prefix = INVENTORY_URL.removeprefix("s3://").split("/", 1)
    assert manifest == f"{prefix}2026-11-21T01-00Z/manifest.json"
    assert s3.head_object(Bucket=bucket, Key=f"{prefix}2026-11-21T01-00Z/manifest.checksum")["ContentLength"] == 33
