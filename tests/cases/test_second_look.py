"""`verify --how read` among blobs that cannot be read: each costs its own answer, and all together the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from blobmove.core.circuit import HELD_LIMIT
from blobmove.engine.second_look import LOOKS
from tests.cases.railway import Railway
from tests.cloud.specs import BlobSpec, ObjectSpec, Rule

if TYPE_CHECKING:
    from typing import Any

    from tests.cases.conftest import MakeDesk
    from tests.cases.desk import Desk

ILL: Final = "papers/ill"
READ: Final = ("--how", "read")
COUNTS: Final = ("checked", "identical", "different", "missing", "unreadable")


def copied(make_desk: MakeDesk, others: int = 5) -> Desk:
    desk = make_desk(ObjectSpec(key=ILL, size=100), *(ObjectSpec(key=f"papers/{n}", size=100) for n in range(others)))
    desk.plan()
    desk.copy()
    return desk


def refuse(desk: Desk, status: int, code: str, key: str = ILL, **more: Any) -> int:  # noqa: ANN401 - a rule's fields
    return desk.cloud.rule(Rule(side="azure", do="answer", operation="GetBlob", key=key, status=status, code=code,
                                **more))


def counts(found: dict[str, Any]) -> tuple[int, ...]:
    return tuple(found[name] for name in COUNTS)


@pytest.mark.parametrize(("status", "code"), [(500, "InternalError"), (403, "AuthorizationPermissionMismatch"),
                                              (409, "BlobBeingRehydrated")])
def test_one_blob_that_cannot_be_read_is_named_and_the_others_are_looked_at(
    status: int, code: str, make_desk: MakeDesk
) -> None:
    desk = copied(make_desk)
    rule = refuse(desk, status, code)
    found = desk.verify(*READ, "--log-file", "log.jsonl", expect=1)
    assert counts(found) == (5, 5, 0, 0, 1)
    (example,) = found["examples"]
    assert example["key"] == ILL
    assert example["problem"].startswith(f"cannot be read: {status} {code}")
    assert found["next"] == "blobmove verify --how read"
    assert f'"key": "{ILL}", "state": "unreadable", "code": "E{status}-DESTINATION"' in (
        desk.folder / "log.jsonl").read_text()
    ((unread,),) = desk.rows("SELECT json_extract(summary, '$.unread') FROM run ORDER BY id DESC LIMIT 1")
    assert unread == f'["{ILL}"]'
    desk.cloud.drop_rule(rule)
    assert counts(desk.verify(*READ)) == (6, 6, 0, 0, 0)


def test_a_blob_that_nobody_could_read_is_not_verified_but_what_was_found_before_stays_noted(
    make_desk: MakeDesk
) -> None:
    desk = copied(make_desk)
    Railway.beside(desk).add(ILL, 100)
    desk.verify()
    refuse(desk, 409, "BlobBeingRehydrated")
    desk.verify(*READ, expect=1)
    told = desk.run("status", "--json").document
    assert told["last_verify"].endswith(": could not read some blobs")
    flip = desk.run("flip-service", "--to", "azure", "--confirm", "azure", "--json", expect=3).document
    assert flip["code"] == "E412-VERIFY"
    assert desk.rows(f"SELECT verified > 0 FROM object WHERE key = '{ILL}'") == [(1,)]


@pytest.mark.parametrize("others", [0, 1, 2 * HELD_LIMIT])
def test_where_azure_refuses_to_give_any_blob_the_run_stops_and_finds_nothing_out(
    others: int, make_desk: MakeDesk
) -> None:
    desk = copied(make_desk, others)
    refuse(desk, 403, "AuthorizationPermissionMismatch", key="*")
    error = desk.verify(*READ, expect=4)
    assert (error["code"], "blobmove verify --how read" in error["hint"]) == ("E403-DESTINATION", True)
    assert desk.rows("SELECT count(*) FROM object WHERE verified IS NOT NULL") == [(0,)]


def test_where_azure_fails_for_many_blobs_and_gives_none_the_run_stops(make_desk: MakeDesk) -> None:
    desk = copied(make_desk, 2 * HELD_LIMIT)
    refuse(desk, 500, "InternalError", key="*")
    assert desk.verify(*READ, expect=2)["code"] == "E000-DESTINATION"


def test_a_difference_counts_for_more_than_a_blob_that_cannot_be_read(make_desk: MakeDesk) -> None:
    desk = copied(make_desk)
    refuse(desk, 409, "BlobBeingRehydrated")
    desk.cloud.put_blobs(desk.container, BlobSpec(name="papers/1", size=100, recipe="mod251:1"))
    found = desk.verify(*READ, expect=5)
    assert counts(found) == (5, 4, 1, 0, 1)
    assert found["next"] == "blobmove copy --resume --retry-failed"


def test_a_blob_deleted_between_its_size_and_its_bytes_is_missing(make_desk: MakeDesk) -> None:
    desk = copied(make_desk)
    refuse(desk, 404, "BlobNotFound")
    found = desk.verify(*READ, expect=5)
    assert counts(found) == (6, 5, 0, 1, 0)
    assert found["examples"] == [{"key": ILL, "problem": "missing on Azure"}]


def test_that_a_blob_is_gone_is_an_answer_of_azure_and_what_is_missing_gets_told(make_desk: MakeDesk) -> None:
    desk = copied(make_desk, 1)
    refuse(desk, 404, "BlobNotFound", key="papers/0")
    refuse(desk, 403, "AuthorizationPermissionMismatch")
    assert counts(desk.verify(*READ, expect=5)) == (1, 0, 0, 1, 1)


@pytest.mark.parametrize("others", [0, 2 * HELD_LIMIT + 3])
def test_by_listing_all_that_is_read_back_is_counted(others: int, make_desk: MakeDesk) -> None:
    desk = copied(make_desk, others)
    names = [ILL, *(f"papers/{n}" for n in range(others))]
    desk.cloud.put_blobs(desk.container, *(BlobSpec(name=name, size=100, md5="none") for name in names))
    found = desk.verify()
    assert (counts(found), found["read_back"]) == ((others + 1, others + 1, 0, 0, 0), others + 1)


@pytest.mark.parametrize("times", [LOOKS - 1, LOOKS])
def test_a_blob_written_meanwhile_is_looked_at_anew(times: int, make_desk: MakeDesk) -> None:
    desk = copied(make_desk)
    refuse(desk, 412, "ConditionNotMet", count=times)
    calm = times < LOOKS
    assert counts(desk.verify(*READ, expect=int(not calm))) == ((6, 6, 0, 0, 0) if calm else (5, 5, 0, 0, 1))


def test_by_listing_a_blob_to_be_read_back_that_cannot_be_is_neither_missing_nor_identical(
    make_desk: MakeDesk
) -> None:
    desk = copied(make_desk)
    desk.cloud.put_blobs(desk.container, *(BlobSpec(name=name, size=100, md5="none") for name in (ILL, "papers/1")))
    refuse(desk, 403, "AuthorizationPermissionMismatch")
    found = desk.verify(expect=1)
    assert (counts(found), found["read_back"]) == ((5, 5, 0, 0, 1), 2)
    assert found["next"] == "blobmove verify"


def test_that_blobs_are_listed_does_not_show_that_they_can_be_read(make_desk: MakeDesk) -> None:
    desk = copied(make_desk)
    desk.cloud.put_blobs(desk.container, BlobSpec(name=ILL, size=100, md5="none"))
    refuse(desk, 403, "AuthorizationPermissionMismatch")
    assert desk.verify(expect=4)["code"] == "E403-DESTINATION"


def test_after_a_sample_the_whole_is_to_be_verified_since_no_flip_begins_before(make_desk: MakeDesk) -> None:
    desk = copied(make_desk)
    assert desk.verify()["next"] == "blobmove flip-service --to NAME --dry-run"
    assert desk.verify(*READ, "--sample", "50")["next"] == "blobmove verify"
    refuse(desk, 403, "AuthorizationPermissionMismatch", key="*")
    error = desk.verify(*READ, "--sample", "99.5", expect=4)
    assert "then: blobmove verify --how read --sample 99.5" in error["hint"]
