"""Every damage to a report is one error with a stable code that names the file, and leaves nothing behind."""

from __future__ import annotations

import errno
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from blobmove.core.errors import RefusedError, UsageError
from blobmove.stores.inventory.data_files import rows
from blobmove.stores.inventory.report_files import FolderFiles
from tests.stores.inventory.reports import (
    FORMATS,
    Shape,
    data_files,
    deliver,
    find,
    read,
    replace_data,
    sign,
    some_objects,
)
from tests.stores.inventory.test_rows import packed

each_format = pytest.mark.parametrize("file_format", FORMATS)


async def refused(manifest: Path, workdir: Path) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        await read(manifest, workdir)
    assert list(workdir.iterdir()) == []
    assert caught.value.hint
    return caught.value


@each_format
async def test_a_missing_data_file_is_named_with_the_places_looked_at(tmp_path: Path, file_format: str) -> None:
    manifest = deliver(tmp_path, some_objects(), Shape(file_format))
    last = data_files(manifest)[-1]
    last.unlink()
    error = await refused(manifest, tmp_path / "work")
    assert error.code == "E404-INVENTORY-FILE"
    assert last.name in error.message
    assert f"data/{last.name}" in str(error.cause)


@each_format
async def test_a_truncated_data_file_is_refused(tmp_path: Path, file_format: str) -> None:
    manifest = deliver(tmp_path, some_objects(), Shape(file_format))
    first = data_files(manifest)[0]
    content = first.read_bytes()
    first.write_bytes(content[:-10])
    error = await refused(manifest, tmp_path / "work")
    assert error.code == "E422-INVENTORY-FILE"
    assert f"{len(content) - 10:,} bytes" in str(error.cause)


@each_format
async def test_a_flipped_bit_in_a_data_file_is_refused_by_its_md5(tmp_path: Path, file_format: str) -> None:
    manifest = deliver(tmp_path, some_objects(), Shape(file_format))
    first = data_files(manifest)[0]
    content = bytearray(first.read_bytes())
    content[len(content) // 2] ^= 1
    first.write_bytes(content)
    error = await refused(manifest, tmp_path / "work")
    assert (error.code, "MD5" in str(error.cause)) == ("E422-INVENTORY-FILE", True)


@each_format
@pytest.mark.parametrize("damage", ["cut", "garbage", "empty", "hole"])
async def test_a_broken_file_whose_md5_fits_is_refused_too(tmp_path: Path, file_format: str, damage: str) -> None:
    manifest = deliver(tmp_path, some_objects() * 200, Shape(file_format, rows_per_file=9_999))
    content = data_files(manifest)[0].read_bytes()
    third = len(content) // 3
    replace_data(
        manifest,
        {
            "cut": content[:-third],
            "garbage": b"<Error>AccessDenied</Error>",
            "empty": b"PAR1",
            "hole": content[:third] + b"\xff" * third + content[2 * third :],
        }[damage],
    )
    error = await refused(manifest, tmp_path / "work")
    assert error.code == "E422-INVENTORY-FILE"
    assert data_files(manifest)[0].name in error.message


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('"src","k"', "has 2 columns"),
        ('"src","k","1","x"', "has 4 columns"),
        ('"src","k","many"', "size is 'many'"),
        ('"src","k","-1"', "size is '-1'"),
        ('"src","k","9223372036854775808"', "size is '9223372036854775808'"),
        ('"src","","1"', "key is ''"),
        ('"src","%FF","1"', "key is '%FF'"),
        ('"src","k"x,"1"', "line 3"),
    ],
)
async def test_a_csv_line_that_makes_no_sense_is_named_by_its_number(tmp_path: Path, line: str, why: str) -> None:
    manifest = deliver(tmp_path, [{"key": "a"}], Shape(versions=False, fields=("Size",)))
    replace_data(manifest, gzip.compress(f'"src","first","1"\n\n{line}\n"src","last","1"\n'.encode()))
    error = await refused(manifest, tmp_path / "work")
    assert error.code == "E422-INVENTORY-FILE"
    assert "line 3" in str(error.cause) or "after line 2" in str(error.cause)
    assert why in str(error.cause)


@pytest.mark.parametrize(("column", "value"), [("IsLatest", "yes"), ("LastModifiedDate", "yesterday")])
async def test_a_csv_value_of_the_wrong_kind_is_shown(tmp_path: Path, column: str, value: str) -> None:
    manifest = deliver(tmp_path, [{"key": "a"}])
    replace_data(manifest, gzip.compress(f'"k","{value}"\n'.encode()), fileSchema=f"Key, {column}")
    assert f"'{value}'" in str((await refused(manifest, tmp_path / "work")).cause)


@pytest.mark.parametrize("file_format", ["ORC", "Parquet"])
@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"name": ["a"]}, "no column key"),
        ({"key": pa.array(["a", None])}, "no key"),
        ({"key": ["a"], "size": ["many"]}, "many"),
        ({"key": ["a", "b"], "size": [1, -1]}, "size -1"),
    ],
)
async def test_an_arrow_file_with_the_wrong_columns_is_refused(
    tmp_path: Path, file_format: str, columns: dict[str, list[str]], why: str
) -> None:
    manifest = deliver(tmp_path, [{"key": "a"}], Shape(file_format))
    replace_data(manifest, packed(pa.table(columns), file_format))
    error = await refused(manifest, tmp_path / "work")
    assert error.code == "E422-INVENTORY-FILE"
    assert why in str(error.cause)


