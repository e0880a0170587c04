"""Every way an object can end, and what the next run makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.acceptance.world import noise

if TYPE_CHECKING:
    from tests.acceptance.world import World

pytestmark = [pytest.mark.servers, pytest.mark.acceptance]


def failures(world: World) -> dict[str, tuple[str, str]]:
    """Key → state and reason of what is not well."""
    told = world.run("status", "--failed", "--json").document["failures"]
    return {failure["key"]: (failure["state"], failure["reason"]) for failure in told}


def test_a_blob_that_is_there_already_is_compared_and_never_overwritten(world: World) -> None:
    world.plan()
    for key in ("same.pdf", "same-without-md5.pdf", "other.pdf", "other-of-one-size.pdf", "new.pdf"):
        world.put(key, noise(key, 400))
    world.put_blob("same.pdf", noise("same.pdf", 400))
    world.put_blob_without_md5("same-without-md5.pdf", noise("same-without-md5.pdf", 400))
    world.put_blob("other.pdf", b"the application wrote this")
    world.put_blob("other-of-one-size.pdf", noise("somebody else's", 400))
    world.replan()
    assert world.outcomes(expect=1) == {"copied": 1, "present": 2, "conflict": 2}
    assert world.body("other.pdf") == b"the application wrote this"
    assert world.body("other-of-one-size.pdf") == noise("somebody else's", 400)
    assert failures(world) == dict.fromkeys(
        ("other.pdf", "other-of-one-size.pdf"), ("conflict", "destination-differs")
    )


def test_overwrite_replaces_a_different_blob(world: World) -> None:
    world.put("a.pdf", b"of S3", ContentType="application/pdf")
    world.plan()
    world.put_blob("a.pdf", b"of somebody else")
    assert world.outcomes("--if-exists", "overwrite") == {"copied": 1}
    world.assert_moved("a.pdf")


def test_fail_takes_only_what_azure_lists_as_equal(world: World) -> None:
    """Equal by size and MD5 may be our own, from a run that was killed: no conflict. Nothing is read to find out."""
    world.put("a.pdf", b"the same")
    world.put("b.pdf", b"one")
    world.plan()
    world.put_blob("a.pdf", b"the same")
    world.put_blob("b.pdf", b"two")
    assert world.outcomes("--if-exists", "fail", expect=1) == {"conflict": 1, "present": 1}
    assert failures(world) == {"b.pdf": ("conflict", "destination-exists")}


def test_what_changed_since_the_plan_waits_for_the_next_plan_and_then_overwrites_our_own_blob(world: World) -> None:
    world.put("a.pdf", b"first")
    world.put("b.pdf", b"steady")
    world.plan()
    assert world.outcomes() == {"copied": 2}
    world.put("a.pdf", b"second")
    world.replan()
    world.put("a.pdf", b"third", ContentType="text/plain")
    assert world.outcomes(expect=1) == {"copied": 1, "changed": 1}
    assert failures(world) == {"a.pdf": ("changed", "source-changed")}
    assert world.body("a.pdf") == b"first"
    world.replan()
    assert world.outcomes() == {"copied": 2}
    world.assert_moved("a.pdf", "b.pdf")


def test_a_blob_the_application_has_changed_is_not_overwritten_when_the_source_changes_too(world: World) -> None:
    world.put("a.pdf", b"first")
    world.plan()
    assert world.outcomes() == {"copied": 1}
    world.put_blob("a.pdf", b"by the application, on Azure")
    world.put("a.pdf", b"second")
    world.replan()
    assert world.outcomes(expect=1) == {"conflict": 1}
    assert world.body("a.pdf") == b"by the application, on Azure"


def test_what_was_deleted_since_the_plan_is_gone_and_that_is_no_failure(world: World) -> None:
    keys = world.put_many(3)
    world.plan()
    world.delete(keys[0])
    assert world.outcomes() == {"copied": 2, "gone": 1}
    assert failures(world) == {keys[0]: ("gone", "deleted-at-source")}


def test_an_archived_object_is_copied_once_it_is_restored(world: World) -> None:
    world.put("ledger.pdf", noise("ledger", 200), StorageClass="GLACIER")
    world.put("index.pdf", b"readable at once", StorageClass="GLACIER_IR")
    assert world.plan().document["objects"]["skipped"] == {"archived": 1}
    assert world.outcomes() == {"copied": 1, "skipped": 1}
    assert world.outcomes("--retry-failed") == {"copied": 1, "skipped": 1}, "not restored yet"
    world.restore("ledger.pdf")
    assert world.outcomes("--retry-failed") == {"copied": 2}
    world.assert_moved("ledger.pdf", "index.pdf")


def test_names_azure_cannot_hold_are_refused_one_by_one_and_the_rest_is_copied(world: World) -> None:
    for key in ("final.", "a\\b.pdf", "a/../b.pdf", "tab\there.pdf", "fine.pdf"):
        world.put(key, b"x")
    (world.desk / "keys.jsonl").write_text(
        '{"key": "final."}\n{"key": "a\\\\b.pdf"}\n{"key": "a/../b.pdf"}\n{"key": "tab\\there.pdf"}\n'
        '{"key": "fine.pdf"}\n'
    )
    document = world.plan("--keys", "keys.jsonl").document
    assert document["objects"]["refused"] == {
        "name-trailing-dot": 1, "name-backslash": 1, "name-dot-segment": 1, "name-control-character": 1,
    }  # fmt: skip
    assert world.outcomes(expect=1) == {"copied": 1, "refused": 4}
    assert [blob.name for blob in world.blobs.list_blobs()] == ["fine.pdf"]


def test_metadata_names_azure_refuses_are_dropped_or_refused_when_asked_for(world: World) -> None:
    world.put("a.pdf", b"a", Metadata={"order-id": "1", "plain": "2"})
    world.plan("--metadata-names", "refuse")
    assert world.outcomes(expect=1) == {"refused": 1}
    world.replan("--metadata-names", "drop")
    assert world.outcomes() == {"copied": 1}
    assert world.blobs.get_blob_client("a.pdf").get_blob_properties().metadata == {"plain": "2"}


def test_copy_asks_before_it_goes_on_with_a_started_plan(world: World) -> None:
    world.put_many(2)
    world.plan()
    refused = world.run("copy", "--json", expect=3)
    assert refused.document["code"] == "E412-APPROVAL"
    world.run("copy", "--yes")
    again = world.run("copy", "--yes", "--json", expect=3)
    assert (again.document["code"], again.document["hint"]) == ("E409-STARTED", "blobmove copy --resume")
    assert world.outcomes() == {"copied": 2}
