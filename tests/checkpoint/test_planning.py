"""Adopting a plan: all of it or nothing, what is proven stays proven, what changed is work again."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from blobmove.checkpoint.planning import PlanStage
from blobmove.checkpoint.reader import CheckpointReader
from blobmove.checkpoint.writer import CheckpointWriter
from blobmove.core.errors import RefusedError
from blobmove.core.model import ObjectVersion, Outcome, Proof, RailsFacts, State, slot
from blobmove.core.plan_results import PlanChange
from blobmove.core.selection import Selection
from tests.checkpoint.plans import (
    E1,
    E2,
    E3,
    adopt,
    copied,
    counted,
    everything,
    gather,
    plan_into,
    planned,
    row,
    rows,
    settle,
)

A = ObjectVersion("a", 10, E1, modified_ms=1000)
B = ObjectVersion("b", 20, f"{E2}-3", modified_ms=1000, encryption="SSE-S3", checksum_algorithm="SHA256")
SKIPPED = ObjectVersion("c", 30, E3, storage_class="GLACIER")
REFUSED = ObjectVersion("d\\e", 40, E3)

KILLED = """
import sys, time
from pathlib import Path
from blobmove.checkpoint import planning
from blobmove.core.model import ObjectVersion
from tests.checkpoint.plans import adopt, planned, gather
from blobmove.checkpoint.writer import CheckpointWriter

def wait(*_):
    print("there", flush=True)
    time.sleep(60)

path, where = Path(sys.argv[1]), sys.argv[2]
versions = [ObjectVersion(f"new-{number}", 1, f"{number:032x}") for number in range(500)]
with CheckpointWriter(path, "plan", create=True) as writer, planning.PlanStage(writer) as stage:
    if where == "gathering":
        stage.add([planned(version) for version in versions])
        wait()
    gather(stage, versions)
    if where == "adopting":
        planning.recount = wait
    adopt(stage, "plan-2")
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "blobmove.db"


def state_of(path: Path, key: str) -> str:
    (state,) = row(path, key, "state")
    return str(state)


def test_a_first_plan_is_all_there(path: Path) -> None:
    facts = RailsFacts(7, "amazon", 10, b"m" * 16, None, "image/png")
    assert plan_into(path, [A, B, SKIPPED, REFUSED], rails=[("a", facts, True)]) is None
    with CheckpointReader(path) as reader:
        totals = reader.totals()
        assert {state.value: count for state, count in totals.objects.items() if count} == {
            "pending": 2, "skipped": 1, "refused": 1,
        }  # fmt: skip
        assert (totals.planned, totals.planned_bytes) == (4, 100)
        assert reader.tally("reason") == {"archived": 1, "name-backslash": 1}
        transfers = {transfer.key: transfer for transfer in reader.pending(-1, 10)}
        setup = reader.setup()
    assert (setup.plan, setup.settings, setup.sizing) == ("plan-1", {"region": "eu-central-1"}, {"listed": 1})
    assert set(transfers) == {"a", "b"}
    assert (transfers["a"].etag, transfers["a"].rails, transfers["a"].blob_name) == (E1, facts, "a")
    assert (transfers["b"].etag, transfers["b"].rails, transfers["b"].encryption) == (f"{E2}-3", None, "SSE-S3")


def test_the_counts_of_a_list_add_up(path: Path) -> None:
    with CheckpointWriter(path, "plan", create=True) as writer, PlanStage(writer) as stage:
        stage.add([planned(version) for version in (A, B, SKIPPED, REFUSED, A)])
        listed = stage.close_list()
        assert (listed.listed, listed.twice) == (4, 1)
        assert listed.by_state == {State.PENDING: 2, State.SKIPPED: 1, State.REFUSED: 1}
        assert (listed.skipped, listed.refused) == ({"archived": 1}, {"name-backslash": 1})
        assert (listed.classes, listed.proofs) == ({"STANDARD": 2}, {"etag-md5": 2})
        assert sorted(stage.sizes()) == [(10, "STANDARD", "etag-md5"), (20, "STANDARD", "etag-md5")]
        assert set(stage.samples(5)) == {("a", 10), ("b", 20)}
        assert len(stage.samples(1)) == 1
        assert stage.query("SELECT count(*) FROM incoming.row") == [(5,)]


def test_the_gathered_rails_rows_are_found_by_key(path: Path) -> None:
    facts = RailsFacts("a-uuid", "amazon", 10, None, b"s" * 32, None)
    with CheckpointWriter(path, "plan", create=True) as writer, PlanStage(writer) as stage:
        stage.add_rails([("a", facts, None), ("b", replace(facts, id=8), False)])
        assert stage.rails_of(["a", "x", *(f"key-{number}" for number in range(2000))]) == {"a": facts}


