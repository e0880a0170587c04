"""The JSON a script relies on: the fields of the contract, sums that hold, and no secret."""

from __future__ import annotations

import io
import json
from dataclasses import replace

from blobmove.core.events import (
    Event,
    Finished,
    FlipProgress,
    Note,
    Problem,
    Sample,
    Started,
    Stopping,
    Throttled,
)
from blobmove.views import jsonl
from tests.views.examples import CHANGED_PLAN, FLIP, PLAN, RUNS, SAMPLE, STATUS, SUMMARY, TOTALS, VERIFY

EVENTS: tuple[Event, ...] = (
    Started("7f3a91", "copy", "s3://b", "https://a/c", "blobmove.db", TOTALS, 64, 2**30),
    SAMPLE,
    Problem("key", "failed", "E403-SOURCE", "https://b/k?X-Amz-Signature=abcdef"),
    Throttled("destination", "ServerBusy", 1.6, 32),
    Stopping("interrupted", 12),
    Note("reading"),
    FlipProgress(100, 50, 1, "flipping", 2.0),
    Finished(SUMMARY),
)


def test_the_plan_has_every_field_of_the_contract() -> None:
    document = jsonl.plan_document(PLAN)
    assert document["format"] == 1
    assert document["command"] == "plan"
    assert {"plan", "source", "destination", "inventory", "objects", "bytes", "sizes", "storage_classes", "proofs",
            "rails", "forecast"} <= set(document)
    assert {"format", "created", "files", "rows"} <= set(document["inventory"])
    assert {"listed", "to_copy", "skipped", "refused"} <= set(document["objects"])
    assert document["bytes"]["to_copy"] == PLAN.to_copy_bytes
    assert all(set(size) == {"up_to", "objects", "bytes"} for size in document["sizes"])
    assert set(document["rails"]) == {
        "rows", "by_service", "matched", "missing_attached", "missing_unattached", "size_differs", "checksum_differs",
        "objects_without_row"}
    assert set(document["forecast"]) == {"seconds", "dollars", "requests"}
    objects = document["objects"]
    assert objects["listed"] == objects["to_copy"] + sum(objects["skipped"].values()) + sum(objects["refused"].values())
    json.dumps(document)


def test_a_plan_without_database_has_no_rails_and_a_second_one_its_difference() -> None:
    document = jsonl.plan_document(replace(PLAN, rails=None, change=CHANGED_PLAN))
    assert document["rails"] is None
    assert document["change"] == {"previous": "11aa22", "new": 310, "changed": 12}


def test_the_summary_names_all_nine_outcomes_and_they_add_up() -> None:
    document = jsonl.summary_document(SUMMARY)
    assert list(document["outcomes"]) == [
        "copied", "present", "skipped", "refused", "changed", "gone", "conflict", "failed", "pending"]
    assert document["planned"] == sum(document["outcomes"].values()) == 1_200
    assert document["type"] == "summary"
    assert document["bytes"]["read"] == document["bytes"]["written"] == 2 * 2**30
    assert document["requests"] == {"s3": {"GetObject": 730},
                                    "azure": {"PutBlob": 680, "PutBlock": 64, "PutBlockList": 20}}
    assert document["seconds"] == 128.0
    assert document["next"] == "blobmove copy --resume"


def test_status_is_the_summary_and_how_it_goes() -> None:
    document = jsonl.status_document(STATUS)
    assert jsonl.summary_document(SUMMARY).items() <= document.items()
    assert (document["running"], document["eta_seconds"], document["rate"]) == ("copy", 95.0, 64.0 * 2**20)
    assert document["failures"][0]["reason"] == "E403-SOURCE"


def test_verify_and_flip_have_the_fields_of_the_contract() -> None:
    verify = jsonl.verify_document(VERIFY)
    fields = ("checked", "identical", "different", "missing", "unreadable", "extra", "how")
    assert {name: verify[name] for name in fields} == {
        "checked": 713, "identical": 710, "different": 1, "missing": 2, "unreadable": 0, "extra": 4, "how": "listing"}
    flip = jsonl.flip_document(FLIP)
    assert {"from", "to", "rows", "flipped", "refused", "remaining", "dry_run", "run"} <= set(flip)
    assert flip["rows"] == flip["flipped"] + sum(flip["refused"].values()) + flip["remaining"]
    assert jsonl.runs_document(RUNS)["runs"][1]["undo_of"] == 1


def test_every_event_is_one_json_document_with_its_type() -> None:
    types = [json.loads(json.dumps(jsonl.event_document(event)))["type"] for event in EVENTS]
    assert types == ["started", "sample", "problem", "throttled", "stopped", "note", "flip", "summary"]
    assert all(jsonl.event_document(event)["format"] == 1 for event in EVENTS)


def test_lines_leave_the_summary_to_the_porch_and_notes_to_people() -> None:
    stream = io.StringIO()
    lines = jsonl.EventLines(stream)
    for event in EVENTS:
        lines(event)
    types = [json.loads(line)["type"] for line in stream.getvalue().splitlines()]
    assert types == ["started", "sample", "problem", "throttled", "stopped", "flip"]


def test_no_signature_gets_into_a_document() -> None:
    assert jsonl.event_document(EVENTS[2])["detail"] == "https://b/k?X-Amz-Signature=REDACTED"


def test_a_key_with_half_a_surrogate_pair_can_still_be_written() -> None:
    document = jsonl.event_document(Problem("a\ud800b", "refused", "name-not-a-character", ""))
    assert json.dumps(document, ensure_ascii=False).encode()
    assert document["key"] == "a\\ud800b"


def test_a_sample_tells_all_its_counters() -> None:
    document = jsonl.event_document(SAMPLE)
    assert isinstance(SAMPLE, Sample)
    assert document["outcomes"]["failed"] == 3
    assert document["state"] == "limited by Azure (503 ServerBusy)"
