"""The three formats say the same, whatever the columns and however odd the keys."""

from __future__ import annotations

import gzip
import io
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import orc, parquet

from blobmove.core.model import ObjectVersion
from blobmove.stores.inventory import arrow_rows, csv_rows
from blobmove.stores.inventory.data_files import rows
from blobmove.stores.inventory.report_files import FolderFiles
from tests.stores.inventory.reports import (
    FORMATS,
    Shape,
    deliver,
    expected,
    find,
    read,
    replace_data,
    some_objects,
)

each_format = pytest.mark.parametrize("file_format", FORMATS)
arrow_formats = pytest.mark.parametrize("file_format", ["ORC", "Parquet"])


def packed(table: pa.Table, file_format: str) -> bytes:
    out = io.BytesIO()
    if file_format == "ORC":
        orc.write_table(table, out)
    else:
        parquet.write_table(table, out)
    return out.getvalue()


def one_file(path: Path, text: str, columns: str) -> list[ObjectVersion]:
    path.write_bytes(gzip.compress(text.encode()))
    return [row for batch in csv_rows.csv_rows(path, "x.csv.gz", columns.split(", ")) for row in batch]


def arrow_file(path: Path, columns: dict[str, Any], file_format: str) -> list[ObjectVersion]:
    path.write_bytes(packed(pa.table(columns), file_format))
    read_rows = arrow_rows.orc_rows if file_format == "ORC" else arrow_rows.parquet_rows
    return [row for batch in read_rows(path, "x") for row in batch]


@each_format
async def test_a_report_of_all_versions_is_read_back_as_it_was_written(tmp_path: Path, file_format: str) -> None:
    manifest = deliver(tmp_path, some_objects(), Shape(file_format))
    assert await read(manifest, tmp_path / "work") == [expected(row) for row in some_objects()]


@each_format
async def test_a_report_of_current_versions_has_no_version_ids(tmp_path: Path, file_format: str) -> None:
    found = await read(deliver(tmp_path, some_objects(), Shape(file_format, versions=False)), tmp_path / "work")
    assert {(row.version_id, row.is_latest, row.is_delete_marker) for row in found} == {(None, True, False)}


@each_format
async def test_bucket_and_key_alone_are_enough(tmp_path: Path, file_format: str) -> None:
    shape = Shape(file_format, versions=False, fields=())
    assert await read(deliver(tmp_path, some_objects()[:3], shape), tmp_path / "work") == [
        ObjectVersion(row["key"]) for row in some_objects()[:3]
    ]


@each_format
async def test_columns_nobody_here_knows_are_ignored(tmp_path: Path, file_format: str) -> None:
    objects = [row | {"object_owner": "123", "replication_status": "REPLICA"} for row in some_objects()]
    plain = await read(deliver(tmp_path / "a", objects, Shape(file_format)), tmp_path / "work")
    fields = (*Shape().fields, "ReplicationStatus", "ObjectLockRetainUntilDate", "ObjectOwner")
    more = Shape(file_format, fields=fields)
    assert await read(deliver(tmp_path / "b", objects, more), tmp_path / "work") == plain


@each_format
async def test_a_report_of_an_empty_bucket_has_no_rows(tmp_path: Path, file_format: str) -> None:
    assert await read(deliver(tmp_path, [], Shape(file_format)), tmp_path / "work") == []


@each_format
async def test_batches_are_small_however_large_the_file(tmp_path: Path, file_format: str) -> None:
    objects = [{"key": f"k{number}"} for number in range(12_345)]
    manifest = deliver(tmp_path, objects, Shape(file_format, versions=False, fields=(), rows_per_file=20_000))
    assert [row.key for row in await read(manifest, tmp_path / "work")] == [row["key"] for row in objects]
    data = next((tmp_path / "inventory/src/daily/data").iterdir())
    read_rows = {"ORC": arrow_rows.orc_rows, "Parquet": arrow_rows.parquet_rows}.get(file_format)
    batches = read_rows(data, "x") if read_rows else csv_rows.csv_rows(data, "x", ["Bucket", "Key"])
    assert max(map(len, batches)) <= 5_000