def test_an_id_beyond_what_sqlite_stores_is_kept_as_text(path: Path) -> None:
    facts = RailsFacts(2**63, "amazon", 10, None, None, None)
    with CheckpointWriter(path, "plan", create=True) as writer, PlanStage(writer) as stage:
        stage.add_rails([("a", facts, None)])
        assert stage.rails_of(["a"]) == {"a": replace(facts, id="9223372036854775808")}


def test_the_same_plan_again_keeps_what_is_proven(path: Path) -> None:
    plan_into(path, [A, B])
    settle(path, copied("a"))
    told = "state, proof, md5, crc64, blob_etag, content_type, attempts, settled_ms, source_etag"
    before = row(path, "a", told)
    assert plan_into(path, [A, B], "plan-2") == PlanChange("plan-1", 0, 0)
    assert row(path, "a", told) == before
    assert state_of(path, "b") == "pending"


def test_a_proven_object_that_a_new_selection_excludes_stays_proven(path: Path) -> None:
    plan_into(path, [A])
    settle(path, copied("a"))
    plan_into(path, [A], "plan-2", selection=Selection(excludes=("*",)))
    assert state_of(path, "a") == "copied"


def test_a_pending_object_that_a_new_selection_excludes_is_skipped(path: Path) -> None:
    plan_into(path, [A])
    plan_into(path, [A], "plan-2", selection=Selection(excludes=("*",)))
    assert row(path, "a", "state, reason") == ("skipped", "excluded")


def test_a_changed_object_is_work_again_and_remembers_our_own_blob(path: Path) -> None:
    plan_into(path, [A])
    settle(path, replace(copied("a", blob_etag="0x8D7"), notes=("metadata-renamed",)))
    with CheckpointWriter(path, "verify") as writer:
        writer.begin_run("plan-1")
        writer.mark_verified([slot("a")], [])
    assert plan_into(path, [replace(A, size=11, etag=E2)], "plan-2") == PlanChange("plan-1", 0, 1)
    assert row(path, "a", "state, size, etag, proof, md5, crc64, verified, source_etag, notes, settled_ms") == (
        "pending", 11, bytes.fromhex(E2), None, None, None, None, None, None, None,
    )
    with CheckpointReader(path) as reader:
        (transfer,) = reader.pending(-1, 10)
    assert (transfer.etag, transfer.own_blob_etag) == (E2, "0x8D7")


def test_what_was_copied_in_a_newer_version_than_planned_stays_proven_when_the_plan_catches_up(path: Path) -> None:
    plan_into(path, [replace(A, etag=None)])
    settle(path, copied("a", E2))
    assert plan_into(path, [replace(A, etag=E2)], "plan-2") == PlanChange("plan-1", 0, 0)
    assert state_of(path, "a") == "copied"


@pytest.mark.parametrize("state", [State.FAILED, State.CONFLICT])
def test_a_failure_waits_until_it_is_to_be_tried_again(path: Path, state: State) -> None:
    plan_into(path, [A])
    settle(path, Outcome(slot("a"), state, "E403-SOURCE", "403 AccessDenied", attempts=3))
    plan_into(path, [A], "plan-2")
    assert row(path, "a", "state, reason, detail, attempts") == (state.value, "E403-SOURCE", "403 AccessDenied", 3)
    with CheckpointWriter(path, "copy") as writer:
        assert writer.reopen() == 1
    assert row(path, "a", "state, reason, detail, attempts") == ("pending", None, None, 3)


def test_a_failure_of_another_version_is_work_at_once(path: Path) -> None:
    plan_into(path, [A])
    settle(path, Outcome(slot("a"), State.FAILED, "E403-SOURCE"))
    plan_into(path, [replace(A, etag=E2)], "plan-2")
    assert row(path, "a", "state, reason") == ("pending", None)


def test_what_changed_under_the_plan_is_adopted_by_the_next(path: Path) -> None:
    plan_into(path, [A])
    settle(path, Outcome(slot("a"), State.CHANGED, "source-changed"))
    plan_into(path, [replace(A, etag=E2)], "plan-2")
    assert row(path, "a", "state, etag") == ("pending", bytes.fromhex(E2))


