"""Group `key`: every name arrives as it is, or is refused before the first byte; from every kind of list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, unquote_plus

import pytest

from tests.cases.argued import ARGUED
from tests.cases.catalogue import CASES, Case, ids_of, of
from tests.cases.conftest import MakeDesk
from tests.cases.desk import Desk, Record
from tests.cases.webs import fetched, listed
from tests.cloud.control import Cloud
from tests.cloud.facts import StoredBlob
from tests.cloud.specs import BlobSpec, in_base64

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
def test_on_a_hierarchical_account_the_second_of_two_names_is_a_conflict(case: Case, make_desk: MakeDesk) -> None:
    assert case.id in ARGUED
    (plain,) = case.neighbours()
    desk = make_desk(case.spec(), plain)
    desk.plan()
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
def test_on_a_flat_account_both_names_are_two_blobs(case: Case, make_desk: MakeDesk) -> None:
    assert case.expect["only_when"].startswith("isHnsEnabled == true")
    desk = make_desk(case.spec(), *case.neighbours())
    desk.plan()
    assert desk.copy()["outcomes"]["copied"] == 2
    desk.holds(case)
