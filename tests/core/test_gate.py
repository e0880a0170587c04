"""Which rows may flip: the gate, row by row and by whole pages."""

from __future__ import annotations

import hashlib
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blobmove.core.flipping import Candidate, ProvenBlob
from blobmove.core.gate import gate, needs_look, refusals
from blobmove.core.model import PROVEN_STATES, State
from blobmove.core.rows import ProvenRows, Rows
from tests.proven import proven_rows

MD5 = hashlib.md5(b"x" * 10).digest()
SHA256 = hashlib.sha256(b"x" * 10).digest()
ROW = Candidate(1, "abc", "amazon", 10, b64encode(MD5).decode())
PROVEN = ProvenBlob("abc", 10, MD5, State.COPIED, "abc", verified=True)


def test_a_row_whose_file_is_proven_passes() -> None:
    assert gate(ROW, PROVEN) == ""
    assert gate(ROW, PROVEN._replace(state=State.PRESENT, verified=None)) == ""


def test_a_composed_row_passes_by_size_and_proof_alone() -> None:
    assert gate(ROW._replace(checksum=None), PROVEN._replace(md5=None)) == ""


@pytest.mark.parametrize(
    ("proven", "reason"),
    [
        (None, "not-in-plan"),
        (PROVEN._replace(key="ABC"), "not-in-plan"),
        (PROVEN._replace(state=State.PENDING), "not-copied"),
        (PROVEN._replace(state=State.CONFLICT), "not-copied"),
        (PROVEN._replace(state=State.REFUSED), "refused-name"),
        (PROVEN._replace(state=State.GONE), "gone-from-source"),
        (PROVEN._replace(state=State.SKIPPED), "skipped-by-plan"),
        (PROVEN._replace(verified=False), "verify-differs"),
        (PROVEN._replace(blob_name="abc_"), "renamed"),
        (PROVEN._replace(size=11), "size-differs"),
        (PROVEN._replace(size=None), "size-differs"),
        (PROVEN._replace(md5=bytes(16)), "checksum-differs"),
        (PROVEN._replace(md5=None), "md5-unknown"),
    ],
)
def test_anything_less_is_refused_by_reason(proven: ProvenBlob | None, reason: str) -> None:
    assert gate(ROW, proven) == reason


@pytest.mark.parametrize(
    ("checksum", "reason"),
    [
        (MD5.hex(), "checksum-unreadable"),
        ("", "checksum-unreadable"),
        (f"sha256:{b64encode(SHA256).decode()}", "sha256-checksum"),
        (f"sha256:{b64encode(bytes(32)).decode()}", "checksum-differs"),
    ],
)
def test_checksums_that_rails_azure_services_could_not_compare_are_refused(checksum: str, reason: str) -> None:
    assert gate(ROW._replace(checksum=checksum), PROVEN._replace(sha256=SHA256)) == reason


def test_a_key_with_a_backslash_is_refused_because_rails_would_ask_for_another_blob() -> None:
    assert gate(ROW._replace(key="a\\b"), PROVEN._replace(key="a\\b", blob_name="a\\b")) == "refused-name"


@given(st.sampled_from(list(State)))
def test_only_proven_states_pass(state: State) -> None:
    assert (gate(ROW, PROVEN._replace(state=state)) == "") == (state in PROVEN_STATES)


ROWS = st.builds(
    Candidate, st.integers(1, 9), st.sampled_from(["abc", "ABC", "a\\b"]), st.just("amazon"), st.sampled_from([10, 11]),
    st.sampled_from([ROW.checksum, f" {ROW.checksum}", b64encode(bytes(16)).decode(), f"sha256:{'A' * 43}=", None]),
)  # fmt: skip
BLOBS = st.builds(
    ProvenBlob, st.sampled_from(["abc", "ABC", "a\\b"]), st.sampled_from([10, 11, None]),
    st.sampled_from([MD5, bytes(16), None]), st.sampled_from(list(State)), st.sampled_from(["abc", "a\\b", "other"]),
    st.just(None), st.sampled_from([True, False, None]),
)  # fmt: skip


@given(st.lists(ROWS, max_size=20), st.lists(BLOBS, max_size=3))
def test_a_page_is_judged_as_its_rows_are_one_by_one(rows: list[Candidate], blobs: list[ProvenBlob]) -> None:
    known = {blob.key: blob for blob in blobs}
    looked = needs_look(Rows.of(rows), proven_rows(known, [row.key for row in rows]))
    reasons = [gate(row, known.get(row.key)) for row in rows]
    assert refusals(Rows.of(rows), looked, known) == {at: reason for at, reason in enumerate(reasons) if reason}


def test_rows_that_say_what_is_proven_need_no_look() -> None:
    told = proven_rows({"abc": PROVEN}, ["abc", "abc"])
    other = ROW._replace(id=2, checksum=None)
    assert needs_look(Rows.of([ROW, ROW._replace(id=3)]), told) == []
    assert needs_look(Rows.of([ROW, other, ROW._replace(id=3)]), told) == [1]
    assert needs_look(Rows.of([other, ROW]), told) == [0]
    assert needs_look(Rows(), told) == needs_look(Rows(), ProvenRows()) == []


def test_a_key_with_a_backslash_is_looked_at_although_it_says_what_is_proven() -> None:
    rows = Rows.of([ROW, ROW._replace(id=2, key="a\\b")])
    blob = PROVEN._replace(key="a\\b", blob_name="a\\b")
    told = proven_rows({"abc": PROVEN, "a\\b": blob}, rows.keys)
    assert told.are(rows)
    assert needs_look(rows, told) == [1]
    assert refusals(rows, [1], {"a\\b": blob}) == {1: "refused-name"}
