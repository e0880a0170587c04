"""Which rows may flip, from which names, and how fast."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blobmove.core.errors import UsageError
from blobmove.core.flipping import SMALLEST_BATCH, ProvenBlob, backoff, choose_sources, gate, next_batch_size
from blobmove.core.model import PROVEN_STATES, BlobRow, State

MD5 = hashlib.md5(b"x" * 10).digest()
SHA256 = hashlib.sha256(b"x" * 10).digest()
ROW = BlobRow(1, "abc", "amazon", 10, b64encode(MD5).decode())
PROVEN = ProvenBlob("abc", 10, MD5, State.COPIED, "abc", verified=True)


def test_a_row_whose_file_is_proven_passes() -> None:
    assert gate(ROW, PROVEN) == ""
    assert gate(ROW, replace(PROVEN, state=State.PRESENT, verified=None)) == ""


def test_a_composed_row_passes_by_size_and_proof_alone() -> None:
    assert gate(replace(ROW, checksum=None), replace(PROVEN, md5=None)) == ""


@pytest.mark.parametrize(
    ("proven", "reason"),
    [
        (None, "not-in-plan"),
        (replace(PROVEN, key="ABC"), "not-in-plan"),
        (replace(PROVEN, state=State.PENDING), "not-copied"),
        (replace(PROVEN, state=State.CONFLICT), "not-copied"),
        (replace(PROVEN, state=State.REFUSED), "refused-name"),
        (replace(PROVEN, state=State.GONE), "gone-from-source"),
        (replace(PROVEN, state=State.SKIPPED), "skipped-by-plan"),
        (replace(PROVEN, verified=False), "verify-differs"),
        (replace(PROVEN, blob_name="abc_"), "renamed"),
        (replace(PROVEN, size=11), "size-differs"),
        (replace(PROVEN, size=None), "size-differs"),
        (replace(PROVEN, md5=bytes(16)), "checksum-differs"),
        (replace(PROVEN, md5=None), "md5-unknown"),
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
    assert gate(replace(ROW, checksum=checksum), replace(PROVEN, sha256=SHA256)) == reason


def test_a_key_with_a_backslash_is_refused_because_rails_would_ask_for_another_blob() -> None:
    assert gate(replace(ROW, key="a\\b"), replace(PROVEN, key="a\\b", blob_name="a\\b")) == "refused-name"


@given(st.sampled_from(list(State)))
def test_only_proven_states_pass(state: State) -> None:
    assert (gate(ROW, replace(PROVEN, state=state)) == "") == (state in PROVEN_STATES)


def test_the_names_asked_for_are_taken_once_each_in_their_order() -> None:
    assert choose_sources(["mirror", "amazon", "mirror"], "azure", {"amazon": 1, "mirror": 2}) == ("mirror", "amazon")


def test_without_a_name_the_only_other_one_is_taken() -> None:
    assert choose_sources([], "azure", {"amazon": 1, "azure": 9}) == ("amazon",)
    assert choose_sources([], "azure", {"azure": 9}) == ()
    assert choose_sources([], "azure", {"azure": 9}, ["amazon"]) == ("amazon",)


def test_a_name_that_earlier_runs_have_emptied_is_still_known() -> None:
    assert choose_sources(["amazon"], "azure", {"azure": 9}, ["amazon"]) == ("amazon",)


@pytest.mark.parametrize(
    ("asked", "target", "code", "hint"),
    [
        (["azure"], "azure", "E400-TO", None),
        (["amazon"], "", "E400-TO", "--to azure"),
        ([], "azure", "E400-FROM", "--from amazon --from local"),
        (["amazn"], "azure", "E404-SERVICE", "did you mean --from amazon? Names are compared exactly."),
        (["AMAZON"], "azure", "E404-SERVICE", "did you mean --from amazon? Names are compared exactly."),
        (["amazon "], "azure", "E404-SERVICE", "did you mean --from amazon? Names are compared exactly."),
        (["zzz"], "azure", "E404-SERVICE", None),
    ],
)
def test_names_that_cannot_be_meant_are_refused(asked: list[str], target: str, code: str, hint: str | None) -> None:
    with pytest.raises(UsageError) as raised:
        choose_sources(asked, target, {"amazon": 5, "local": 1})
    assert raised.value.code == code
    assert hint is None or raised.value.hint == hint


@given(st.integers(1, 10_000), st.integers(1, 10_000), st.floats(0, 100))
def test_a_batch_never_grows_beyond_what_was_asked_nor_vanishes(current: int, asked: int, seconds: float) -> None:
    size = next_batch_size(min(current, asked), asked, seconds)
    assert min(asked, SMALLEST_BATCH, current) <= size <= asked


def test_slow_batches_are_halved_and_quick_ones_grow_back() -> None:
    assert next_batch_size(1000, 1000, 0.7) == 500
    assert next_batch_size(500, 1000, 0.3) == 500
    assert next_batch_size(500, 1000, 0.05) == 1000


@given(st.integers(1, 1000), st.floats(0, 1, exclude_max=True))
def test_pauses_grow_to_a_ceiling_and_are_never_nothing(attempt: int, draw: float) -> None:
    assert 0.1 <= backoff(attempt, draw) <= 10.0