async def test_a_file_of_another_format_than_the_manifest_says_is_refused(tmp_path: Path) -> None:
    manifest = deliver(tmp_path, [{"key": "a"}], Shape("Parquet"))
    replace_data(manifest, data_files(manifest)[0].read_bytes(), fileFormat="ORC")
    assert (await refused(manifest, tmp_path / "work")).code == "E422-INVENTORY-FILE"


async def test_a_manifest_that_does_not_fit_its_checksum_is_refused(tmp_path: Path) -> None:
    manifest = deliver(tmp_path, some_objects())
    manifest.with_name("manifest.checksum").write_text("0" * 32 + "\n")
    error = await refused(manifest, tmp_path / "work")
    assert error.code == "E422-MANIFEST"
    assert "0" * 32 in str(error.cause)


async def test_a_manifest_without_its_checksum_is_not_complete(tmp_path: Path) -> None:
    manifest = deliver(tmp_path, some_objects())
    manifest.with_name("manifest.checksum").unlink()
    assert (await refused(manifest, tmp_path / "work")).code == "E409-INVENTORY-INCOMPLETE"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"sourceBucket": None}, "sourceBucket"),
        ({"destinationBucket": 5}, "destinationBucket"),
        ({"fileFormat": "Avro"}, "'Avro'"),
        ({"fileSchema": "Bucket, Size"}, "no Key"),
        ({"creationTimestamp": "yesterday"}, "creationTimestamp"),
        ({"creationTimestamp": "9" * 30}, ""),
        ({"files": {}}, "files"),
        ({"files": [7]}, "files[0]"),
        ({"files": [{"key": "k", "size": "7", "MD5checksum": "0" * 32}]}, "files[0].size"),
        ({"files": [{"key": "k", "size": 7, "MD5checksum": "short"}]}, "files[0].MD5checksum"),
        ({"files": [{"size": 7, "MD5checksum": "0" * 32}]}, "files[0].key"),
    ],
)
async def test_a_manifest_field_that_is_wrong_is_named(
    tmp_path: Path, changes: dict[str, object], why: str
) -> None:
    manifest = deliver(tmp_path, some_objects())
    sign(manifest, json.dumps(json.loads(manifest.read_bytes()) | changes).encode())
    error = await refused(manifest, tmp_path / "work")
    assert error.code == "E422-MANIFEST"
    assert why in str(error.cause)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff\xfe", b'"text"'])
async def test_a_manifest_that_is_no_json_object_is_refused(tmp_path: Path, content: bytes) -> None:
    manifest = deliver(tmp_path, some_objects())
    sign(manifest, content)
    assert (await refused(manifest, tmp_path / "work")).code == "E422-MANIFEST"


async def test_a_manifest_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"x")
    manifest = deliver(tmp_path / "copy", some_objects())
    document = json.loads(manifest.read_bytes())
    document["files"][0]["key"] = "../../../../secret"
    sign(manifest, json.dumps(document).encode())
    assert (await refused(manifest, tmp_path / "work")).code == "E404-INVENTORY-FILE"


async def test_a_full_disk_says_where_room_is_needed_and_leaves_nothing(tmp_path: Path) -> None:
    class FullDisk(FolderFiles):
        async def fetch(self, key: str, path: Path) -> None:
            path.write_bytes(b"the beginning")
            raise OSError(errno.ENOSPC, "No space left on device")

    report = await find(deliver(tmp_path, some_objects()), tmp_path / "work")
    with pytest.raises(UsageError) as caught:
        await anext(rows(report.manifest, FullDisk(tmp_path), tmp_path / "work"))
    assert caught.value.code == "E507-INVENTORY-FILE"
    assert str(tmp_path / "work") in str(caught.value.cause)
    assert list((tmp_path / "work").iterdir()) == []


async def test_the_report_of_another_bucket_is_refused_naming_both(tmp_path: Path) -> None:
    manifest = deliver(tmp_path, some_objects())
    (tmp_path / "work").mkdir()
    with pytest.raises(RefusedError, match=r"src.*other") as caught:
        await read(manifest, tmp_path / "work", bucket="other")
    assert caught.value.code == "E409-INVENTORY-BUCKET"


def test_orc_on_a_system_without_time_zones_says_what_to_install(tmp_path: Path) -> None:
    orc_file = data_files(deliver(tmp_path, some_objects(), Shape("ORC")))[0]
    program = (
        "import sys, pathlib\n"
        "from blobmove.core.errors import UsageError\n"
        "from blobmove.stores.inventory.arrow_rows import orc_rows\n"
        "try: list(orc_rows(pathlib.Path(sys.argv[1]), 'x'))\n"
        "except UsageError as error: print(error.code, error.hint)\n"
    )
    environment = os.environ | {"TZDIR": str(tmp_path / "no-such-folder")}
    command = [sys.executable, "-c", program, str(orc_file)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("E500-TZDATA apt-get install tzdata")
