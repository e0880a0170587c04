"""Where the list of objects comes from, what is chosen of it, and what a newer plan makes of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote_plus

import pytest

from tests.acceptance.checkpoint_file import rows
from tests.acceptance.world import noise

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.world import World

pytestmark = [pytest.mark.servers, pytest.mark.acceptance]

ODD_KEYS = (
    "plain.pdf", "with space+plus.pdf", "März/Müller & Söhne.pdf", "100%/a%20b.csv", "twice//slash.tif",
    " edges .png", "what?#is=this&that;,'(1)!*~.csv", "\U0001f4e6.csv", "Case.csv", "case.csv",
)  # fmt: skip
"""Keys that break a tool which encodes once too often or too rarely."""


def put_odd_objects(world: World) -> list[str]:
    """Objects with every header that is kept, odd names, no bytes, and bytes that are compressed."""
    for key in ODD_KEYS:
        world.put(key, noise(key, 300), ContentType="application/pdf")
    world.put("empty.csv", b"", ContentType="text/csv")
    world.put(
        "all-headers.csv.gz", noise("gzip", 500), ContentType="text/csv; charset=utf-8", ContentEncoding="gzip",
        ContentDisposition="attachment; filename=\"a.csv\"; filename*=UTF-8''%C3%A4.csv", ContentLanguage="de, en",
        CacheControl="public, max-age=60", Metadata={"invoice-number": "4711", "tenant": "acme", "2nd": "copy"},
    )  # fmt: skip
    world.put("no-type.dat", b"S3 says binary/octet-stream")
    return [*ODD_KEYS, "empty.csv", "all-headers.csv.gz", "no-type.dat"]


@pytest.mark.parametrize(
    ("file_format", "form"), [("CSV", "prefix"), ("ORC", "manifest"), ("Parquet", "folder"), ("CSV", "local manifest")]
)
def test_everything_in_an_inventory_arrives_byte_for_byte(
    world: World, tmp_path: Path, file_format: str, form: str
) -> None:
    keys = put_odd_objects(world)
    if form in ("folder", "local manifest"):
        manifest = world.write_inventory(tmp_path / "report", file_format)
        address = str(manifest if form == "local manifest" else tmp_path / "report")
    else:
        manifest_address = world.deliver_inventory(file_format)
        address = manifest_address.rpartition("/")[0].rpartition("/")[0] + "/" if form == "prefix" else manifest_address
    document = world.plan("--inventory", address).document
    assert document["inventory"] | {"created": None} == {
        "format": file_format, "created": None, "files": 3, "rows": len(keys), "outside": 0, "twice": 0,
    }  # fmt: skip
    summary = world.copy()
    assert summary["outcomes"]["copied"] == summary["planned"] == len(keys)
    assert summary["requests"] == {"s3": {"GetObject": len(keys)}, "azure": {"PutBlob": len(keys)}}
    world.assert_moved(*keys)


def test_everything_in_a_listing_arrives_byte_for_byte(world: World) -> None:
    keys = put_odd_objects(world)
    assert world.plan("--list").document["inventory"]["format"] == "list"
    assert world.outcomes() == {"copied": len(keys)}
    world.assert_moved(*keys)


def test_a_plain_file_of_keys_is_enough_and_says_nothing_of_sizes(world: World) -> None:
    keys = put_odd_objects(world)
    (world.desk / "keys.txt").write_text("".join(f"{key}\n" for key in [*keys, "never-was.pdf"]))
    document = world.plan("--keys", "keys.txt").document
    assert document["inventory"]["format"] == "keys"
    assert document["objects"]["unknown_sizes"] == document["objects"]["to_copy"] == len(keys) + 1
    assert world.outcomes() == {"copied": len(keys), "gone": 1}
    world.assert_moved(*keys)


def test_a_file_of_s3_batch_operations_names_keys_url_encoded(world: World) -> None:
    keys = put_odd_objects(world)
    lines = [f"{world.bucket},{quote_plus(key)}\n" for key in keys]
    (world.desk / "keys.csv").write_text("".join(lines))
    assert world.plan("--keys", "keys.csv").document["objects"]["to_copy"] == len(keys)
    assert {key for (key,) in rows(world.checkpoint, "SELECT key FROM object")} == set(keys)


def test_json_lines_may_name_sizes_and_etags(world: World) -> None:
    body = world.put("one.pdf", noise("one", 70))
    etag = world.s3.head_object(Bucket=world.bucket, Key="one.pdf")["ETag"]
    lines = [{"key": "one.pdf", "size": 70, "etag": etag}, {"key": "stale.pdf", "size": 9, "etag": "0" * 32}]
    world.put("stale.pdf", b"something")
    (world.desk / "keys.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    assert world.plan("--keys", "keys.jsonl").document["bytes"]["to_copy"] == 79
    summary = world.copy(expect=1)
    assert (summary["outcomes"]["copied"], summary["outcomes"]["changed"]) == (1, 1)
    assert summary["requests"]["s3"] == {"GetObject": 2}
    assert world.body("one.pdf") == body


def test_keys_are_read_from_standard_input(world: World) -> None:
    keys = world.put_many(3)
    document = world.plan("--keys", "-", stdin="\n".join(keys)).document
    assert document["objects"]["to_copy"] == 3


def test_a_prefix_and_globs_choose_and_everything_left_out_is_counted(world: World) -> None:
    world.put_many(4, prefix="invoices/")
    world.put_many(3, prefix="temp/")
    world.put("invoices/index.html", b"<html>")
    objects = world.plan("--exclude", "temp/*", "--exclude", "*.html").document["objects"]
    assert (objects["listed"], objects["to_copy"], objects["skipped"]) == (8, 4, {"excluded": 4})
    narrow = world.run("plan", "--source", f"{world.source}/temp/", "--destination", world.destination, "--list",
                       "--checkpoint", "tmp.db", "--json").document
    assert (narrow["objects"]["listed"], narrow["objects"]["to_copy"]) == (3, 3)


def test_a_prefix_leaves_rows_of_an_inventory_outside(world: World) -> None:
    world.put_many(4, prefix="invoices/")
    world.put_many(3, prefix="temp/")
    document = world.plan("--inventory", world.deliver_inventory("Parquet"), "--prefix", "invoices/").document
    assert (document["inventory"]["rows"], document["inventory"]["outside"]) == (7, 3)
    assert (document["objects"]["listed"], document["objects"]["to_copy"]) == (4, 4)
    world.copy()
    assert {blob.name for blob in world.blobs.list_blobs()} == {f"invoices/{n:03d}.pdf" for n in range(4)}


def test_only_what_rails_names_is_planned_when_asked_for(world: World) -> None:
    keys = world.put_many(5)
    app = world.database()
    for key in keys[:2]:
        app.add(key, noise(key, 100))
    objects = world.plan("--only-referenced").document["objects"]
    assert (objects["listed"], objects["to_copy"], objects["skipped"]) == (5, 2, {"not-referenced": 3})


def test_older_versions_are_moved_beside_the_current_one(world: World) -> None:
    world.put("a.pdf", b"written before versioning")
    world.switch_on_versions()
    for body in (b"second", b"third"):
        world.put("a.pdf", body)
    world.put("b.pdf", b"deleted later")
    world.delete("b.pdf")
    document = world.plan("--inventory", world.deliver_inventory("ORC"), "--versions", "all").document
    assert document["objects"]["skipped"] == {"delete-marker": 1}
    assert world.outcomes() == {"copied": 4, "skipped": 1}
    versions = world.s3.list_object_versions(Bucket=world.bucket)["Versions"]
    for version in versions:
        key, version_id = version["Key"], version["VersionId"]
        name = key if version["IsLatest"] else f"{key}~version~{version_id}"
        world.assert_same(key, name, version_id)
    assert len(list(world.blobs.list_blobs())) == len(versions) == 4


def test_a_second_plan_repeats_the_list_of_the_first_and_keeps_what_is_proven(world: World) -> None:
    keys = world.put_many(6)
    world.plan()
    assert world.outcomes() == {"copied": 6}
    world.put(keys[0], b"another version")
    world.put("new.pdf", b"new")
    world.delete(keys[1])
    document = world.replan().document
    assert document["inventory"]["format"] == "list"
    assert {**document["change"], "previous": ""} == {"previous": "", "new": 1, "changed": 1}
    assert (document["objects"]["to_copy"], document["objects"]["settled"]) == (6, 4)
    summary = world.copy()
    assert summary["outcomes"]["copied"] == summary["planned"] == 7
    assert summary["requests"]["s3"] == {"GetObject": 2}
    world.assert_moved(keys[0], "new.pdf", *keys[2:])
    assert world.body(keys[1]) == noise(keys[1], 100), "a file deleted on S3 stays on Azure"


def test_a_second_plan_reads_the_newest_report_of_the_same_inventory(world: World) -> None:
    world.put_many(3)
    manifest = world.deliver_inventory("CSV")
    world.plan("--inventory", manifest.rpartition("/")[0].rpartition("/")[0] + "/")
    assert world.replan().document["inventory"]["rows"] == 3


def test_an_object_listed_twice_is_planned_once(world: World) -> None:
    world.put("a.pdf", b"a")
    document = world.plan("--keys", "-", stdin="a.pdf\na.pdf\n").document
    assert (document["inventory"]["rows"], document["inventory"]["twice"]) == (2, 1)
    assert document["objects"]["listed"] == 1


def test_standard_input_cannot_be_repeated_so_the_next_plan_must_name_its_list(world: World) -> None:
    keys = world.put_many(2)
    world.plan("--keys", "-", stdin="\n".join(keys))
    refused = world.run("plan", "--json", expect=2)
    assert (refused.document["code"], refused.document["message"]) == (
        "E400-USAGE", "a plan needs one of --inventory, --list and --keys",
    )  # fmt: skip
