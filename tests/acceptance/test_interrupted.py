"""A copy that is killed, interrupted, or stopped by a limit: its numbers add up at every moment, and it goes on."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.checkpoint_file import states
from tests.acceptance.world import SMALL_BLOCKS, counted, noise

if TYPE_CHECKING:
    from tests.acceptance.world import World

pytestmark = [pytest.mark.servers, pytest.mark.acceptance]

SLOWLY = ("--bandwidth", "40K", "--concurrency", "2")
OBJECTS = 60
"""Ten a second: three pauses of two seconds each, on a machine that has other things to do, leave some to be copied."""

IN_FLIGHT = 4
"""Blocks that Azurite may have had in its hands at a kill, and finished after it was asked what it holds."""


def staged(world: World, name: str) -> int:
    """Blocks of a blob that Azure holds and that are not committed yet."""
    from azure.core.exceptions import ResourceNotFoundError

    try:
        return len(world.blobs.get_blob_client(name).get_block_list("uncommitted")[1])
    except ResourceNotFoundError:
        return 0


def test_the_numbers_add_up_after_each_kill_and_interruption_and_nothing_is_copied_twice(typed_world: World) -> None:
    world = typed_world
    keys = world.put_many(OBJECTS, size=4000)
    world.plan()
    requests = 0
    for number, code in ((signal.SIGKILL, -9), (signal.SIGINT, 130), (signal.SIGTERM, 143)):
        before = world.settled()
        process = world.start("copy", "--resume", "--json", *SLOWLY)
        process.until(lambda done=before: world.settled() >= done + 3, "three more objects copied")  # type: ignore[misc]
        process.signal(number)
        run = process.ended(code)
        told = world.run("status", "--json").document
        assert told["planned"] == sum(told["outcomes"].values()) == OBJECTS
        assert counted(told) == states(world.checkpoint)
        assert told["outcomes"]["copied"] < OBJECTS
        if number != signal.SIGKILL:
            assert run.document["outcomes"] == told["outcomes"]
            assert run.document["next"] == told["next"] == "blobmove copy --resume"
            assert run.document["stopped"] == "interrupted"
            requests += run.document["requests"]["azure"]["PutBlob"]
    last = world.copy("--concurrency", "16")
    requests += last["requests"]["azure"]["PutBlob"]
    assert counted(last) | {"present": 0} == {"copied": last["outcomes"]["copied"], "present": 0}
    assert last["planned"] == OBJECTS
    assert requests <= OBJECTS, "only what was unrecorded at the kill is sent again"
    world.assert_moved(*keys[:5], *keys[-5:])
    assert len(list(world.blobs.list_blobs())) == OBJECTS


def test_a_killed_plan_leaves_the_checkpoint_as_it_was_and_can_be_typed_again(world: World) -> None:
    world.put_many(3)
    world.plan()
    before = states(world.checkpoint)
    keys = world.desk.parent / "keys.txt"
    keys.write_text("".join(f"key-{number}\n" for number in range(400_000)))
    process = world.start("plan", "--keys", str(keys))
    process.until(lambda: (world.desk / "blobmove.db-incoming").exists(), "the list is being read")
    process.killed()
    assert states(world.checkpoint) == before
    assert world.replan().document["objects"]["to_copy"] == 3


def test_large_objects_arrive_whole_in_one_part_in_even_and_in_uneven_parts(world: World) -> None:
    mib = 1 << 20
    world.put("single.tif", noise("single", mib + 17), ContentType="image/tiff", ContentEncoding="gzip")
    world.put_parts("even.bin", (300_000, 300_000, 300_000, 9), ContentType="image/tiff", Metadata={"made-by": "us"})
    world.put_parts("uneven.bin", (70_001, 300_000, 12_345, 200_000))
    world.put_parts("below-the-limit.bin", (20_000, 70_000, 3))
    world.plan()
    summary = world.copy(*SMALL_BLOCKS)
    assert counted(summary) == {"copied": 4}
    assert "ListObjectsV2" not in summary["requests"]["s3"]
    assert summary["requests"]["azure"]["PutBlockList"] == 3
    assert summary["requests"]["azure"]["PutBlob"] == 1
    world.assert_moved("single.tif", "even.bin", "uneven.bin", "below-the-limit.bin")
    assert world.run("verify", "--json").document["identical"] == 4


def test_a_large_object_goes_on_with_the_blocks_that_are_missing_after_a_kill(world: World) -> None:
    size, block = 80 * 65536 + 5, 65536
    world.put("large.tif", noise("large", size))
    world.plan()
    words = (*SMALL_BLOCKS, "--bandwidth", "300K")
    process = world.start("copy", "--resume", "--json", *words)
    process.until(lambda: staged(world, "large.tif") >= 5, "some blocks at Azure")
    process.killed()
    held = staged(world, "large.tif")
    summary = world.copy(*SMALL_BLOCKS)
    assert counted(summary) == {"copied": 1}
    assert 5 <= held < 81
    missing = -(-size // block) - held
    assert missing - IN_FLIGHT <= summary["requests"]["azure"]["PutBlock"] <= missing
    assert summary["requests"]["azure"]["PutBlockList"] == 1
    world.assert_moved("large.tif")


def test_a_copy_stops_at_the_duration_asked_for_and_goes_on_later(world: World) -> None:
    world.put_many(20, size=20_000)
    world.plan()
    run = world.run("copy", "--yes", "--json", "--bandwidth", "50K", "--concurrency", "1", "--max-duration", "1s",
                    expect=6)
    assert run.document["code"] == "E006-DURATION"
    summary = run.summary
    assert summary["outcomes"]["copied"] + summary["outcomes"]["pending"] == summary["planned"] == 20
    assert summary["outcomes"]["pending"] > 0
    assert summary["stopped"] == "time limit (--max-duration)"
    assert world.outcomes() == {"copied": 20}


def test_while_the_throttle_file_exists_nothing_starts_and_nobody_else_may_work(world: World) -> None:
    world.put_many(5)
    world.plan()
    pause = world.desk / "pause"
    pause.touch()
    process = world.start("copy", "--yes", "--json", "--throttle-file", "pause")
    process.until(lambda: '"paused by the throttle file"' in process.out.read_text(), "it says why it waits")
    assert states(world.checkpoint) == {"pending": 5}
    for command in (("copy", "--resume"), ("plan",), ("verify",)):
        held = world.run(*command, "--json", expect=11)
        assert held.document["code"] == "E423-CHECKPOINT"
        assert f"copy (pid {process.handle.pid})" in held.err
    assert world.run("status", "--json").document["pid"] == process.handle.pid
    pause.unlink()
    assert process.ended().document["outcomes"]["copied"] == 5


def test_a_copy_stops_after_as_many_failures_as_allowed(world: World) -> None:
    keys = world.put_many(6)
    world.plan()
    for key in keys:
        world.put_blob(key, b"leased by somebody")
        world.blobs.get_blob_client(key).acquire_lease()
    run = world.run("copy", "--yes", "--json", "--if-exists", "overwrite", "--max-errors", "2", "--concurrency", "1",
                    expect=6)
    assert run.document["code"] == "E006-ERRORS"
    assert run.summary["outcomes"]["failed"] >= 2
    assert run.summary["planned"] == sum(run.summary["outcomes"].values()) == 6
    assert all(world.body(key) == b"leased by somebody" for key in keys)


def test_the_bandwidth_is_kept_to_and_the_tier_is_the_one_asked_for(world: World) -> None:
    keys = world.put_many(8, size=12_000)
    world.plan()
    summary = world.copy("--bandwidth", "50K", "--access-tier", "Cool")
    least = (8 - 1) * 12_000 / (50 * 1024)
    assert summary["seconds"] >= least
    tiers = {blob.name: str(blob.blob_tier) for blob in world.blobs.list_blobs()}
    assert tiers == dict.fromkeys(keys, "Cool")


def test_a_dry_run_of_the_copy_changes_nothing(world: World) -> None:
    world.put_many(2)
    world.plan()
    document = world.run("copy", "--dry-run", "--json").document
    assert (document["dry_run"], document["outcomes"]["pending"]) == (True, 2)
    assert states(world.checkpoint) == {"pending": 2}
    assert list(world.blobs.list_blobs()) == []
