"""The way back on the emulators: files born on Azure go to S3, also when the run is killed, and lose nothing."""

from __future__ import annotations

import json
import signal
from hashlib import md5
from typing import TYPE_CHECKING, Any

import pytest
from azure.storage.blob import BlobBlock, ContentSettings

from tests.acceptance.world import counted, noise

if TYPE_CHECKING:
    from tests.acceptance.commands import Run
    from tests.acceptance.world import World

pytestmark = [pytest.mark.servers, pytest.mark.acceptance]

MIB = 1 << 20
PARTS = ("--whole-object-limit", "1MiB", "--block-size", "5MiB")


def planned(world: World) -> World:
    """A finished copy of one object."""
    world.put("old", b"old")
    world.plan()
    world.copy()
    return world


def keys(world: World, *names: str) -> None:
    (world.desk / "born.txt").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")


def back(world: World, *words: str, expect: int = 0) -> dict[str, Any]:
    run: Run = world.run("copy", "--reverse", "--resume", "--json", "--keys", "born.txt", *words, expect=expect)
    summary = run.summary
    assert summary["planned"] == sum(summary["outcomes"].values())
    return summary


def in_s3(world: World, key: str) -> bytes:
    return bytes(world.s3.get_object(Bucket=world.bucket, Key=key)["Body"].read())


def in_blocks(world: World, name: str, body: bytes, claimed: bytes | None) -> None:
    """A blob as an SDK writes a large one: Azure stores the MD5 that it is told, and does not look."""
    client = world.blobs.get_blob_client(name)
    half = len(body) // 2
    client.stage_block("YQ==", body[:half])
    client.stage_block("Yg==", body[half:])
    settings = ContentSettings(content_md5=bytearray(claimed)) if claimed else None
    client.commit_block_list([BlobBlock("YQ=="), BlobBlock("Yg==")], content_settings=settings)


def test_files_of_every_kind_go_back_and_forth_without_a_difference(world: World) -> None:
    planned(world)
    large, blocks = noise("large", 11 * MIB), noise("blocks", 90_000)
    world.blobs.upload_blob(
        "png", noise("png", 5000), metadata={"rename_a_b": "v", "rename_key_a_b": "a-b", "owner": "jo"},
        content_settings=ContentSettings(content_type="image/png", cache_control="max-age=60",
                                         content_disposition='inline; filename="a.png"'),
    )  # fmt: skip
    world.put_blob("large", large)
    world.put_blob("empty", b"")
    in_blocks(world, "claimed", blocks, md5(blocks).digest())
    in_blocks(world, "wrongly claimed", blocks, b"0" * 16)
    in_blocks(world, "unclaimed", blocks, None)
    keys(world, "png", "large", "empty", "claimed", "wrongly claimed", "unclaimed")

    summary = back(world, *PARTS)

    assert counted(summary) == {"copied": 6}
    assert summary["proofs"] == {"azure-md5": 4, "read-back": 2}
    assert summary["notes"] == {"content-md5-differs": 1}
    assert in_s3(world, "large") == large
    assert in_s3(world, "wrongly claimed") == blocks
    told = world.s3.head_object(Bucket=world.bucket, Key="png")
    assert (told["ContentType"], told["CacheControl"]) == ("image/png", "max-age=60")
    assert told["ContentDisposition"] == 'inline; filename="a.png"'
    assert told["Metadata"] == {"a-b": "v", "owner": "jo"}
    assert "Uploads" not in world.s3.list_multipart_uploads(Bucket=world.bucket)
    world.replan("--list")
    again = world.copy(expect=1)  # which never takes a blob for the same whose stored MD5 says otherwise
    assert (counted(again), again["reasons"]) == (
        {"copied": 1, "present": 5, "conflict": 1}, {"destination-differs": 1})


def test_an_object_that_is_there_and_different_is_a_conflict_and_stays_as_it_is(world: World) -> None:
    planned(world)
    world.put_blob("same", noise("same", 900))
    world.put("same", noise("same", 900))
    world.put_blob("other", noise("other", 900))
    world.put("other", noise("something else", 900))
    keys(world, "same", "other")
    summary = back(world, expect=1)
    assert counted(summary) == {"present": 1, "conflict": 1}
    assert summary["failures"] == [
        {"key": "other", "state": "conflict", "reason": "object-differs", "detail": "", "attempts": 1}]
    assert in_s3(world, "other") == noise("something else", 900)
    told = world.run("copy", "--reverse", "--keys", "born.txt", "--yes", expect=1)
    assert "Not in S3" in told.out
    assert "object-differs" in told.out


def test_a_run_that_is_killed_twice_ends_with_every_file_in_s3(world: World) -> None:
    planned(world)
    bodies = {f"files/{number:03d}": noise(f"born {number}", 3000 + number) for number in range(30)}
    for name, body in bodies.items():
        world.put_blob(name, body)
    world.put_blob("large", noise("large", 12 * MIB))
    keys(world, *bodies, "large")

    def in_bucket() -> int:
        return int(world.s3.list_objects_v2(Bucket=world.bucket)["KeyCount"])

    for number in (5, 15):
        process = world.start("copy", "--reverse", "--resume", "--keys", "born.txt", "--bandwidth", "60K",
                              "--concurrency", "2", *PARTS)
        process.until(lambda least=number: in_bucket() >= least, "some files in S3")  # type: ignore[misc]
        process.signal(signal.SIGKILL)
        process.ended(-9)
    summary = back(world, *PARTS)
    assert summary["outcomes"]["copied"] + summary["outcomes"]["present"] == summary["planned"] == 31
    assert {name: in_s3(world, name) for name in bodies} == bodies
    assert in_s3(world, "large") == noise("large", 12 * MIB)
    assert "Uploads" not in world.s3.list_multipart_uploads(Bucket=world.bucket)
    assert counted(world.copy()) == {"copied": 1}, "the plan knows nothing of it"


def test_from_rails_proves_by_the_row(world: World) -> None:
    app = world.database()
    planned(world)
    body = noise("row", 70_000)
    in_blocks(world, "row", body, None)
    app.add("row", body, "azure")
    run = world.run("copy", "--reverse", "--from-rails", "--to", "azure", "--yes", "--json")
    assert (counted(run.summary), run.summary["proofs"]) == ({"copied": 1}, {"rails-md5": 1})
    assert in_s3(world, "row") == body
    assert json.loads(run.out.splitlines()[0])["type"] == "started"
