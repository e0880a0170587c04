"""`doctor` before a night shift: what works, what does not and how to mend it, on real servers."""

from __future__ import annotations

import json
import socket
import stat
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from tests.acceptance.world import World, noise

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.servers, pytest.mark.acceptance]


def doctor(world: World, *words: str, expect: int | None, **env: str | None) -> dict[tuple[str, str], Any]:
    """`doctor --json`: each finding by what was looked at; the last one of a kind counts."""
    ends = ("--source", world.source, "--destination", world.destination)
    run = world.run("doctor", "--json", *ends, *words, expect=expect, env=env)
    (document,) = run.lines
    assert document["format"] == 1
    assert document["exit_code"] == run.code
    assert document["checks"] == len(document["findings"]) == sum(
        document[name] for name in ("ok", "warnings", "failures", "not_configured"))
    return {(one["area"], one["check"]): one for one in document["findings"]}


def levels(found: dict[tuple[str, str], Any]) -> dict[tuple[str, str], str]:
    """What is not well. The machine that runs the tests may have a small disk or few files: not asked here."""
    return {what: one["level"] for what, one in found.items()
            if one["level"] not in ("ok", "not-configured") and what[0] != "machine"}


@pytest.fixture
def ready(world: World) -> World:
    """Objects, a container, a database, a report of this moment."""
    keys = world.put_many(3)
    world.put("large.bin", noise("large", 300_000))
    world.blobs.create_container()
    app = world.database()
    for key in keys:
        app.add(key, noise(key, 100), "amazon")
    return world


def test_where_all_is_well_it_says_so_and_ends_with_zero(ready: World) -> None:
    ready.plan()
    found = doctor(ready, "--service", "amazon", expect=None)
    assert levels(found) == {}
    if all(one["level"] == "ok" for one in found.values()):
        assert ready.run("doctor").code == 0
    assert {("source", "credentials"), ("source", "bucket"), ("source", "objects"), ("source", "clock"),
            ("destination", "credentials"), ("destination", "container"), ("destination", "account"),
            ("destination", "clock"), ("database", "table"), ("database", "services"), ("database", "rights"),
            ("database", "attachments"), ("checkpoint", "file"), ("machine", "system"), ("machine", "disk"),
            ("machine", "open files")} <= found.keys()
    assert "AWS_ACCESS_KEY_ID" in found["source", "credentials"]["text"]
    assert "account key (AZURE_STORAGE_CONNECTION_STRING)" in found["destination", "credentials"]["text"]
    assert found["database", "services"]["figures"] == {"amazon": 3}
    assert "flat namespace" in found["destination", "account"]["text"]
    assert abs(found["source", "clock"]["figures"]["offset_seconds"]) < 30
    assert list(ready.blobs.list_blob_names()) == [], "nothing is written without --probe"


def test_a_probe_writes_reads_and_removes_one_blob_and_measures_both_ways(ready: World) -> None:
    found = doctor(ready, "--probe", expect=None)
    assert levels(found) == {}
    speed = found["destination", "speed"]["figures"]
    assert min(speed["write_bytes_per_second"], speed["read_bytes_per_second"]) > 100_000
    assert found["source", "speed"]["figures"]["bytes"] == 300_000
    assert found["destination", "write"]["level"] == "ok"
    assert list(ready.blobs.list_blob_names()) == []


def test_for_people_it_is_a_line_each_with_a_sum_and_the_next_command(ready: World) -> None:
    run = ready.run("doctor", "--source", ready.source, "--destination", ready.destination, expect=None)
    lines = run.out.splitlines()
    assert lines[-1] == "Next: blobmove plan"
    assert any(line.startswith("  ok    S3 bucket") for line in lines)
    assert any(line.startswith("  -     Checkpoint file") for line in lines)
    assert " looks in " in lines[-3]


def test_each_end_may_be_missing(world: World) -> None:
    run = world.run("doctor", "--json", env={"DATABASE_URL": None}, expect=1)
    found = {(one["area"], one["check"]): one["level"] for one in run.document["findings"]}
    assert {what: level for what, level in found.items() if what[0] != "machine"} == {
        ("source", "bucket"): "not-configured", ("destination", "container"): "not-configured",
        ("database", "table"): "not-configured", ("checkpoint", "file"): "not-configured",
        ("checkpoint", "ends"): "warning",
    }


def test_one_end_alone_can_be_well(ready: World) -> None:
    run = ready.run("doctor", "--json", "--source", ready.source, expect=None, env={"DATABASE_URL": None})
    assert run.code in (0, 1)
    found = {(one["area"], one["check"]): one["level"] for one in run.document["findings"]}
    assert (found["source", "objects"], found["destination", "container"]) == ("ok", "not-configured")
    assert run.document["destination"] is None
    assert run.document["next"] == "blobmove doctor"


def test_without_azure_credentials_it_is_a_matter_of_access(ready: World) -> None:
    found = doctor(ready, expect=4, AZURE_STORAGE_CONNECTION_STRING=None)
    assert found["destination", "credentials"]["code"] == "E401-DESTINATION"
    assert found["source", "objects"]["level"] == "ok"