@each_format
async def test_a_reader_that_stops_early_leaves_nothing_behind(tmp_path: Path, file_format: str) -> None:
    work = tmp_path / "work"
    report = await find(deliver(tmp_path, some_objects() * 1000, Shape(file_format, rows_per_file=20_000)), work)
    async with aclosing(rows(report.manifest, FolderFiles(tmp_path), work)) as batches:
        assert len(await anext(batches)) == 5_000
        assert len(list(work.iterdir())) == 1
    assert list(work.iterdir()) == []


@given(key=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200))
def test_any_key_survives_csv(tmp_path_factory: pytest.TempPathFactory, key: str) -> None:
    folder = tmp_path_factory.mktemp("report")
    deliver(folder, [{"key": key}], Shape(versions=False, fields=()))
    data = next((folder / "inventory/src/daily/data").iterdir())
    assert [row.key for batch in csv_rows.csv_rows(data, "x", ["Bucket", "Key"]) for row in batch] == [key]


def test_csv_as_s3_writes_it_is_understood(tmp_path: Path) -> None:
    text = (
        '"files","a+b/c%2Bd%3D1.txt","","true","false","0","2024-04-22T01:11:06.000Z","d41d8cd98f00b204e9800998ecf8427e"\n'
        '"files","gone","t5w9","false","true","","2022-12-11T17:55:08.250Z",""\n\n\n'
    )
    columns = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag"
    assert one_file(tmp_path / "x", text, columns) == [
        ObjectVersion("a b/c+d=1.txt", 0, "d41d8cd98f00b204e9800998ecf8427e", "null", 1_713_748_266_000),
        ObjectVersion("gone", None, None, "t5w9", 1_670_781_308_250, is_latest=False, is_delete_marker=True),
    ]


def test_csv_in_several_gzip_members_is_read_to_the_end(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(gzip.compress(b'"b","one"\n') + gzip.compress(b'"b","two"\n'))
    assert [row.key for batch in csv_rows.csv_rows(path, "x", ["Bucket", "Key"]) for row in batch] == ["one", "two"]


def test_csv_columns_may_come_in_any_order(tmp_path: Path) -> None:
    assert one_file(tmp_path / "x", '"7","new","k","b"\n', "Size, Brand New, Key, Bucket") == [ObjectVersion("k", 7)]


@arrow_formats
def test_times_without_a_zone_are_utc(tmp_path: Path, file_format: str) -> None:
    times = pa.array([datetime(2026, 1, 2, 3, 4, 5, 678_000), None], pa.timestamp("ns"))
    found = arrow_file(tmp_path / "x", {"key": ["a", "b"], "last_modified_date": times}, file_format)
    wanted = int(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()) * 1000 + 678
    assert [row.modified_ms for row in found] == [wanted, None]


@arrow_formats
def test_the_names_of_a_metadata_export_are_known(tmp_path: Path, file_format: str) -> None:
    found = arrow_file(tmp_path / "x", {"key": ["a"], "is_multipart": [True], "e_tag": ["abc"]}, file_format)
    assert found == [ObjectVersion("a", None, "abc", is_multipart=True)]


@arrow_formats
def test_keys_are_not_decoded_and_a_missing_version_is_null(tmp_path: Path, file_format: str) -> None:
    columns = {"key": ["a%20b+c", "d"], "version_id": pa.array([None, ""], pa.string())}
    found = arrow_file(tmp_path / "x", columns, file_format)
    assert [(row.key, row.version_id) for row in found] == [("a%20b+c", "null"), ("d", "null")]


async def test_the_schema_of_the_manifest_is_not_asked_for_parquet(tmp_path: Path) -> None:
    manifest = deliver(tmp_path, [{"key": "a"}], Shape("Parquet"))
    other = pa.table({"size": [5], "key": ["other"]})
    replace_data(manifest, packed(other, "Parquet"), fileSchema="message nonsense")
    assert await read(manifest, tmp_path / "work") == [ObjectVersion("other", 5)]
