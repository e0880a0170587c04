"""`report --objects`: the same record in three formats, complete or not at all."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import pytest
from pyarrow import parquet

from blobmove.core.errors import UsageError
from blobmove.views.objects import FIELDS, write_objects

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

ROW: Mapping[str, object] = {
    "key": "=cmd|'/c calc'!A1,\n\"quoted\"", "version_id": None, "size": 5, "state": "copied", "attempts": 1,
    "proof": "etag-md5", "md5": b"\x01" * 16, "crc64": "00ff", "blob_name": "half \ud800", "rails_id": 17,
    "seconds": 0.25, "notes": ("metadata-renamed", "disposition-encoded"),
}
CONTRACT = [
    "key", "version_id", "size", "state", "reason", "error", "attempts", "proof", "md5", "crc64", "source_etag",
    "blob_name", "blob_etag", "content_type", "storage_class", "rails_id", "rails_service", "settled_at", "seconds",
]


def test_the_columns_are_those_of_the_contract_in_its_order() -> None:
    assert list(FIELDS)[: len(CONTRACT)] == CONTRACT


def test_csv_keeps_what_looks_like_a_formula_quoted(tmp_path: Path) -> None:
    path = tmp_path / "objects.csv"
    assert write_objects(path, [ROW, ROW]) == 2
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["key"] == ROW["key"]
    assert path.read_text().splitlines()[1].startswith('"=cmd|')
    assert (rows[1]["md5"], rows[1]["size"], rows[1]["blob_name"]) == ("01" * 16, "5", "half \\ud800")
    assert rows[0]["notes"] == "metadata-renamed disposition-encoded"


def test_json_lines_keep_numbers_and_nothing(tmp_path: Path) -> None:
    path = tmp_path / "objects.jsonl"
    assert write_objects(path, [ROW]) == 1
    record = json.loads(path.read_text())
    assert list(record) == list(FIELDS)
    assert (record["size"], record["seconds"], record["version_id"], record["rails_id"]) == (5, 0.25, None, "17")


def test_parquet_is_typed_also_without_rows(tmp_path: Path) -> None:
    path = tmp_path / "objects.parquet"
    assert write_objects(path, iter([ROW] * 3)) == 3
    table = parquet.read_table(path)
    assert table.column_names == list(FIELDS)
    assert table.to_pylist()[2]["md5"] == "01" * 16
    assert write_objects(path, []) == 0
    assert str(parquet.read_schema(path).field("size").type) == "int64"


def test_more_rows_than_a_page_arrive_in_order(tmp_path: Path) -> None:
    path = tmp_path / "objects.parquet"
    assert write_objects(path, ({"key": str(number), "size": number} for number in range(10_001))) == 10_001
    assert parquet.read_table(path).column("size").to_pylist() == list(range(10_001))


def test_a_report_that_fails_leaves_the_former_one_and_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "objects.csv"
    write_objects(path, [ROW])
    before = path.read_bytes()

    def rows() -> Iterator[Mapping[str, object]]:
        yield ROW
        raise RuntimeError("the checkpoint broke")

    with pytest.raises(RuntimeError):
        write_objects(path, rows())
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_another_ending_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        write_objects(tmp_path / "objects.xlsx", [ROW])
    assert caught.value.code == "E400-FORMAT"
    assert list(tmp_path.iterdir()) == []
