"""Group `glacier`: cold objects are copied, archived ones recorded until they are restored."""

from __future__ import annotations

import json

import pytest

from tests.cases.catalogue import Case, of
from tests.cases.conftest import MakeDesk

RESTORED = 'ongoing-request="false", expiry-date="Fri, 21 Dec 2035 00:00:00 GMT"'


@of("T06")
def test_reading_an_infrequent_access_object_costs_and_the_plan_says_so(case: Case, make_desk: MakeDesk) -> None:
    desk = make_desk(case.spec())
    # Ten bytes cost nothing that can be shown: at this price they do.
    (desk.folder / "prices.json").write_text(json.dumps({"s3_retrieval_per_gib": 1e9}))
    plan = desk.plan("--prices", "prices.json")
    assert plan["storage_classes"] == {"STANDARD_IA": 1}
    assert plan["forecast"]["dollars"]["s3_retrieval"] > 9
    desk.copy()
    desk.ended(case)
    desk.holds(case)


@of("T08", "T10", "T12")
@pytest.mark.parametrize("source", ["list", "inventory"])
def test_an_archived_object_is_skipped_until_it_is_restored(case: Case, source: str, make_desk: MakeDesk) -> None:
    desk = make_desk(case.spec())
    words = ("--list",) if source == "list" else ("--inventory", str(desk.deliver("Parquet")))
    told = desk.plan(*words)["objects"]["skipped"]
    hidden = (case.id, source) == ("T12", "list")  # a listing shows no archive tier: the GET tells
    assert told == ({} if hidden else {"archived": 1})
    desk.copy()
    record = desk.ended(case)
    assert (record["state"], record["reason"]) == ("skipped", "archived")
    assert desk.blob(case.key) is None
    desk.plan()
    desk.copy("--retry-failed")
    assert desk.records()[case.key]["state"] == "skipped", "not restored yet"
    desk.cloud.set_restore(desk.bucket, case.key, RESTORED)
    desk.plan()
    desk.copy("--retry-failed")
    assert desk.records()[case.key]["state"] == "copied"
    desk.holds(case)