def test_after_a_plan_it_knows_the_ends_by_itself(ready: World) -> None:
    ready.plan()
    document = ready.run("doctor", "--json", expect=None).document
    assert (document["source"], document["destination"]) == (ready.source, ready.destination)
    assert document["next"] == "blobmove copy --resume"


def test_a_bucket_and_a_container_that_are_not_there_are_a_matter_of_configuration(world: World) -> None:
    world.bucket = "nobody-has-this"
    found = doctor(world, expect=2)
    assert (found["source", "bucket"]["code"], found["destination", "container"]["code"]) == (
        "E404-BUCKET", "E404-CONTAINER")
    assert found["source", "clock"]["level"] == found["destination", "clock"]["level"] == "ok"


def test_missing_credentials_are_a_matter_of_access_and_the_rest_is_looked_at_all_the_same(ready: World) -> None:
    found = doctor(ready, expect=4, AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None)
    assert found["source", "credentials"]["code"] == "E401-SOURCE"
    assert ("source", "bucket") not in found
    assert found["destination", "container"]["level"] == found["database", "table"]["level"] == "ok"


def sas(**parts: str) -> str:
    return urlencode({"sv": "2025-11-05", "sig": "c2VjcmV0IHNpZ25hdHVyZQ==", "sr": "c", **parts})


def test_a_sas_is_read_before_it_is_sent(ready: World) -> None:
    past = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%MZ")
    expired = doctor(ready, expect=4, AZURE_STORAGE_CONNECTION_STRING=None,
                     AZURE_STORAGE_SAS_TOKEN=sas(sp="racwdl", se=past))["destination", "credentials"]
    assert (expired["code"], expired["level"]) == ("E401-DESTINATION", "failure")
    weak = doctor(ready, expect=4, AZURE_STORAGE_CONNECTION_STRING=None,
                  AZURE_STORAGE_SAS_TOKEN=sas(sp="rl"))["destination", "credentials"]
    assert "`wc` is missing" in weak["cause"]


def test_an_inventory_is_found_and_its_age_told(ready: World) -> None:
    manifest = ready.deliver_inventory("CSV")  # of 2026-11-20
    found = doctor(ready, "--inventory", manifest.rpartition("2026-")[0], expect=None)["source", "inventory"]
    assert found["text"].startswith("CSV of 2026-11-20T01:00Z")
    assert found["level"] == ("warning" if found["figures"]["age_seconds"] > 48 * 3600 else "ok")
    missing = doctor(ready, "--inventory", f"s3://{ready.bucket}/nowhere/", expect=2)["source", "inventory"]
    assert missing["code"] == "E404-INVENTORY"


def test_a_service_that_no_new_row_names_is_a_finding(ready: World) -> None:
    found = doctor(ready, "--service", "amazon", "--service", "amazon_eu", expect=1)["database", "services"]
    assert "amazon_eu" in found["cause"]


def test_a_database_that_is_not_there_is_a_finding(ready: World, tmp_path: Path) -> None:
    found = doctor(ready, expect=2, DATABASE_URL=f"sqlite3:{tmp_path / 'none.sqlite3'}")
    assert found["database", "table"]["code"] == "E404-DATABASE-FILE"


def test_the_checkpoint_of_another_migration_is_a_finding_and_one_that_others_may_read(ready: World) -> None:
    ready.plan()
    ready.checkpoint.chmod(0o644)
    bucket, ready.bucket = ready.bucket, f"{ready.bucket}-2"
    ready.create_bucket(ready.bucket)
    found = doctor(ready, expect=1)
    assert found["checkpoint", "ends"]["code"] == "E409-CHECKPOINT"
    assert f"s3://{bucket} " in found["checkpoint", "file"]["text"]
    assert "chmod 600" in found["checkpoint", "mode"]["hint"]
    assert stat.S_IMODE(ready.checkpoint.stat().st_mode) == 0o644, "nothing is changed"


@pytest.fixture
def black_hole() -> Iterator[str]:
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken: list[socket.socket] = []

        def take() -> None:
            while True:
                try:
                    taken.append(server.accept()[0])
                except OSError:
                    return

        threading.Thread(target=take, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        for one in taken:
            one.close()


def test_it_never_hangs(world: World, black_hole: str) -> None:
    """Three ends that never answer, side by side: the slowest look bounds it, and the process ends."""
    started = time.monotonic()
    run = world.run(
        "doctor", "--json", "--source", "s3://anything", "--destination", f"http://{black_hole}/account/container",
        expect=2, env={"AWS_ENDPOINT_URL_S3": f"http://{black_hole}", "DATABASE_URL": f"mysql2://u:p@{black_hole}/acme",
                       "AZURE_STORAGE_CONNECTION_STRING": None, "AZURE_STORAGE_KEY": "a2V5"})
    assert time.monotonic() - started < 60
    found = {(one["area"], one["code"]) for one in run.document["findings"]}
    assert {("source", "E408-DOCTOR"), ("destination", "E408-DOCTOR")} <= found
    assert any(area == "database" and code for area, code in found)


def test_no_secret_is_told(ready: World) -> None:
    run = ready.run("doctor", "--source", ready.source, "--destination", ready.destination, "-vv", expect=None)
    text = json.dumps(run.out + run.err)
    assert "AccountKey" not in text
