"""Groups `encryption` and `integrity`: every copy is proven by a checksum that this program did not invent."""

from __future__ import annotations

from typing import Final

import pytest

from tests.cases.argued import ARGUED
from tests.cases.catalogue import Case, of
from tests.cases.conftest import MakeDesk
from tests.cases.desk import Desk
from tests.cases.railway import Railway
from tests.cloud.specs import BlobSpec, ObjectSpec, Rule

WHOLE: Final = ()
BLOCKS: Final = ("--whole-object-limit", "0", "--block-size", "4MiB")
BY_SIZE: Final = pytest.mark.parametrize("how", [WHOLE, BLOCKS], ids=["whole", "in blocks"])


@pytest.mark.parametrize("source", ["list", "inventory"])
@BY_SIZE
@of("T13")
def test_an_etag_of_sse_kms_is_never_taken_for_an_md5(
    case: Case, how: tuple[str, ...], source: str, make_desk: MakeDesk
) -> None:
    """Proven by what S3 has stored; else by the row of the database; else read back from Azure."""
    stored = case.spec(checksum="CRC64NVME")
    of_rails = case.spec(key="enc/kms-with-a-row")
    of_nobody = case.spec(key="enc/kms-and-nothing-else")
    desk = make_desk(stored, of_rails, of_nobody)
    rails = Railway.beside(desk)
    rails.add(of_rails.key, case.size)
    words = ("--list",) if source == "list" else ("--inventory", str(desk.deliver("Parquet")))
    desk.plan(*words)
    desk.copy(*how)
    records = desk.records()
    assert len(desk.ended(case, records)["source_etag"]) == 32
    assert records[case.key]["source_etag"] != case.md5
    assert [records[spec.key]["proof"] for spec in (stored, of_rails, of_nobody)] == [
        "crc64nvme", "rails-md5", "read-back",
    ]  # fmt: skip
    for spec in (stored, of_rails, of_nobody):
        desk.holds(case, desk.blob(spec.key))


@BY_SIZE
@of("I01")
def test_a_multipart_etag_is_recomputed_and_the_md5_of_the_whole_is_stored(
    case: Case, how: tuple[str, ...], make_desk: MakeDesk
) -> None:
    desk = make_desk(case.spec())
    desk.plan()
    desk.copy(*how)
    record = desk.ended(case)
    assert (record["proof"], record["source_etag"]) == ("multipart-etag", case.told["upload"]["etag"])
    desk.holds(case)


@BY_SIZE
@of("I03")
def test_uneven_parts_are_asked_for_and_the_etag_is_recomputed_all_the_same(
    case: Case, how: tuple[str, ...], make_desk: MakeDesk
) -> None:
    assert case.id in ARGUED
    desk = make_desk(case.spec())
    desk.plan()
    summary = desk.copy(*how)
    record = desk.records()[case.key]
    assert (record["state"], record["proof"], record["notes"]) == ("copied", "multipart-etag", None)
    assert record["source_etag"] == case.told["upload"]["etag"]
    assert summary["requests"]["s3"]["HeadObject"] >= len(case.parts), "one HEAD a part at least"
    desk.holds(case)


@BY_SIZE
@of("I03")
def test_where_the_parts_are_not_told_the_etag_is_not_named_as_the_proof(
    case: Case, how: tuple[str, ...], make_desk: MakeDesk
) -> None:
    desk = make_desk(case.spec(parts=(), size=case.size, etag=case.told["upload"]["etag"]))
    desk.plan()
    desk.copy(*how)
    assert desk.records()[case.key]["proof"] == "read-back"
    desk.holds(case)


@pytest.mark.parametrize(("encryption", "proof"), [(None, "multipart-etag"), ("aws:kms", "composite")])
@BY_SIZE
@of("I05")
def test_a_composite_checksum_is_never_compared_with_one_of_the_whole_body(
    case: Case, how: tuple[str, ...], encryption: str | None, proof: str, make_desk: MakeDesk
) -> None:
    desk = make_desk(case.spec(encryption=encryption))
    desk.plan()
    desk.copy(*how)
    assert desk.ended(case)["proof"] == proof
    desk.holds(case)


@of("I07")
def test_a_bit_flipped_on_the_way_from_s3_is_noticed_and_the_object_fetched_again(
    case: Case, make_desk: MakeDesk
) -> None:
    desk = _planned(case, make_desk)
    rule = _flip(desk, case, count=1)
    desk.copy()
    record = desk.ended(case)
    assert (record["state"], record["attempts"], desk.cloud.fired(rule).fired) == ("copied", 2, 1)
    assert desk.holds(case).writes == 1


