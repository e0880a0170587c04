"""Group `fault`, the cases of a whole run: a full disk, versions, a delta, a thousand prefixes."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.cases.argued import ARGUED
from tests.cases.catalogue import Case, of
from tests.cases.conftest import MakeDesk
from tests.cases.desk import Desk
from tests.cloud.specs import ObjectSpec, SeriesSpec


@of("F21")
def test_a_full_disk_under_the_checkpoint_stops_the_run_and_nothing_is_told_that_is_not_recorded(
    case: Case, make_desk: MakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert case.outcome == "paused"
    keys = [f"disk/{number}" for number in range(400)]
    desk = make_desk(case.spec(), *(case.spec(key=key) for key in keys))
    desk.plan()
    with monkeypatch.context() as patch:
        _fill_the_disk(patch)
        run = desk.run("copy", "--resume", "--json", expect=2)
    error, summary = run.document, run.summary
    assert (error["code"], bool(error["hint"])) == ("E507-DISK", True)
    recorded = dict(desk.rows("SELECT state, count(*) FROM object GROUP BY state"))
    assert {state: number for state, number in summary["outcomes"].items() if number} == recorded
    assert recorded["pending"] > 0
    assert {*recorded} <= {"pending", "copied"}
    assert summary["planned"] == sum(recorded.values()) == 401
    again = desk.copy()
    assert again["outcomes"]["copied"] + again["outcomes"]["present"] == 401
    assert all(blob.writes == 1 for blob in desk.cloud.blobs(desk.container).values()), "found, not written again"
    desk.holds(case)


def _fill_the_disk(patch: pytest.MonkeyPatch) -> None:
    """The checkpoint cannot grow any more: SQLite answers as it does to ENOSPC."""
    from blobmove.checkpoint.file import connect

    def connected(path: Path, *, write: bool, create: bool = False) -> sqlite3.Connection:
        found = connect(path, write=write, create=create)
        if write:
            (pages,) = found.execute("PRAGMA page_count").fetchone()
            found.execute(f"PRAGMA max_page_count = {pages}")
        return found

    patch.setattr("blobmove.checkpoint.writer.connect", connected)


@of("F23")
def test_a_current_version_overwritten_since_the_plan_is_not_copied_but_the_newer_one_by_the_next_plan(
    case: Case, make_desk: MakeDesk
) -> None:
    assert case.id in ARGUED
    assert case.outcome == "copied_then_delta"
    first = case.told["inventory"]["VersionId"]
    desk = make_desk(case.spec(version_id=first), versioned=True)
    desk.plan("--inventory", str(desk.deliver("CSV", versions=True)))
    desk.put(case.spec(recipe="mod251:2", version_id="v2"))
    desk.copy(expect=1)
    record = desk.records()[case.key]
    assert (record["state"], record["source_etag"]) == ("changed", case.md5)
    assert desk.blob(case.key) is None
    desk.plan("--inventory", str(desk.deliver("CSV", versions=True)))
    desk.copy()
    record = desk.records()[case.key]
    blob = desk.blob(case.key)
    assert record["state"] == "copied"
    assert blob is not None
    assert blob.md5 == blob.content_md5 == record["source_etag"] != case.md5


@of("F23")
def test_a_plan_of_all_versions_copies_each_and_names_the_older_ones(case: Case, make_desk: MakeDesk) -> None:
    first = case.told["inventory"]["VersionId"]
    desk = make_desk(case.spec(version_id=first), versioned=True)
    desk.put(case.spec(recipe="mod251:2", version_id="v2"))
    desk.plan("--inventory", str(desk.deliver("CSV", versions=True)), "--versions", "all")
    desk.run("copy", "--resume")
    older = f"{case.key}~version~{first}"
    assert desk.rows("SELECT version_id, state FROM object WHERE blob_name IS NOT NULL") == [(first, "copied")]
    desk.holds(case, desk.blob(older))
    newer = desk.blob(case.key)
    assert newer is not None
    assert newer.md5 == newer.content_md5 != case.md5


@of("F27")
def test_a_delta_copies_what_has_changed_and_nothing_else(case: Case, make_desk: MakeDesk) -> None:
    total, changed = 40, int(case.before["changed_at_source"])
    specs = [case.spec(key=f"delta/{number:02d}") for number in range(total - 1)]
    desk = make_desk(case.spec(), *specs)
    desk.plan()
    desk.copy()
    desk.put(*(ObjectSpec(key=spec.key, size=case.size, recipe="mod251:5") for spec in specs[:changed]))
    plan = desk.plan()
    assert (plan["change"]["changed"], plan["objects"]["settled"]) == (changed, total - changed)
    summary = desk.copy()
    assert (summary["requests"]["s3"], summary["requests"]["azure"]) == ({"GetObject": changed}, {"PutBlob": changed})
    assert summary["outcomes"]["copied"] == summary["planned"] == total
    writes = [blob.writes for blob in desk.cloud.blobs(desk.container).values()]
    assert (writes.count(1), writes.count(2)) == (total - changed, changed)
    assert desk.ended(case)["state"] == "copied"
    _all_equal(desk)


@of("F29")
def test_a_thousand_prefixes_need_no_more_connections_than_objects_in_flight(
    case: Case, make_desk: MakeDesk
) -> None:
    prefixes, in_flight = int(case.before["prefixes"]), 16
    desk = make_desk(case.spec())
    series = SeriesSpec(pattern="perf/{n}/client", count=prefixes, smallest=case.size, largest=case.size)
    desk.cloud.put_series(desk.bucket, series)
    desk.plan()
    desk.cloud.reset_counts()
    before = desk.cloud.counts()  # the plan's own may still be open: it ran in this process
    summary = desk.copy("--concurrency", str(in_flight))
    assert summary["outcomes"]["copied"] == prefixes + 1
    counts = desk.cloud.counts()
    assert counts.s3.most_connections <= before.s3.connections + in_flight + 2
    assert counts.azure.most_connections <= before.azure.connections + in_flight + 2
    assert counts.s3.requests == {"GetObject": prefixes + 1}
    desk.holds(case)
    _all_equal(desk)


def _all_equal(desk: Desk) -> None:
    found = desk.cloud.compare(desk.bucket, desk.container)
    assert (found.missing, found.different, found.extra, found.wrong_md5) == ([], [], [], [])
