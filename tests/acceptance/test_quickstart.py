"""The README's quickstart on real servers, as it stands: its files for S3 Inventory, its settings, its commands."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

import pytest

from tests.docs.pages import blocks, commands, read

if TYPE_CHECKING:
    from tests.acceptance.world import World

pytestmark = [pytest.mark.servers, pytest.mark.acceptance]


def with_our_names(text: str, world: World) -> str:
    """As the README asks: our names in place of those that are shown."""
    replaced = (
        ("https://acmefiles.blob.core.windows.net", world.azure_url),
        ("acme-files/blobmove/", f"{world.bucket}/daily/"),
        ("acme-files", world.bucket),
        ("acme-inventory", f"{world.bucket}-inventory"),
    )
    for shown, ours in replaced:
        text = text.replace(shown, ours)
    assert "acme" not in text
    return text


def from_the_checkout(name: str, world: World) -> Any:  # noqa: ANN401 - a JSON document
    return json.loads(with_our_names(read(f"inventory/{name}"), world))


def quickstart() -> list[list[str]]:
    """The blobmove commands of the README, in their order, as words."""
    words = [shlex.split(line) for line in commands(read("README.md"))]
    return [line[1:] for line in words if line[0] == "blobmove"]


def test_the_quickstart_leads_from_a_full_bucket_to_the_dry_run_of_the_flip(world: World) -> None:
    keys = world.put_many(30)
    app = world.database()
    for key in keys[:20]:
        app.add(key, world.s3.get_object(Bucket=world.bucket, Key=key)["Body"].read())
    world.deliver_inventory("Parquet", versions=False)
    world.blobs.create_container()
    [settings] = blocks(read("README.md"), "toml")
    (world.desk / "blobmove.toml").write_text(with_our_names(settings, world))

    (doctor, *journey) = quickstart()
    assert doctor == ["doctor"]
    found = world.run("doctor", "--json", expect=None)
    assert found.code in (0, 1)  # the report is of a fixed day: old, unless the clock says that day
    assert {one["check"] for one in found.document["findings"] if one["level"] in ("warning", "failure")} <= {
        "inventory"}
    assert [words[0] for words in journey] == ["plan", "copy", "verify", "flip-service"]
    said = [world.run(*words).out for words in journey]

    assert "30  to copy" in said[0]
    assert "copied   30" in said[1]
    assert "30  identical" in said[2]
    assert "Would flip 20 rows" in said[3]


def test_s3_takes_the_inventory_configuration_and_the_policy_as_they_stand_in_the_checkout(world: World) -> None:
    world.create_bucket(f"{world.bucket}-inventory")
    configuration = from_the_checkout("inventory-configuration.json", world)
    world.s3.put_bucket_inventory_configuration(
        Bucket=world.bucket, Id=configuration["Id"], InventoryConfiguration=configuration
    )
    policy = json.dumps(from_the_checkout("destination-policy.json", world))
    world.s3.put_bucket_policy(Bucket=f"{world.bucket}-inventory", Policy=policy)

    told = world.s3.get_bucket_inventory_configuration(Bucket=world.bucket, Id="blobmove")["InventoryConfiguration"]
    assert told["OptionalFields"] == configuration["OptionalFields"]
    assert "--id blobmove" in read("README.md")
