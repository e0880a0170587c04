"""Case F13 further: what other writers leave under a name, and what a kill leaves of our own clearing up."""

from __future__ import annotations

from typing import Final

import pytest

from blobmove.stores.azure.blobs import PLACEHOLDER
from tests.cases.catalogue import Case, of
from tests.cases.conftest import MakeDesk
from tests.cases.desk import Desk
from tests.cloud.specs import BlobSpec, ObjectSpec, Rule

MIB: Final = 1 << 20
BLOCKS: Final = ("--whole-object-limit", "0", "--block-size", "1MiB")
SHORT: Final = ("000001", "mod251:3", MIB)
LONG: Final = ("0" * 48, "mod251:3", MIB)


def planned(case: Case, make_desk: MakeDesk, *staged: tuple[str, str, int]) -> Desk:
    """A desk with the case's object, and these blocks uncommitted under its name."""
    desk = make_desk(case.spec())
    desk.plan()
    if staged:
        desk.cloud.put_blobs(desk.container, BlobSpec(name=case.key, committed=False, staged=staged))
    return desk


@of("F13")
def test_a_large_object_is_resumed_beside_the_long_ids_of_another_program(case: Case, make_desk: MakeDesk) -> None:
    desk = planned(case, make_desk, LONG)
    refused = desk.cloud.rule(Rule(side="azure", do="answer", operation="PutBlockList", status=409,
                                   code="BlobArchived"))  # fmt: skip
    desk.copy(*BLOCKS, expect=1)
    assert len(desk.cloud.blobs(desk.container)[case.key].staged) == 21
    desk.cloud.drop_rule(refused)
    summary = desk.copy("--retry-failed", *BLOCKS)
    assert "PutBlock" not in summary["requests"]["azure"], "all of them are there"
    assert {len(name) for name, _ in desk.holds(case).blocks} == {48}


@pytest.mark.parametrize("how", [(), BLOCKS], ids=["whole", "in blocks"])
@of("F13")
def test_an_empty_blob_that_a_kill_left_of_the_clearing_up_is_written_over(
    case: Case, how: tuple[str, ...], make_desk: MakeDesk
) -> None:
    desk = planned(case, make_desk)
    desk.cloud.put_blobs(desk.container, BlobSpec(name=case.key, size=0, metadata={PLACEHOLDER: "true"}))
    desk.copy(*how)
    assert desk.ended(case)["state"] == "copied"
    assert desk.holds(case).metadata == {}


@of("F13")
def test_an_empty_blob_of_somebody_else_is_a_conflict(case: Case, make_desk: MakeDesk) -> None:
    desk = planned(case, make_desk)
    desk.cloud.put_blobs(desk.container, BlobSpec(name=case.key, size=0))
    desk.copy(*BLOCKS, expect=1)
    assert desk.records()[case.key]["state"] == "conflict"


@of("F13")
def test_without_the_permission_to_delete_the_empty_blob_is_written_over(case: Case, make_desk: MakeDesk) -> None:
    desk = planned(case, make_desk, SHORT)
    rule = desk.cloud.rule(Rule(side="azure", do="answer", operation="DeleteBlob", status=403,
                                code="AuthorizationPermissionMismatch"))  # fmt: skip
    desk.copy(*BLOCKS)
    assert desk.cloud.fired(rule).fired == 1
    assert desk.holds(case).metadata == {}


@pytest.mark.parametrize("operation", ["PutBlockList", "DeleteBlob"])
@of("F13")
def test_an_answer_lost_while_clearing_up_loses_nothing(case: Case, operation: str, make_desk: MakeDesk) -> None:
    desk = planned(case, make_desk, SHORT)
    rule = desk.cloud.rule(Rule(side="azure", do="lost", operation=operation, count=1))
    desk.copy(*BLOCKS)
    assert desk.cloud.fired(rule).fired == 1
    assert desk.holds(case).metadata == {}


