"""Group `key`: every name arrives as it is, or is refused before the first byte; from every kind of list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, unquote_plus

import pytest

from tests.cases.catalogue import CASES, Case, ids_of, of
from tests.cases.conftest import MakeDesk
from tests.cases.desk import Desk, Record
from tests.cases.webs import fetched, listed
from tests.cloud.control import Cloud
from tests.cloud.facts import StoredBlob
from tests.cloud.specs import BlobSpec, ObjectSpec, Rule, Settings, in_base64

TOGETHER: Final = ids_of("key", but=("K63",))
COPIED: Final = tuple(one for one in TOGETHER if CASES[one].outcome != "refused_or_mapped")
REFUSED: Final = tuple(one for one in TOGETHER if CASES[one].outcome == "refused_or_mapped")


@dataclass(frozen=True, slots=True)
class Moved:
    """One migration of all names at once, after it is done."""

    desk: Desk
    plan: Mapping[str, Any]
    records: Mapping[str, Record]
    blobs: Mapping[str, StoredBlob]
    names: list[str]


@pytest.fixture(scope="module", params=["list", "CSV", "ORC", "Parquet"])
def moved(request: pytest.FixtureRequest, sky: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Moved:
    """Planned from a listing or from an inventory, copied and verified."""
    cases = [CASES[one] for one in TOGETHER]
    desk = Desk.create(sky, tmp_path_factory.mktemp("names"), *(case.spec() for case in cases))
    desk.put(*(neighbour for case in cases for neighbour in case.neighbours()))
    words = ("--list",) if request.param == "list" else ("--inventory", str(desk.deliver(request.param)))
    plan = desk.plan(*words)
    summary = desk.copy(expect=1)
    assert summary["outcomes"]["refused"] == len(REFUSED)
    assert desk.verify()["identical"] == summary["outcomes"]["copied"] == len(desk.stored) - len(REFUSED)
    return Moved(desk, plan, desk.records(), sky.blobs(desk.container), listed(sky, desk.container))


@of(*COPIED)
def test_the_object_is_copied_under_exactly_its_own_name(case: Case, moved: Moved) -> None:
    assert moved.desk.ended(case, moved.records)["blob_name"] == case.key
    assert case.expect.get("dest_name", "same as key") == "same as key"
    blob = moved.desk.holds(case, moved.blobs[case.key])
    assert blob.blob_type == case.expect.get("blob_type", "BlockBlob")
    assert moved.names.count(case.key) == 1
    assert fetched(moved.desk.cloud, moved.desk.container, case.key) == case.body


@of(*COPIED)
def test_no_other_reading_of_the_name_exists_at_the_destination(case: Case, moved: Moved) -> None:
    readings = {unquote(case.key), unquote_plus(case.key), case.key.strip(), case.key.strip("/")}
    assert not (readings - {*moved.desk.stored}) & {*moved.blobs}


@of(*(one for one in TOGETHER if CASES[one].neighbours()))
def test_the_neighbour_of_a_similar_name_keeps_its_own_bytes(case: Case, moved: Moved) -> None:
    for neighbour in case.neighbours():
        assert moved.blobs[neighbour.key].size == neighbour.size != case.size
        assert moved.records[neighbour.key]["state"] == "copied"


@of(*REFUSED)
def test_the_object_is_refused_before_the_first_byte_and_told_with_its_reason(case: Case, moved: Moved) -> None:
    record = moved.desk.ended(case, moved.records)
    assert record["reason"] in moved.plan["objects"]["refused"]
    assert record["reason"].startswith("name-")
    assert record["attempts"] == 0
    assert case.key not in moved.blobs


def test_nothing_is_at_the_destination_but_what_was_copied(moved: Moved) -> None:
    copied = {key for key, record in moved.records.items() if record["state"] == "copied"}
    assert {*moved.blobs} == copied == {*moved.names}
    assert sum(moved.plan["objects"]["refused"].values()) == len(REFUSED)


@of("K63")
def test_where_folders_are_real_a_name_with_an_empty_segment_is_refused(case: Case, make_desk: MakeDesk) -> None:
    (plain,) = case.neighbours()
    desk = make_desk(case.spec(), plain)
    desk.cloud.settings(Settings(hierarchical=True))
    assert desk.plan()["objects"]["refused"] == {"name-empty-segment": 1}
    assert desk.copy(expect=1)["outcomes"]["copied"] == 1
    record = desk.ended(case)
    assert (record["state"], record["reason"]) == ("refused", "name-empty-segment")
    assert {*desk.cloud.blobs(desk.container)} == {plain.key}


@of("K63")
def test_where_folders_are_real_an_object_with_the_name_of_one_is_refused(case: Case, make_desk: MakeDesk) -> None:
    names = ("a", "a/b", "a/c", "a/c/d", "a-b", "ab", "gone/x", "gone")
    desk = make_desk(*(ObjectSpec(key=name, size=5) for name in names))
    desk.cloud.settings(Settings(hierarchical=True))
    told = desk.run("plan", "--source", desk.source, "--destination", desk.destination, "--list", "--exclude", "gone/*")
    assert "2  refused: other objects lie in a folder of that name" in told.out
    desk.copy(expect=1)
    refused = {key: record["reason"] for key, record in desk.records().items() if record["state"] == "refused"}
    assert refused == {"a": "name-is-folder", "a/c": "name-is-folder"}
    assert {*desk.cloud.blobs(desk.container)} == {"a/b", "a/c/d", "a-b", "ab", "gone"}


@of("K63")
def test_where_nobody_may_ask_for_the_kind_of_account_the_second_of_two_names_is_a_conflict(
    case: Case, make_desk: MakeDesk
) -> None:
    (plain,) = case.neighbours()
    desk = make_desk(case.spec(), plain)
    desk.cloud.rule(Rule(side="azure", do="answer", operation="GetAccountInformation", status=403,
                         code="AuthorizationPermissionMismatch"))
    told = desk.run("plan", "--source", desk.source, "--destination", desk.destination, "--list")
    assert "rename or refuse 1 of the names (`//`, a slash at an end" in told.err
    # Such an account answers for `src//hidden.go` with the blob `src/hidden.go`: seven bytes, not six.
    taken = in_base64(bytes(range(plain.size)))
    for name in (plain.key, case.key):
        desk.cloud.put_blobs(desk.container, BlobSpec(name=name, recipe=taken))
    desk.copy(expect=1)
    records = desk.records()
    assert (records[plain.key]["state"], records[case.key]["state"]) == ("present", "conflict")
    assert records[case.key]["reason"] == "destination-differs"
    assert all(blob.writes == 1 for blob in desk.cloud.blobs(desk.container).values())


@of("K63")
def test_what_was_once_told_of_the_account_holds_where_a_later_plan_is_not_told(
    case: Case, make_desk: MakeDesk
) -> None:
    desk = make_desk(case.spec(), *case.neighbours())
    desk.cloud.settings(Settings(hierarchical=True))
    desk.plan()
    for _ in range(2):
        desk.cloud.rule(Rule(side="azure", do="answer", operation="GetAccountInformation", status=403,
                             code="AuthorizationPermissionMismatch"))
        told = desk.run("plan")
        assert "1  refused: the name has an empty segment" in told.out
        assert "not told" not in told.err


@of("K63")
def test_on_a_flat_account_both_names_are_two_blobs(case: Case, make_desk: MakeDesk) -> None:
    assert case.expect["only_when"].startswith("isHnsEnabled == true")
    desk = make_desk(case.spec(), *case.neighbours())
    told = desk.run("plan", "--source", desk.source, "--destination", desk.destination, "--list")
    assert "hierarchical namespace" not in told.out + told.err
    assert desk.copy()["outcomes"]["copied"] == 2
    desk.holds(case)