def test_what_changed_under_the_plan_is_adopted_by_a_list_without_etags(path: Path) -> None:
    plan_into(path, [replace(A, version_id="v1")])
    settle(path, Outcome(slot("a"), State.CHANGED, "source-changed"))
    plan_into(path, [ObjectVersion("a")], "plan-2")
    # Pinned to the old etag or version it would be found changed for ever.
    assert row(path, "a", "state, etag, version_id") == ("pending", None, None)


def test_a_newer_version_is_not_pinned_to_the_old_version_id(path: Path) -> None:
    plan_into(path, [replace(A, version_id="v1")])
    settle(path, copied("a"))
    plan_into(path, [replace(A, etag=E2)], "plan-2")  # a listing names no versions
    assert row(path, "a", "state, etag, version_id") == ("pending", bytes.fromhex(E2), None)


@pytest.mark.parametrize("newer", [
    replace(A, etag=None, size=11, modified_ms=None), replace(A, etag=None, modified_ms=2000),
])
def test_without_etags_another_size_or_time_tells_another_version(path: Path, newer: ObjectVersion) -> None:
    plan_into(path, [replace(A, etag=None)])
    settle(path, copied("a", E1, "0x8D7"))
    plan_into(path, [newer], "plan-2")
    assert row(path, "a", "state, etag, blob_etag") == ("pending", None, "0x8D7")


def test_a_list_of_bare_keys_cannot_tell_whether_anything_changed_so_all_is_looked_at_again(path: Path) -> None:
    plan_into(path, [A, B])
    settle(path, copied("a"))
    plan_into(path, [ObjectVersion("a"), ObjectVersion("b")], "plan-2")
    assert rows(path, "key, state, etag, proof") == [("a", "pending", None, None), ("b", "pending", None, None)]
    assert row(path, "a", "blob_etag") == ("0x8D1",)


def test_objects_that_are_no_longer_listed_stay_in_the_plan(path: Path) -> None:
    plan_into(path, [A, B])
    assert plan_into(path, [B, replace(B, key="new")], "plan-2") == PlanChange("plan-1", 1, 0)
    assert [key for (key,) in rows(path, "key")] == ["a", "b", "new"]


def test_older_versions_have_rows_of_their_own(path: Path) -> None:
    versions = [
        replace(A, version_id="v3", is_latest=True),
        replace(A, version_id="v2", is_latest=False, etag=E2),
        replace(A, version_id="null", is_latest=False, etag=E3),
        replace(A, key="b", version_id="null", is_latest=True),
    ]
    plan_into(path, versions, selection=Selection(all_versions=True))
    assert sorted(rows(path, "key, coalesce(version_id, ''), coalesce(blob_name, ''), state")) == [
        ("a", "", "", "pending"),  # current ones are pinned by their ETag
        ("a", "null", "a~version~null", "pending"), ("a", "v2", "a~version~v2", "pending"), ("b", "", "", "pending"),
    ]  # fmt: skip


def test_a_version_that_grew_old_keeps_its_own_row_and_the_current_one_is_work(path: Path) -> None:
    every = Selection(all_versions=True)
    plan_into(path, [replace(A, version_id="v1")], selection=every)
    settle(path, copied("a"))
    newer = [replace(A, version_id="v2", etag=E2), replace(A, version_id="v1", is_latest=False)]
    plan_into(path, newer, "plan-2", selection=every)
    columns = "coalesce(version_id, ''), state, coalesce(blob_name, ''), coalesce(blob_etag, '')"
    assert sorted(rows(path, columns)) == [
        ("", "pending", "", "0x8D1"), ("v1", "pending", "a~version~v1", ""),
    ]  # fmt: skip


@pytest.mark.parametrize("order", [1, -1])
def test_what_is_listed_twice_counts_once_with_the_newest_row(path: Path, order: int) -> None:
    twice = [replace(A, modified_ms=1000), replace(A, modified_ms=2000, etag=E2, size=11)][::order]
    plan_into(path, [*twice, replace(A, modified_ms=None, etag=E3)])
    assert rows(path, "key, size, etag") == [("a", 11, bytes.fromhex(E2))]


def test_a_null_version_that_is_current_needs_no_version_in_the_request(path: Path) -> None:
    plan_into(path, [replace(A, version_id="null")])
    assert row(path, "a", "version_id") == (None,)


def test_how_many_are_settled_already_is_known_after_the_adoption(path: Path) -> None:
    plan_into(path, [A, B, SKIPPED])
    settle(path, copied("a"))
    with CheckpointWriter(path, "plan") as writer, PlanStage(writer) as stage:
        gather(stage, [A, B, SKIPPED, REFUSED])
        adopt(stage, "plan-2")
        assert stage.settled() == 1


