"""The reader: pages of work, what is proven, what is not well, and the records of the report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from blobmove.checkpoint.reader import RECORD_FIELDS, CheckpointReader
from blobmove.checkpoint.writer import CheckpointWriter
from blobmove.core.errors import UsageError
from blobmove.core.lanes import LARGE_BYTES
from blobmove.core.model import ObjectVersion, Outcome, RailsFacts, State, Transfer, slot
from blobmove.core.rows import ProvenRows
from blobmove.core.selection import Selection
from tests.checkpoint.plans import E1, E2, copied, plan_into, settle
from tests.proven import proven_rows

KEYS = [f"key-{number}" for number in range(25)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "blobmove.db"
    facts = RailsFacts("0f1e-uuid", "amazon", 10, b"m" * 16, None, "image/png")
    plan_into(path, [ObjectVersion(key, 10, E1) for key in KEYS], rails=[("key-3", facts, True)])
    return path


def runs(path: Path, *commands: tuple[str, int | None, dict[str, int]]) -> None:
    """Runs one after the other; exit code None: killed."""
    for command, code, summary in commands:
        with CheckpointWriter(path, command) as writer:
            writer.begin_run("plan-1")
            if code is None:
                writer.note_run(summary)
            else:
                writer.end_run(code, summary)


def verified(path: Path, identical: list[str], different: list[str]) -> int:
    with CheckpointWriter(path, "verify") as writer:
        run = writer.begin_run("plan-1")
        writer.mark_verified([slot(key) for key in identical], [slot(key) for key in different])
    return run


def test_pages_of_work_hold_every_pending_object_once_in_hashed_order(path: Path) -> None:
    settle(path, copied("key-7"))
    with CheckpointReader(path) as reader:
        found, after = [], -1
        while page := reader.pending(after, 10):
            assert len(page) <= 10
            found += page
            after = page[-1].id
    assert {transfer.key for transfer in found} == set(KEYS) - {"key-7"}
    assert [transfer.id for transfer in found] == sorted(slot(key) for key in KEYS if key != "key-7")


def test_large_objects_come_in_a_row_of_their_own_the_largest_first(tmp_path: Path) -> None:
    path = tmp_path / "blobmove.db"
    sizes = {f"key-{n}": size for n, size in enumerate(
        [LARGE_BYTES - 1, LARGE_BYTES, 5 * LARGE_BYTES, 5 * LARGE_BYTES, 5 * LARGE_BYTES, 3 * LARGE_BYTES, None, 0]
    )}
    plan_into(path, [ObjectVersion(key, size, E1) for key, size in sizes.items()])
    settle(path, copied("key-5"))
    with CheckpointReader(path) as reader:
        found: list[Transfer] = []
        after = (2**63 - 1, -1)
        while page := reader.pending_large(after, 2):
            found += page
            after = (page[-1].size or 0, page[-1].id)
        small = {transfer.key for transfer in reader.pending(-1, 10)}
    assert [transfer.size for transfer in found] == [5 * LARGE_BYTES] * 3 + [LARGE_BYTES]
    assert {transfer.key for transfer in found} == {"key-1", "key-2", "key-3", "key-4"}
    assert small == {"key-0", "key-6", "key-7"}


def test_large_objects_are_found_without_looking_at_the_others(path: Path) -> None:
    with CheckpointReader(path) as reader:
        told: list[str] = []
        reader.db.set_trace_callback(told.append)
        reader.pending_large((2**63 - 1, -1), 10)
        reader.db.set_trace_callback(None)
        steps = [row[3] for row in reader.db.execute(f"EXPLAIN QUERY PLAN {told[-1]}")]
    assert any("object_open_large" in step for step in steps)
    assert not any("TEMP B-TREE" in step for step in steps)


def test_a_reader_needs_a_complete_plan(tmp_path: Path) -> None:
    path = tmp_path / "blobmove.db"
    with CheckpointWriter(path, "plan", create=True):
        pass
    with CheckpointReader(path) as reader, pytest.raises(UsageError) as caught:
        reader.setup()
    assert caught.value.code == "E404-PLAN"


def test_copied_blobs_come_in_pages(path: Path) -> None:
    settle(path, *(copied(key) for key in KEYS[:12]), Outcome(slot("key-20"), State.PRESENT, md5=b"p" * 16),
           Outcome(slot("key-21"), State.FAILED))
    with CheckpointReader(path) as reader:
        first = reader.proven_page(-1, 10)
        second = reader.proven_page(first[-1].id, 10)
        assert reader.proven_page(second[-1].id, 10) == []
    assert {copy.blob_name for copy in (*first, *second)} == {*KEYS[:12], "key-20"}
    assert (first[0].size, first[0].md5, first[0].blob_etag) in {
        (10, bytes.fromhex(E1), "0x8D1"), (10, b"p" * 16, None),
    }  # fmt: skip


def test_what_a_run_has_looked_at_does_not_come_again(path: Path) -> None:
    settle(path, *(copied(key) for key in KEYS[:3]))
    run = verified(path, ["key-0"], ["key-1"])
    with CheckpointReader(path) as reader:
        assert [copy.blob_name for copy in reader.proven_page(-1, 10, not_verified_by=run)] == ["key-2"]
        assert len(reader.proven_page(-1, 10, not_verified_by=run + 1)) == 3
        assert len(reader.proven_page(-1, 10)) == 3


def test_copied_blobs_are_found_by_their_names(tmp_path: Path) -> None:
    path = tmp_path / "blobmove.db"
    old = ObjectVersion("a", 5, E2, version_id="v1", is_latest=False)
    plan_into(path, [ObjectVersion("a", 10, E1), old, ObjectVersion("b", 1, E1)],
              selection=Selection(all_versions=True))
    settle(path, copied("a"), Outcome(slot("a", "v1"), State.COPIED, size=5, md5=b"o" * 16, blob_etag="0x8D2"))
    with CheckpointReader(path) as reader:
        found = reader.proven_by_name(["a~version~v1", "a", "b", "unknown", *(f"x{n}" for n in range(900))])
    assert {name: (copy.id, copy.size) for name, copy in found.items()} == {
        "a~version~v1": (slot("a", "v1"), 5), "a": (slot("a"), 10),
    }  # fmt: skip


def test_the_ledger_tells_by_columns_what_it_tells_row_by_row(path: Path) -> None:
    """Proven, found identical or different, not copied, without an MD5, renamed, and in more than one answer."""
    many = [f"{n}/ä" for n in range(5500)]
    plan_into(path, [ObjectVersion(key, 10, E1) for key in [*KEYS, *many]], "plan-2")
    settle(path, *(copied(key) for key in KEYS[:8]), *(copied(key) for key in many))
    settle(path, replace(copied("key-8"), md5=b"another MD5 of 16"[:16]), replace(copied("key-9"), md5=None))
    settle(path, Outcome(slot("key-10"), State.FAILED, reason="E500", attempts=3))
    verified(path, ["key-2"], ["key-3"])
    asked = [*KEYS, *many, "stranger"]
    with CheckpointReader(path) as reader:
        told = reader.proven_rows(asked)
        assert told == proven_rows(reader.proven(asked), asked)
        assert told.count == len(told.each()) == 7 + 5500 + 1
        assert ("key-1", 10, "EREREREREREREREREREREQ==") in told.each()
        assert reader.proven_rows(["stranger"]) == reader.proven_rows([]) == ProvenRows()


@pytest.mark.parametrize("key", ["a\0b", "a\0b\0c\0d"])
def test_a_key_with_a_zero_byte_has_its_neighbours_asked_row_by_row(path: Path, key: str) -> None:
    plan_into(path, [ObjectVersion(one, 10, E1) for one in [*KEYS, key]], "plan-2")
    settle(path, copied("key-1"), copied("key-2"), copied(key))
    with CheckpointReader(path) as reader:
        assert reader.proven_rows(["key-1", "key-2", key]) == ProvenRows()
        assert reader.proven_rows(["key-1", "key-2"]).count == 2
        assert len(reader.proven(["key-1", "key-2", key])) == 3


def test_the_ledger_knows_every_planned_key_proven_or_not(path: Path) -> None:
    settle(path, copied("key-0"), copied("key-1"), copied("key-2"), Outcome(slot("key-3"), State.GONE))
    verified(path, ["key-0"], ["key-1"])
    with CheckpointReader(path) as reader:
        found = reader.proven([*(f"key-{n}" for n in range(5)), "stranger", *(str(n) for n in range(900))])
    assert {key: (blob.state.value, blob.verified) for key, blob in found.items()} == {
        "key-0": ("copied", True), "key-1": ("copied", False), "key-2": ("copied", None), "key-3": ("gone", None),
        "key-4": ("pending", None),
    }  # fmt: skip
    assert (found["key-0"].size, found["key-0"].md5, found["key-0"].blob_name) == (10, bytes.fromhex(E1), "key-0")
    assert found["key-4"].md5 is None


COPY, VERIFY = "copy", "verify"


@pytest.mark.parametrize(("told", "passed"), [
    ([], False),
    ([(COPY, 0, {"settled": 5})], False),
    ([(COPY, 0, {"settled": 5}), (VERIFY, 0, {})], True),
    ([(COPY, 0, {"settled": 5}), (VERIFY, 5, {})], False),
    ([(COPY, 0, {"settled": 5}), (VERIFY, None, {})], False),
    ([(COPY, 0, {"settled": 5}), (VERIFY, 0, {}), (COPY, 0, {"settled": 0})], True),
    ([(COPY, 0, {"settled": 5}), (VERIFY, 0, {}), (COPY, 0, {"settled": 1})], False),
    ([(COPY, 0, {"settled": 5}), (VERIFY, 0, {}), (COPY, None, {"rate": 7})], False),
    ([(COPY, 0, {"settled": 5}), (VERIFY, 0, {}), (VERIFY, 5, {})], False),
    ([(COPY, 1, {"settled": 5}), (VERIFY, 5, {}), (VERIFY, 0, {})], True),
    ([(COPY, 0, {"settled": 5}), (VERIFY, 0, {"sample": 10})], False),
    ([(COPY, 0, {"settled": 5}), (VERIFY, 0, {"sample": 100})], True),
])
def test_a_verification_counts_only_after_the_last_copy_that_changed_anything(
    path: Path, told: list[tuple[str, int | None, dict[str, int]]], passed: bool
) -> None:
    runs(path, *told)
    with CheckpointReader(path) as reader:
        assert reader.last_verify_passed() is passed


def test_what_is_not_well_is_listed_with_its_reason(path: Path) -> None:
    settle(
        path, copied("key-0"), Outcome(slot("key-1"), State.FAILED, "E403-SOURCE", "403 AccessDenied", attempts=3),
        Outcome(slot("key-2"), State.CONFLICT, "destination-differs"), Outcome(slot("key-3"), State.GONE),
        Outcome(slot("key-4"), State.CHANGED, "source-changed"), Outcome(slot("key-5"), State.SKIPPED, "archived"),
    )
    with CheckpointReader(path) as reader:
        found = {(failure.key, failure.state, failure.reason) for failure in reader.unwell(10)}
        failed = next(failure for failure in reader.unwell(10) if failure.state == "failed")
        assert len(reader.unwell(2)) == 2
        assert reader.tally("reason") == {
            "E403-SOURCE": 1, "archived": 1, "destination-differs": 1, "source-changed": 1,
        }  # fmt: skip
    assert found == {
        ("key-1", "failed", "E403-SOURCE"), ("key-2", "conflict", "destination-differs"), ("key-3", "gone", ""),
        ("key-4", "changed", "source-changed"),
    }  # fmt: skip
    assert (failed.detail, failed.attempts) == ("403 AccessDenied", 3)


def test_the_report_has_one_record_an_object_with_the_promised_fields(path: Path) -> None:
    settle(path, copied("key-3"))
    with CheckpointReader(path) as reader:
        batches = list(reader.records(batch=10))
    assert [len(batch) for batch in batches] == [10, 10, 5]
    records = {record[0]: dict(zip(RECORD_FIELDS, record, strict=True)) for batch in batches for record in batch}
    assert set(records) == set(KEYS)
    told = records["key-3"]
    assert isinstance(told.pop("settled_at"), int)
    assert told == {
        "key": "key-3", "version_id": None, "size": 10, "state": "copied", "reason": None, "error": None,
        "attempts": 1, "proof": "etag-md5", "md5": E1, "crc64": (b"c" * 8).hex(), "source_etag": E1,
        "blob_name": "key-3", "blob_etag": "0x8D1", "content_type": "image/png", "storage_class": "STANDARD",
        "rails_id": "0f1e-uuid", "rails_service": "amazon", "seconds": 0.25, "notes": None,
        "source_modified": None,
    }  # fmt: skip
    assert {records["key-4"][name] for name in ("md5", "rails_id", "settled_at")} == {None}


@pytest.mark.parametrize(("outcome", "started"), [
    (None, False), (copied("key-0"), True), (Outcome(slot("key-0"), State.FAILED), True),
    (Outcome(slot("key-0"), State.GONE), False),
])
def test_a_plan_is_started_when_something_was_tried(path: Path, outcome: Outcome | None, started: bool) -> None:
    if outcome is not None:
        settle(path, outcome)
    with CheckpointReader(path) as reader:
        assert reader.plan_started() is started


def test_a_plan_is_started_when_a_copy_has_begun(path: Path) -> None:
    runs(path, (COPY, None, {}))
    with CheckpointReader(path) as reader:
        assert reader.plan_started()
