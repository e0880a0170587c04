"""What scripts may rely on: the JSON of every command has the fields of the contract, and its numbers add up."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from pyarrow import parquet

from tests.acceptance.shapes import (
    COPY_SUMMARY,
    FLIP,
    LINES,
    PLAN,
    REPORT,
    STATUS,
    VERIFY,
    assert_shape,
)
from tests.acceptance.world import World, noise

if TYPE_CHECKING:
    from tests.acceptance.commands import Run

pytestmark = [pytest.mark.servers, pytest.mark.acceptance]


@dataclass(frozen=True, slots=True)
class Journey:
    """Every command of a migration, once, and what it said."""

    world: World
    plan: Run
    copy: Run
    verify: Run
    dry_run: Run
    status: Run
    small: int


@pytest.fixture(scope="module")
def journey(typed_shared_world: World) -> Journey:
    world = typed_shared_world
    world.put("old.pdf", noise("old", 10))
    world.switch_on_versions()
    world.put("old.pdf", noise("new", 20))
    world.put("gone.pdf", b"gone")
    world.delete("gone.pdf")
    world.put("ledger.pdf", b"frozen", StorageClass="GLACIER")
    world.put("final.", b"Azure strips the dot")
    keys = world.put_many(12)
    app = world.database()
    for key in keys[:8]:
        app.add(key, noise(key, 100), "amazon" if key < keys[5] else "mirror")
    app.add("lost", b"a row without a file")
    app.add("abandoned", b"another", attached=False)
    app.add(keys[9], noise(keys[9], 90))
    app.add("elsewhere", b"on a disk", "local")
    plan = world.plan("--inventory", world.deliver_inventory("CSV"), "--service", "amazon", "--service", "mirror")
    copy = world.run("copy", "--yes", "--json", "--log-file", "copy.log", expect=1)
    verify = world.run("verify", "--json")
    dry_run = world.run("flip-service", "--from", "amazon", "--to", "azure", "--dry-run", "--json", expect=1)
    return Journey(world, plan, copy, verify, dry_run, world.run("status", "--json", "--failed"), len(keys) + 1)


def test_plan_is_one_document_with_the_fields_of_the_contract(journey: Journey) -> None:
    (document,) = journey.plan.lines
    assert_shape(document, PLAN)
    assert (document["source"], document["destination"]) == (journey.world.source, journey.world.destination)
    assert document["inventory"]["format"] == "CSV"
    assert document["inventory"]["created"].startswith("2026-11-20T01:00")


def test_every_listed_object_is_to_be_copied_skipped_or_refused(journey: Journey) -> None:
    objects = journey.plan.document["objects"]
    assert objects["skipped"] == {"archived": 1, "delete-marker": 1, "old-version": 2}
    assert objects["refused"] == {"name-trailing-dot": 1}
    assert objects["to_copy"] == journey.small
    assert objects["listed"] == journey.small + 5 == journey.plan.document["inventory"]["rows"]


def test_the_sizes_the_classes_and_the_proofs_of_a_plan_add_up_to_what_is_to_be_copied(journey: Journey) -> None:
    document = journey.plan.document
    assert sum(size["objects"] for size in document["sizes"]) == journey.small
    assert sum(size["bytes"] for size in document["sizes"]) == document["bytes"]["to_copy"] == 12 * 100 + 20
    assert document["storage_classes"] == {"STANDARD": journey.small}
    assert document["proofs"] == {"etag-md5": journey.small}


def test_the_plan_looks_at_bucket_and_database_from_both_sides(journey: Journey) -> None:
    assert journey.plan.document["rails"] == {
        "rows": 11, "by_service": {"amazon": 8, "mirror": 3}, "matched": 9, "missing_attached": 1,
        "missing_unattached": 1, "size_differs": 1, "checksum_differs": 1, "objects_without_row": 4,
    }  # fmt: skip


def test_copy_writes_typed_json_lines_and_the_summary_last(journey: Journey) -> None:
    lines = journey.copy.lines
    assert [line["type"] for line in lines][:1] == ["started"]
    assert [line["type"] for line in lines if line["type"] == "summary"] == ["summary"]
    for line in lines[:-1]:
        assert_shape(line, LINES[line["type"]])
    assert_shape(lines[-1], COPY_SUMMARY)


def test_the_outcomes_of_a_copy_add_up_to_what_was_planned(journey: Journey) -> None:
    summary = journey.copy.document
    assert summary["planned"] == sum(summary["outcomes"].values()) == journey.plan.document["objects"]["listed"]
    assert summary["outcomes"]["copied"] == journey.small
    assert summary["bytes"]["read"] == summary["bytes"]["written"] == journey.plan.document["bytes"]["to_copy"]


def test_a_small_object_costs_one_get_and_one_put_and_nothing_else(journey: Journey) -> None:
    assert journey.copy.document["requests"] == {
        "s3": {"GetObject": journey.small}, "azure": {"PutBlob": journey.small},
    }  # fmt: skip


def test_verify_is_one_document_whose_numbers_add_up(journey: Journey) -> None:
    (document,) = journey.verify.lines
    assert_shape(document, VERIFY)
    assert document["checked"] == document["identical"] == journey.small
    assert (document["different"], document["missing"], document["extra"]) == (0, 0, 0)
    assert document["how"] == "listing"


def test_the_dry_run_of_a_flip_counts_every_row_and_changes_none(journey: Journey) -> None:
    (document,) = journey.dry_run.lines
    assert_shape(document, FLIP)
    assert document["dry_run"] is True
    assert document["rows"] == document["flipped"] + sum(document["refused"].values()) + document["remaining"] == 8
    assert document["refused"] == {"not-in-plan": 2, "size-differs": 1}
    database = journey.world.terminal.environment["DATABASE_URL"].removeprefix("sqlite3:")
    assert "'azure'" not in "".join(_dump(database))


def test_status_repeats_the_summary_and_tells_how_it_goes(journey: Journey) -> None:
    (document,) = journey.status.lines
    assert_shape(document, STATUS)
    summary = journey.copy.document
    for field in ("planned", "outcomes", "plan", "source", "destination", "requests"):
        assert document[field] == summary[field]
    assert document["running"] is None
    assert [failure["key"] for failure in document["failures"]] == ["final."]


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_the_report_has_one_record_for_each_planned_object(journey: Journey, ending: str) -> None:
    world = journey.world
    told = world.run("report", "--objects", f"objects.{ending}", "--json").document
    records = _records(world.desk / f"objects.{ending}")
    assert told["rows"] == len(records) == journey.copy.document["planned"]
    for record in records:
        assert_shape(record, REPORT)
    by_key = {record["key"]: record for record in records if record["state"] == "copied"}
    copied = by_key["files/000.pdf"]
    assert (copied["proof"], copied["size"], copied["blob_name"]) == ("etag-md5", 100, "files/000.pdf")
    assert copied["md5"] == copied["source_etag"]
    assert (copied["rails_id"], copied["rails_service"]) == ("1", "amazon")
    assert copied["settled_at"].endswith("Z")


def test_every_event_of_the_copy_is_in_the_log_file(journey: Journey) -> None:
    lines = [json.loads(line) for line in (journey.world.desk / "copy.log").read_text().splitlines()]
    assert [line["type"] for line in lines if line["type"] != "note"] == [line["type"] for line in journey.copy.lines]


def test_an_error_is_the_last_json_line_and_is_told_to_people_too(journey: Journey) -> None:
    run = journey.world.run("copy", "--json", "--no-input", expect=3)
    assert run.document["type"] == "error"
    assert run.document["code"] == "E409-STARTED"
    assert "hint: blobmove copy --resume" in run.err


def _records(path: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - a path
    if path.suffix == ".parquet":
        found: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
        return found
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    with path.open(newline="") as file:
        return [_typed(record) for record in csv.DictReader(file)]


def _typed(record: dict[str, str]) -> dict[str, Any]:
    numbers = {"size": int, "attempts": int, "seconds": float}
    typed: dict[str, Any] = {name: value or None for name, value in record.items()}
    return typed | {name: kind(record[name]) for name, kind in numbers.items() if record[name]}


def _dump(path: str) -> list[str]:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())
