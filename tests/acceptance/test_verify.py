"""The second look: what has become different, what is missing, what is there besides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.acceptance.world import noise

if TYPE_CHECKING:
    from typing import Any

    from tests.acceptance.world import World

pytestmark = [pytest.mark.servers, pytest.mark.acceptance]


def found(world: World, *words: str, expect: int = 0) -> dict[str, Any]:
    """What `verify --json` has found; its numbers add up."""
    document = world.run("verify", "--json", *words, expect=expect).document
    assert document["checked"] == document["identical"] + document["different"] + document["missing"]
    return {name: document[name] for name in ("identical", "different", "missing", "extra")}


def damage(world: World, keys: list[str]) -> None:
    """One blob with other bytes, one of another size, one gone, one more than there should be."""
    world.put_blob(keys[0], noise("other bytes of the same size", 100))
    world.put_blob(keys[1], b"shorter")
    world.blobs.delete_blob(keys[2])
    world.put_blob("not in the plan", b"?")


def test_both_ways_of_looking_find_the_same_damage_and_name_it(world: World) -> None:
    keys = world.put_many(8)
    world.put("empty.csv", b"")
    world.plan()
    world.copy()
    clean = {"identical": 9, "different": 0, "missing": 0, "extra": 0}
    assert found(world) == clean
    assert found(world, "--how", "read") == clean
    damage(world, keys)
    assert found(world, expect=5) == {"identical": 6, "different": 2, "missing": 1, "extra": 1}
    assert found(world, "--how", "read", expect=5) == {"identical": 6, "different": 2, "missing": 1, "extra": 0}
    told = world.run("verify", expect=5)
    for name in (*keys[:3], "not in the plan"):
        assert name in told.out
    assert "blobmove copy --resume --retry-failed" in told.out


def test_a_blob_without_an_md5_in_the_listing_is_read_back(world: World) -> None:
    keys = world.put_many(3)
    world.plan()
    world.copy()
    world.put_blob_without_md5(keys[0], noise(keys[0], 100))
    world.put_blob_without_md5(keys[1], noise("something else", 100))
    document = world.run("verify", "--json", expect=5).document
    assert (document["identical"], document["different"], document["read_back"]) == (2, 1, 2)
    assert [example["key"] for example in document["examples"]] == [keys[1]]


def test_a_sample_looks_at_a_share_of_the_objects_always_the_same(world: World) -> None:
    world.put_many(40)
    world.plan()
    world.copy()
    first = found(world, "--how", "read", "--sample", "25%")
    assert 0 < first["identical"] < 40
    assert found(world, "--how", "listing", "--sample", "25") | {"extra": 0} == first


def test_nothing_is_flipped_for_a_blob_that_verify_found_different(world: World) -> None:
    keys = world.put_many(3)
    app = world.database()
    for key in keys:
        app.add(key, noise(key, 100))
    world.plan()
    world.copy()
    early = world.run("flip-service", "--to", "azure", "--confirm", "azure", "--json", expect=3)
    assert early.document["code"] == "E412-VERIFY"
    damage(world, keys)
    found(world, expect=5)
    refused = world.run("flip-service", "--to", "azure", "--confirm", "azure", "--skip-verify", "--json", expect=1)
    assert refused.document["refused"] == {"verify-differs": 3}
    assert set(app.services().values()) == {"amazon"}


def test_the_command_that_verify_names_brings_back_what_is_missing_and_overwrites_nothing(world: World) -> None:
    keys = world.put_many(4)
    world.plan()
    world.copy()
    world.blobs.delete_blob(keys[0])
    world.put_blob(keys[1], b"changed by somebody")
    told = world.run("verify", "--json", expect=5).document
    assert told["next"] == "blobmove copy --resume --retry-failed"
    assert world.outcomes("--retry-failed", expect=1) == {"copied": 3, "conflict": 1}
    assert world.body(keys[1]) == b"changed by somebody"
    world.assert_moved(keys[0])
