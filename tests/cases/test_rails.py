"""Group `activestorage`: a row is flipped when its file is proven to be on Azure as the row says, and only then."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cases.argued import ARGUED
from tests.cases.catalogue import CASES, Case, of
from tests.cases.conftest import MakeDesk
from tests.cases.desk import Desk
from tests.cases.railway import Railway
from tests.cloud.content import Mod251
from tests.cloud.specs import ObjectSpec

TO_AZURE = ("--from", "amazon", "--to", "azure")


def flip(desk: Desk, *words: str, expect: int = 0) -> dict[str, Any]:
    """`flip-service --json`, confirmed; its numbers add up."""
    found = desk.run("flip-service", *(words or TO_AZURE), "--confirm", "azure", "--json", expect=expect).document
    assert found["rows"] == found["flipped"] + sum(found["refused"].values()) + found["remaining"]
    return found


def moved(case: Case, make_desk: MakeDesk) -> tuple[Desk, Railway]:
    """A desk whose one object is copied and verified, and its database."""
    desk = make_desk(case.spec())
    rails = Railway.beside(desk, case)
    desk.plan()
    desk.copy()
    desk.holds(case)
    desk.verify()
    return desk, rails


@of("R01", "R17")
def test_a_row_that_agrees_with_its_object_is_flipped_and_nothing_else_in_it(case: Case, make_desk: MakeDesk) -> None:
    assert case.outcome == "copied_and_flipped"
    desk = make_desk(case.spec())
    rails = Railway.beside(desk, case)
    before = rails.row(case.key)
    assert desk.plan()["rails"]["matched"] == 1
    desk.copy()
    refused = desk.run("flip-service", *TO_AZURE, "--confirm", "azure", "--json", expect=3).document
    assert (refused["code"], rails.row(case.key)) == ("E412-VERIFY", before), "not before a verification"
    desk.verify()
    assert flip(desk)["flipped"] == 1
    assert rails.row(case.key) == before | {"service_name": "azure"}
    record = desk.records()[case.key]
    assert (record["rails_service"], record["notes"]) == ("amazon", None)


@of("R03")
def test_a_row_with_another_size_is_reported_and_not_flipped(case: Case, make_desk: MakeDesk) -> None:
    assert case.outcome == "copied_not_flipped"
    desk, rails = moved(case, make_desk)
    assert desk.plan()["rails"]["size_differs"] == 1
    assert desk.records()[case.key]["notes"] == "rails-size-differs"
    assert flip(desk, expect=1)["refused"] == {"size-differs": 1}
    assert rails.services() == {case.key: "amazon"}


@pytest.mark.parametrize("how", [(), ("--whole-object-limit", "0")], ids=["whole", "in blocks"])
@of("R05")
def test_a_row_with_a_sha256_is_compared_and_left_for_somebody_to_decide(
    case: Case, how: tuple[str, ...], make_desk: MakeDesk
) -> None:
    assert case.outcome == "copied_flip_needs_choice"
    wrong, unproven = "r05wrongaaaaaaaaaaaaaaaaaaaaa", "r05kmsaaaaaaaaaaaaaaaaaaaaaaa"
    desk = make_desk(case.spec(), case.spec(key=wrong), case.spec(key=unproven, encryption="aws:kms"))
    rails = Railway.beside(desk, case)
    rails.add(wrong, case.size, checksum="sha256:" + "A" * 43 + "=")
    rails.add(unproven, case.size, checksum="sha256:<base64>")
    desk.plan()
    desk.copy(*how)
    desk.verify()
    records = desk.records()
    assert [records[key]["notes"] for key in (case.key, wrong, unproven)] == [None, "rails-sha256-differs", None]
    assert [records[key]["proof"] for key in (case.key, wrong, unproven)] == ["etag-md5", "etag-md5", "rails-md5"]
    assert flip(desk, expect=1)["refused"] == {"sha256-checksum": 3}
    assert {*rails.services().values()} == {"amazon"}


@of("R07")
def test_an_object_without_a_row_is_counted_and_copied_unless_only_rows_are_wanted(
    case: Case, make_desk: MakeDesk
) -> None:
    assert case.id in ARGUED
    assert case.outcome == "copied_or_skipped_by_policy"
    named = CASES["R01"]
    desk = make_desk(case.spec(), named.spec())
    Railway.beside(desk, named)
    plan = desk.plan("--only-referenced")
    assert plan["objects"]["skipped"] == {"not-referenced": 1}
    desk.copy()
    assert (desk.records()[case.key]["state"], desk.blob(case.key)) == ("skipped", None)
    assert desk.plan()["rails"]["objects_without_row"] == 1
    desk.copy()
    assert desk.records()[case.key]["state"] == "copied"
    desk.holds(case)


@of("R09")
def test_the_rows_of_a_mirror_are_flipped_only_when_they_are_named(case: Case, make_desk: MakeDesk) -> None:
    assert case.outcome == "flipped_only_if_from_lists_it"
    named = CASES["R17"]
    desk = make_desk(case.spec(), named.spec())
    rails = Railway.beside(desk, case, named)
    desk.plan()
    desk.copy()
    desk.verify()
    assert flip(desk)["flipped"] == 1
    assert rails.services() == {case.key: "mirror", named.key: "azure"}
    assert flip(desk, "--from", "amazon", "--from", "mirror", "--to", "azure")["flipped"] == 1
    assert rails.services() == {case.key: "azure", named.key: "azure"}


@of("R11")
def test_the_content_type_stays_as_s3_has_it(case: Case, make_desk: MakeDesk) -> None:
    assert case.id in ARGUED
    desk, rails = moved(case, make_desk)
    blob = desk.holds(case)
    assert blob.headers["Content-Type"] == case.told["headers"]["Content-Type"] == "application/octet-stream"
    assert flip(desk)["flipped"] == 1
    assert rails.row(case.key)["content_type"] == case.expect["headers"]["Content-Type"]


@of("R11")
def test_where_s3_is_not_asked_the_content_type_is_that_of_the_row(case: Case, make_desk: MakeDesk) -> None:
    desk = make_desk(case.spec())
    Railway.beside(desk, case)
    desk.plan()
    summary = desk.copy("--transfer", "server", "--content-from", "rails")
    assert summary["requests"]["s3"] == {}
    assert desk.holds(case).headers["Content-Type"] == case.expect["headers"]["Content-Type"]


@of("R13")
def test_a_row_purged_between_copy_and_flip_is_no_error(case: Case, make_desk: MakeDesk) -> None:
    assert case.id in ARGUED
    assert case.outcome == "reported"
    other = CASES["R17"]
    desk = make_desk(case.spec(), other.spec())
    rails = Railway.beside(desk, other)
    rails.add(case.key, case.size)
    desk.plan()
    desk.copy()
    desk.verify()
    rails.remove(case.key)
    assert flip(desk)["flipped"] == 1
    assert rails.services() == {other.key: "azure"}
    assert desk.plan()["rails"]["objects_without_row"] == 1, "S3 still has it, and so has Azure"


@of("R15")
def test_an_undo_takes_back_its_own_rows_and_tells_of_those_born_since(case: Case, make_desk: MakeDesk) -> None:
    assert case.id in ARGUED
    assert case.outcome == "rolled_back"
    flipped, born = case.told["db"]["flipped"], case.told["db"]["created_on_azure_after_flip"]
    old = [f"r15old{number:022d}" for number in range(flipped)]
    new = [f"r15new{number:022d}" for number in range(born)]
    desk = make_desk(*(ObjectSpec(key=key, size=10) for key in old))
    rails = Railway.beside(desk)
    for key in old:
        rails.add(key, 10)
    desk.plan()
    desk.copy()
    desk.verify()
    assert flip(desk)["flipped"] == flipped
    for key in new:
        rails.add(key, 10, service="azure")
    undone = desk.run("flip-service", "--undo", "--confirm", "azure", "--json").document
    assert (undone["flipped"], undone["undo_of"]) == (flipped, 1)
    assert rails.services() == dict.fromkeys(old, "amazon") | dict.fromkeys(new, "azure")
    assert undone["by_service"] == {"azure": flipped + born}, "what is left of them was born on Azure"


@of("R19")
def test_a_key_with_a_backslash_is_refused_and_its_row_stays(case: Case, make_desk: MakeDesk) -> None:
    other = CASES["R17"]
    desk = make_desk(case.spec(), other.spec())
    rails = Railway.beside(desk, case, other)
    assert desk.plan()["objects"]["refused"] == {"name-backslash": 1}
    desk.copy(expect=1)
    desk.ended(case)
    desk.verify()
    assert flip(desk, expect=1)["refused"] == {"refused-name": 1}
    assert rails.services() == {case.key: "amazon", other.key: "azure"}
    assert [*desk.cloud.blobs(desk.container)] == [other.key]


def test_the_rows_of_the_cases_have_the_checksums_of_their_objects(make_desk: MakeDesk) -> None:
    """The helper of these tests writes what Rails would have written."""
    case = CASES["R01"]
    row = Railway.beside(make_desk(), case).row(case.key)
    assert row["checksum"] == case.told["md5_b64"]
    assert Mod251(case.size).read(0, case.size) == case.body
