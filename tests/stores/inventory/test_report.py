"""Which report is meant: by its manifest, by a prefix, by a folder; the newest complete one wins."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from blobmove.core.errors import RefusedError, UsageError
from blobmove.stores.inventory.data_files import rows
from blobmove.stores.inventory.report import find_report, locate
from blobmove.stores.inventory.report_files import FolderFiles
from tests.stores.inventory.reports import CONFIG, Shape, deliver, find, read, some_objects

NEW = Shape(when=datetime(2026, 11, 21, 1, 0, tzinfo=UTC))
OLD = Shape(when=datetime(2026, 11, 20, 1, 0, tzinfo=UTC))


class Bucket(FolderFiles):
    """A folder that is asked as a bucket would be: by its own keys, and nothing is found below what was named."""


async def find_in_bucket(root: Path, address: str, workdir: Path) -> tuple[str, int]:
    """Key of the manifest found at `address`, and the number of rows read through it."""
    workdir.mkdir(exist_ok=True)
    report = await find_report(Bucket(root), locate(address), "src", workdir)
    return report.manifest.key, sum([len(batch) async for batch in rows(report.manifest, Bucket(root), workdir)])


async def test_the_newest_complete_report_is_taken(tmp_path: Path) -> None:
    deliver(tmp_path, some_objects(), OLD)
    deliver(tmp_path, some_objects(), NEW)
    report = await find(tmp_path / CONFIG, tmp_path / "work")
    assert (report.manifest.created, report.notes) == (NEW.when, ())
    assert (report.manifest.source_bucket, report.manifest.destination_bucket) == ("src", "dest")


@pytest.mark.parametrize("missing", [["manifest.checksum"], ["manifest.checksum", "manifest.json"]])
async def test_a_report_still_being_delivered_is_passed_over_and_named(tmp_path: Path, missing: list[str]) -> None:
    deliver(tmp_path, some_objects(), OLD)
    newest = deliver(tmp_path, some_objects(), NEW)
    for name in missing:
        newest.with_name(name).unlink()
    report = await find(tmp_path / CONFIG, tmp_path / "work")
    assert report.manifest.created == OLD.when
    assert ["2026-11-21T01-00Z" in note for note in report.notes] == [True]


async def test_where_no_report_is_complete_planning_is_refused(tmp_path: Path) -> None:
    deliver(tmp_path, some_objects()).with_name("manifest.checksum").unlink()
    with pytest.raises(RefusedError) as caught:
        await find(tmp_path / CONFIG, tmp_path / "work")
    assert caught.value.code == "E409-INVENTORY-INCOMPLETE"


async def test_a_newest_report_with_a_wrong_checksum_is_not_passed_over_silently(tmp_path: Path) -> None:
    deliver(tmp_path, some_objects(), OLD)
    deliver(tmp_path, some_objects(), NEW).with_name("manifest.checksum").write_text("0" * 32)
    with pytest.raises(RefusedError) as caught:
        await find(tmp_path / CONFIG, tmp_path / "work")
    assert caught.value.code == "E422-MANIFEST"


@pytest.mark.parametrize("named", ["", "inventory", CONFIG, f"{CONFIG}/2026-11-20T01-00Z"])
async def test_a_copied_bucket_can_be_named_at_any_height(tmp_path: Path, named: str) -> None:
    deliver(tmp_path / "copy", some_objects(), OLD)
    assert len(await read(tmp_path / "copy" / named, tmp_path / "work")) == len(some_objects())


async def test_a_local_manifest_finds_its_data_beside_the_dated_folder(tmp_path: Path) -> None:
    deliver(tmp_path / "copy", some_objects(), OLD)
    shutil.move(tmp_path / "copy" / CONFIG, tmp_path / "elsewhere")
    manifest = tmp_path / "elsewhere/2026-11-20T01-00Z/manifest.json"
    assert len(await read(manifest, tmp_path / "work")) == len(some_objects())
    assert len(await read(manifest.parents[1], tmp_path / "work")) == len(some_objects())


async def test_reading_leaves_the_local_report_as_it_was(tmp_path: Path) -> None:
    deliver(tmp_path / "copy", some_objects(), OLD)
    before = {path: path.read_bytes() for path in (tmp_path / "copy").rglob("*") if path.is_file()}
    await read(tmp_path / "copy", tmp_path / "work")
    assert {path: path.read_bytes() for path in (tmp_path / "copy").rglob("*") if path.is_file()} == before


async def test_of_several_inventories_the_one_of_the_planned_bucket_is_meant(tmp_path: Path) -> None:
    deliver(tmp_path / "copy", some_objects(), OLD)
    shutil.copytree(tmp_path / "copy/inventory/src", tmp_path / "copy/inventory/another")
    report = await find(tmp_path / "copy", tmp_path / "work")
    assert report.manifest.key.startswith("inventory/src/")
    shutil.copytree(tmp_path / "copy" / CONFIG, tmp_path / "copy/inventory/src/weekly")
    with pytest.raises(UsageError, match="several inventories") as caught:
        await find(tmp_path / "copy", tmp_path / "work")
    assert "inventory/src/weekly/" in str(caught.value.cause)


@pytest.mark.parametrize(
    "tail", ["", "/", "/2026-11-20T01-00Z", "/2026-11-20T01-00Z/", "/2026-11-20T01-00Z/manifest.json"]
)
async def test_a_report_in_a_bucket_is_found_by_each_form_of_address(tmp_path: Path, tail: str) -> None:
    deliver(tmp_path, some_objects(), OLD)
    found = await find_in_bucket(tmp_path, f"s3://dest/{CONFIG}{tail}", tmp_path / "work")
    assert found == (f"{CONFIG}/2026-11-20T01-00Z/manifest.json", len(some_objects()))


async def test_two_slashes_in_the_prefix_are_kept_and_the_data_found_through_the_manifest(tmp_path: Path) -> None:
    """With a destination prefix that ends in `/` S3 wrote below `inventory//src/`, the manifest said otherwise."""
    deliver(tmp_path, some_objects(), OLD)

    class Trap(Bucket):
        async def list_folders(self, prefix: str) -> list[str]:
            assert prefix.startswith("inventory//")
            found = await super().list_folders(prefix.replace("//", "/"))
            return [folder.replace("inventory/", "inventory//") for folder in found]

        async def fetch(self, key: str, path: Path) -> None:
            if not key.startswith("inventory//"):
                raise FileNotFoundError(key)
            await super().fetch(key, path)

    work = tmp_path / "work"
    work.mkdir()
    report = await find_report(Trap(tmp_path), locate("s3://dest/inventory//src/daily/"), "src", work)
    assert sum([len(batch) async for batch in rows(report.manifest, Trap(tmp_path), work)]) == len(some_objects())


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("s3://dest/inventory/src/", "E404-INVENTORY"),
        ("s3://dest/nothing/here/", "E404-INVENTORY"),
        ("s3://dest", "E404-INVENTORY"),
        ("s3://dest/nothing/manifest.json", "E404-INVENTORY"),
        (f"s3://dest/{CONFIG}/2020-01-01T01-00Z/", "E404-INVENTORY"),
        ("s3:///inventory", "E400-INVENTORY"),
        ("https://dest.s3.amazonaws.com/inventory/", "E400-INVENTORY"),
    ],
)
async def test_an_address_without_a_report_is_one_clear_error(tmp_path: Path, address: str, code: str) -> None:
    deliver(tmp_path, some_objects(), OLD)
    with pytest.raises(UsageError) as caught:
        await find_in_bucket(tmp_path, address, tmp_path / "work")
    assert (caught.value.code, bool(caught.value.hint)) == (code, True)


@pytest.mark.parametrize(("name", "code"), [("nowhere", "E404-INVENTORY"), ("data.csv.gz", "E400-INVENTORY")])
def test_a_local_path_that_is_no_report_is_one_clear_error(tmp_path: Path, name: str, code: str) -> None:
    (tmp_path / "data.csv.gz").touch()
    with pytest.raises(UsageError) as caught:
        locate(str(tmp_path / name))
    assert caught.value.code == code


async def test_an_empty_folder_has_no_report(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        await find(tmp_path, tmp_path.with_name("work"))
    assert caught.value.code == "E404-INVENTORY"
