"""Inventory reports that cannot be believed: refused whole, and the plan that is there stays as it is."""

from __future__ import annotations

import gzip
import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.refusals import refused
from tests.acceptance.world import World

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.servers, pytest.mark.acceptance]


@pytest.fixture(scope="module")
def planned(shared_world: World) -> World:
    """A plan of eight objects, from a listing."""
    shared_world.put_many(8)
    shared_world.plan()
    return shared_world


def data_files(manifest: Path) -> list[Path]:
    root = manifest.parents[3]
    return [root / file["key"] for file in json.loads(manifest.read_text())["files"]]


def sign(manifest: Path) -> None:
    """Let the checksums fit what the files hold now: the damage is then in the content."""
    document = json.loads(manifest.read_text())
    for entry, path in zip(document["files"], data_files(manifest), strict=True):
        content = path.read_bytes()
        entry |= {"size": len(content), "MD5checksum": hashlib.md5(content).hexdigest()}
    manifest.write_text(json.dumps(document))
    (manifest.parent / "manifest.checksum").write_text(hashlib.md5(manifest.read_bytes()).hexdigest())


def wrong_checksum(manifest: Path) -> None:
    manifest.write_text(manifest.read_text().replace("daily", "dally"))


def not_json(manifest: Path) -> None:
    manifest.write_text("{")
    (manifest.parent / "manifest.checksum").write_text(hashlib.md5(b"{").hexdigest())


def incomplete(manifest: Path) -> None:
    (manifest.parent / "manifest.checksum").unlink()


def missing_file(manifest: Path) -> None:
    data_files(manifest)[1].unlink()


def cut_short(manifest: Path) -> None:
    """Rows are missing, as after an interrupted download."""
    path = data_files(manifest)[1]
    path.write_bytes(path.read_bytes()[:-20])


def changed_bytes(manifest: Path) -> None:
    path = data_files(manifest)[1]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def broken_packing(manifest: Path) -> None:
    """Half a file in which the manifest nevertheless believes."""
    path = data_files(manifest)[1]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    sign(manifest)


def column_missing(manifest: Path) -> None:
    path = data_files(manifest)[0]
    path.write_bytes(gzip.compress(b'"acme","key","extra"\n'))
    sign(manifest)


@pytest.mark.parametrize(
    ("file_format", "damage", "code"),
    [
        ("CSV", wrong_checksum, "E422-MANIFEST"),
        ("CSV", not_json, "E422-MANIFEST"),
        ("CSV", incomplete, "E409-INVENTORY-INCOMPLETE"),
        ("Parquet", missing_file, "E404-INVENTORY-FILE"),
        ("ORC", cut_short, "E422-INVENTORY-FILE"),
        ("Parquet", changed_bytes, "E422-INVENTORY-FILE"),
        ("CSV", broken_packing, "E422-INVENTORY-FILE"),
        ("ORC", broken_packing, "E422-INVENTORY-FILE"),
        ("Parquet", broken_packing, "E422-INVENTORY-FILE"),
        ("CSV", column_missing, "E422-INVENTORY-FILE"),
    ],
)
def test_a_damaged_report_is_refused_whole(
    planned: World, tmp_path: Path, file_format: str, damage: Callable[[Path], None], code: str
) -> None:
    manifest = planned.write_inventory(tmp_path / "report", file_format)
    damage(manifest)
    error = refused(planned, "plan", "--inventory", str(manifest), code=code, exit_code=3)
    assert error["cause"]


def test_a_data_file_that_is_missing_in_the_bucket_is_named(world: World) -> None:
    world.put_many(8)
    world.blobs.create_container()
    manifest = world.deliver_inventory("CSV")
    bucket = f"{world.bucket}-inventory"
    data = [item["Key"] for item in world.s3.list_objects_v2(Bucket=bucket)["Contents"] if "/data/" in item["Key"]]
    world.s3.delete_object(Bucket=bucket, Key=data[-1])
    error = refused(world, "plan", "--source", world.source, "--destination", world.destination, "--inventory",
                    manifest, code="E404-INVENTORY-FILE", exit_code=3)
    assert data[-1].rpartition("/")[2] in error["message"]


def test_the_inventory_of_another_bucket_is_refused(world: World, planned: World, tmp_path: Path) -> None:
    world.put("a.pdf", b"a")
    manifest = world.write_inventory(tmp_path / "report", "CSV")
    error = refused(planned, "plan", "--inventory", str(manifest), code="E409-INVENTORY-BUCKET", exit_code=3)
    assert world.bucket in error["message"]
    assert planned.bucket in error["message"]


@pytest.mark.parametrize("address", ["s3://{bucket}-nothing/inventory/", "s3://{bucket}/nothing/here/", "no-folder"])
def test_no_inventory_at_the_address(planned: World, address: str) -> None:
    code = "E404-BUCKET" if "-nothing" in address else "E404-INVENTORY"
    refused(planned, "plan", "--inventory", address.format(bucket=planned.bucket), code=code, exit_code=2)


def test_a_file_of_keys_with_a_bad_line_is_refused_with_its_number(planned: World, tmp_path: Path) -> None:
    keys = tmp_path / "keys.jsonl"
    keys.write_text('{"key": "a"}\n{"key": \n')
    error = refused(planned, "plan", "--keys", str(keys), code="E422-KEYS", exit_code=2)
    assert "line 2" in error["cause"]
