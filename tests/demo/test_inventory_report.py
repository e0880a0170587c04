"""The fabricated report has the bytes and the layout of a real one."""

from __future__ import annotations

import gzip
import hashlib
import io
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pyarrow import parquet

from blobmove.demo.inventory_report import write_report

ROW = {"key": "a b+c/é.pdf", "size": 5, "last_modified_date": datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)}


def delivered(rows: list[dict[str, Any]], format: str = "CSV", fields: Sequence[str] = ("Size",)) -> dict[str, bytes]:
    """Key → content, in the order of delivery."""
    put: dict[str, bytes] = {}
    write_report(
        rows,
        source_bucket="src",
        destination_bucket="dest",
        prefix="inv",
        config_id="daily",
        format=format,
        when=datetime(2026, 11, 20, 2, 30, tzinfo=timezone(timedelta(hours=1))),
        put=put.__setitem__,
        versions=False,
        fields=fields,
        rows_per_file=1,
    )
    return put


def test_files_land_where_s3_puts_them_and_the_checksum_comes_last() -> None:
    keys = list(delivered([ROW, ROW]))
    assert [key.rpartition("/")[0] for key in keys[:2]] == ["inv/src/daily/data"] * 2
    assert keys[2:] == [
        "inv/src/daily/hive/dt=2026-11-20-01-30/symlink.txt",
        "inv/src/daily/2026-11-20T01-30Z/manifest.json",
        "inv/src/daily/2026-11-20T01-30Z/manifest.checksum",
    ]


def test_the_manifest_has_the_style_of_a_real_one() -> None:
    put = delivered([ROW, ROW])
    first, second, links, manifest, checksum = put
    lines = [
        "{",
        '  "sourceBucket" : "src",',
        '  "destinationBucket" : "arn:aws:s3:::dest",',
        '  "version" : "2016-11-30",',
        '  "creationTimestamp" : "1795138200000",',
        '  "fileFormat" : "CSV",',
        '  "fileSchema" : "Bucket, Key, Size",',
        '  "files" : [ {',
        f'    "key" : "{first}",',
        f'    "size" : {len(put[first])},',
        f'    "MD5checksum" : "{hashlib.md5(put[first]).hexdigest()}"',
        "  }, {",
        f'    "key" : "{second}",',
        f'    "size" : {len(put[second])},',
        f'    "MD5checksum" : "{hashlib.md5(put[second]).hexdigest()}"',
        "  } ]",
        "}",
    ]
    assert put[manifest].decode() == "\n".join(lines)
    assert put[checksum].decode() == hashlib.md5(put[manifest]).hexdigest() + "\n"
    assert put[links].decode() == f"s3://dest/{first}\ns3://dest/{second}"


def test_a_csv_line_is_quoted_and_its_key_encoded() -> None:
    data = next(iter(delivered([ROW], fields=("ETag", "LastModifiedDate", "Size")).values()))
    assert gzip.decompress(data) == b'"src","a+b%2Bc/%C3%A9.pdf","5","2026-01-02T03:04:05.678Z",""\n'


def test_parquet_has_the_required_and_optional_columns_of_s3() -> None:
    put = delivered([ROW], "Parquet", fields=("LastModifiedDate", "Size"))
    file = parquet.ParquetFile(io.BytesIO(next(iter(put.values()))))
    columns = str(file.schema).splitlines()[2:-1]
    assert [line.strip() for line in columns] == [
        "required binary field_id=-1 bucket (String);",
        "required binary field_id=-1 key (String);",
        "optional int64 field_id=-1 size;",
        "optional int64 field_id=-1 last_modified_date (Timestamp(isAdjustedToUTC=true, timeUnit=milliseconds, "
        "is_from_converted_type=false, force_set_converted_type=false));",
    ]
    assert file.metadata.row_group(0).column(1).compression == "SNAPPY"


def test_the_same_rows_make_the_same_bytes() -> None:
    assert delivered([ROW]) == delivered([ROW])


def test_an_unknown_field_or_format_is_refused() -> None:
    with pytest.raises(ValueError, match="Colour"):
        delivered([ROW], fields=("Colour",))
    with pytest.raises(ValueError, match="Avro"):
        delivered([ROW], "Avro")