@BY_SIZE
@of("I07")
def test_where_every_fetch_is_wrong_the_object_fails_and_nothing_is_committed(
    case: Case, how: tuple[str, ...], make_desk: MakeDesk
) -> None:
    desk = _planned(case, make_desk, ObjectSpec(key="int/other", size=10))
    _flip(desk, case)
    desk.copy(*how, expect=1)
    records = desk.records()
    assert desk.ended(case, records)["reason"].startswith("E422-")
    assert records[case.key]["attempts"] > 2
    assert desk.blob(case.key) is None
    assert records["int/other"]["state"] == "copied"


@of("I09")
def test_a_bit_flipped_in_one_block_is_refused_by_azure_and_only_that_block_sent_again(
    case: Case, make_desk: MakeDesk
) -> None:
    desk = _planned(case, make_desk)
    rule = desk.cloud.rule(Rule(side="azure", do="flip", operation="PutBlock", key=case.key, nth=(2,), bit=800))
    summary = desk.copy(*BLOCKS)
    assert (desk.ended(case)["attempts"], desk.cloud.fired(rule).fired) == (2, 1)
    assert summary["requests"]["azure"]["PutBlock"] == -(-case.size // (4 << 20)) + 1
    assert summary["requests"]["s3"]["GetObject"] == -(-case.size // (4 << 20)), "the bytes were at hand"
    desk.holds(case)


@BY_SIZE
@of("I11")
def test_a_body_cut_short_is_never_committed_and_fetched_again(
    case: Case, how: tuple[str, ...], make_desk: MakeDesk
) -> None:
    desk = _planned(case, make_desk)
    at = int(case.told["fault"]["what"].split()[2])
    rule = desk.cloud.rule(Rule(side="s3", do="cut", operation="GetObject", key=case.key, at=at, count=1))
    desk.copy(*how)
    assert (desk.ended(case)["attempts"], desk.cloud.fired(rule).fired) == (2, 1)
    assert desk.holds(case).writes == 1


@pytest.mark.parametrize("earlier", [False, True], ids=["nothing there", "an earlier blob"])
@BY_SIZE
@of("I13")
def test_what_cannot_be_read_to_its_end_leaves_the_destination_as_it_was(
    case: Case, how: tuple[str, ...], earlier: bool, make_desk: MakeDesk
) -> None:
    desk = _planned(case, make_desk, ObjectSpec(key="int/other", size=10))
    if earlier:
        desk.cloud.put_blobs(desk.container, BlobSpec(name=case.key, size=77))
    desk.cloud.rule(Rule(side="s3", do="cut", operation="GetObject", key=case.key, at=1 << 20))
    desk.copy(*how, *(("--if-exists", "overwrite") if earlier else ()), expect=1)
    records = desk.records()
    assert desk.ended(case, records)["reason"] == "E000-SOURCE"
    assert records["int/other"]["state"] == "copied"
    found = desk.blob(case.key)
    assert (found.size, found.writes) == (77, 1) if found else not earlier


@BY_SIZE
@of("I15")
def test_a_blob_without_md5_is_read_back_before_anything_is_said_of_it(
    case: Case, how: tuple[str, ...], make_desk: MakeDesk
) -> None:
    assert case.outcome == "verify_reads_back"
    desk = _planned(case, make_desk)
    desk.cloud.put_blobs(desk.container, BlobSpec(name=case.key, size=case.size, md5="none"))
    desk.copy(*how)
    assert desk.records()[case.key]["state"] == "present"
    found = desk.verify()
    assert (found["identical"], found["read_back"]) == (1, 1)
    desk.cloud.put_blobs(desk.container, BlobSpec(name=case.key, size=case.size, recipe="mod251:1", md5="none"))
    assert desk.verify(expect=5)["different"] == 1, "the same size and no MD5: other bytes are noticed"


def _planned(case: Case, make_desk: MakeDesk, *others: ObjectSpec) -> Desk:
    desk = make_desk(case.spec(), *others)
    desk.plan()
    return desk


def _flip(desk: Desk, case: Case, count: int | None = None) -> int:
    """Bit 0 of byte 100 of what S3 sends."""
    return desk.cloud.rule(Rule(side="s3", do="flip", operation="GetObject", key=case.key, bit=800, count=count))