@of("F13")
def test_a_blob_that_comes_while_clearing_up_is_not_touched(case: Case, make_desk: MakeDesk) -> None:
    """The clearing up never happens over a committed blob: Azure refuses it, and the blob is compared."""
    desk = planned(case, make_desk, SHORT)
    hidden = desk.cloud.rule(Rule(side="azure", do="answer", operation="GetBlobProperties", status=404,
                                  code="BlobNotFound", count=1))  # fmt: skip
    app = BlobSpec(name=case.key, size=77, staged=(SHORT,))
    desk.cloud.put_blobs(desk.container, app)
    before = desk.blob(case.key)
    desk.copy(*BLOCKS, expect=1)
    assert desk.cloud.fired(hidden).fired == 1
    assert desk.records()[case.key]["state"] == "conflict"
    assert desk.blob(case.key) == before


@of("F13")
def test_short_ids_beside_a_blob_of_ours_that_has_to_be_replaced_fail_that_object(
    case: Case, make_desk: MakeDesk
) -> None:
    desk = planned(case, make_desk)
    desk.copy()
    ours = desk.blob(case.key)
    assert ours is not None
    desk.put(case.spec(recipe="mod251:8"), ObjectSpec(key="an/other", size=10))
    desk.cloud.put_blobs(desk.container, BlobSpec(name=case.key, committed=False, staged=(SHORT,)))
    desk.plan()
    desk.copy(*BLOCKS, expect=1)
    records = desk.records()
    assert (records[case.key]["state"], records[case.key]["reason"]) == ("failed", "E409-DESTINATION")
    assert "ids of 6 characters" in records[case.key]["error"]
    assert records["an/other"]["state"] == "copied"
    left = desk.blob(case.key)
    assert left is not None
    assert (left.md5, left.etag) == (ours.md5, ours.etag)


@pytest.mark.parametrize(("operation", "code"), [("PutBlock", "InvalidBlobOrBlock"),
                                                 ("PutBlockList", "InvalidBlockList")])
@of("F13")
def test_another_writer_at_work_makes_us_look_again(
    case: Case, operation: str, code: str, make_desk: MakeDesk
) -> None:
    desk = planned(case, make_desk)
    rule = desk.cloud.rule(Rule(side="azure", do="answer", operation=operation, status=400, code=code, count=1))
    desk.copy(*BLOCKS)
    assert (desk.cloud.fired(rule).fired, desk.ended(case)["attempts"]) == (1, 2)
    desk.holds(case)


@of("F13")
def test_a_blob_that_comes_and_goes_while_we_commit_makes_us_look_again(case: Case, make_desk: MakeDesk) -> None:
    desk = planned(case, make_desk)
    rule = desk.cloud.rule(Rule(side="azure", do="answer", operation="PutBlockList", status=409,
                                code="BlobAlreadyExists", count=1))  # fmt: skip
    summary = desk.copy(*BLOCKS)
    assert (desk.cloud.fired(rule).fired, desk.ended(case)["attempts"]) == (1, 2)
    assert summary["requests"]["azure"]["PutBlock"] == 20, "the blocks were still there"
    desk.holds(case)


@pytest.mark.parametrize("lost", [False, True], ids=["", "and an answer is lost"])
@of("F13")
def test_uncommitted_blocks_that_azure_takes_for_a_blob_are_cleared_for_a_whole_object(
    case: Case, lost: bool, make_desk: MakeDesk
) -> None:
    """As Azurite answers; what the live service does is not known (azure-blob.md section 8.3)."""
    desk = planned(case, make_desk, SHORT)
    if lost:
        desk.cloud.rule(Rule(side="azure", do="lost", operation="PutBlockList", count=1))
    rule = desk.cloud.rule(Rule(side="azure", do="answer", operation="PutBlob", status=409, code="BlobAlreadyExists",
                                nth=(1,)))  # fmt: skip
    desk.copy()
    assert desk.cloud.fired(rule).fired == 1
    assert desk.ended(case)["state"] == "copied"
    blob = desk.holds(case)
    assert (blob.staged, blob.metadata) == ([], {})