def test_rails_rows_are_those_of_the_newest_plan(path: Path) -> None:
    facts = RailsFacts(7, "amazon", 10, None, None, None)
    plan_into(path, [A, B], rails=[("a", facts, True)])
    plan_into(path, [A, B], "plan-2", rails=[("b", replace(facts, service_name="mirror"), True)])
    with CheckpointReader(path) as reader:
        named = {transfer.key: transfer.rails and transfer.rails.service_name for transfer in reader.pending(-1, 9)}
    assert named == {"a": None, "b": "mirror"}


def test_two_keys_on_one_row_are_refused_and_nothing_is_adopted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan_into(path, [A])
    before = everything(path)
    same = {"x": 42, "y": 42}
    monkeypatch.setattr("blobmove.checkpoint.planning.slot", lambda key, version=None: same.get(key, slot(key)))
    with pytest.raises(RefusedError) as caught:
        plan_into(path, [replace(A, key="x"), replace(A, key="y")], "plan-2")
    assert caught.value.code == "E409-KEYS"
    assert everything(path) == before


def test_a_key_on_the_row_of_one_planned_before_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan_into(path, [A])
    monkeypatch.setattr("blobmove.checkpoint.planning.slot", lambda key, version=None: slot("a"))
    with pytest.raises(RefusedError, match="same row"):
        plan_into(path, [B], "plan-2")


@pytest.mark.parametrize("versions", [
    [replace(A, version_id="v1", is_latest=False), replace(A, key="a~version~v1")],
    [replace(A, version_id="x~version~y", is_latest=False),
     replace(A, key="a~version~x", version_id="y", is_latest=False)],
])
def test_two_objects_that_would_become_one_blob_are_refused(path: Path, versions: list[ObjectVersion]) -> None:
    with pytest.raises(RefusedError) as caught:
        plan_into(path, versions, selection=Selection(all_versions=True))
    assert caught.value.code == "E409-KEYS"


def test_an_error_half_way_leaves_everything_as_it_was_and_the_writer_usable(path: Path) -> None:
    plan_into(path, [A])
    before = everything(path)
    broken = replace(planned(B), version=replace(B, size="no number"))  # type: ignore[arg-type]
    unstorable = replace(planned(B), version=replace(B, modified_ms=object()))  # type: ignore[arg-type]
    with CheckpointWriter(path, "plan") as writer:
        with pytest.raises(sqlite3.Error), PlanStage(writer) as stage:
            stage.add([planned(A), unstorable])
        assert not writer.path.with_name("blobmove.db-incoming").exists()
        writer.settle([])
        with PlanStage(writer) as stage:
            gather(stage, [A, broken.version])
            with pytest.raises(sqlite3.Error):
                adopt(stage, "plan-2")
    assert everything(path) == before


@pytest.mark.parametrize("where", ["gathering", "adopting"])
def test_a_plan_that_is_killed_leaves_everything_as_it_was(path: Path, where: str) -> None:
    plan_into(path, [A, B])
    settle(path, copied("a"))
    before = everything(path)
    child = subprocess.Popen([sys.executable, "-c", KILLED, str(path), where], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "there\n"
        child.send_signal(signal.SIGKILL)
    finally:
        child.kill()
        child.communicate()
    assert everything(path) == before
    plan_into(path, [A, B, REFUSED], "plan-2")
    assert [state for (state,) in rows(path, "state")] == ["copied", "pending", "refused"]
    assert not path.with_name("blobmove.db-incoming").exists()


def test_a_first_plan_that_is_killed_can_simply_be_made_again(path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", KILLED, str(path), "adopting"], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "there\n"
    finally:
        child.kill()
        child.communicate()
    plan_into(path, [A])
    assert state_of(path, "a") == "pending"


def test_the_tally_is_a_recount_after_every_step(path: Path) -> None:
    def same() -> None:
        kept, anew = counted(path)
        assert kept == anew

    plan_into(path, [A, B, SKIPPED, REFUSED])
    same()
    settle(path, replace(copied("a"), notes=("metadata-renamed", "expires-lost"), size=12),
           Outcome(slot("b"), State.FAILED, "E500-SOURCE"))
    same()
    plan_into(path, [replace(A, etag=E2), B, SKIPPED], "plan-2")
    same()
    settle(path, replace(copied("a", E2), state=State.PRESENT, proof=Proof.CRC64NVME, notes=("expires-lost",)))
    same()
    with CheckpointWriter(path, "copy") as writer:
        writer.reopen()
    same()
    plan_into(path, [A, B], "plan-3")
    same()
