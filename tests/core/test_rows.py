"""Rows as columns, and whole pages of them compared as texts: which must not be cut elsewhere than the rows are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blobmove.core.flipping import Candidate
from blobmove.core.rows import ProvenRows, Rows

SUMS = ["A" * 22 + "==", "B" * 22 + "=="]
CANDIDATES = st.builds(
    Candidate, st.integers(1, 9), st.sampled_from(["", "a", "b", "a\0b", "\0"]), st.sampled_from(["amazon", "azure"]),
    st.sampled_from([-1, 1, 2, 12]), st.sampled_from([*SUMS, "".join(SUMS), "", "A" * 22, "==", None]),
)  # fmt: skip
PROVEN = st.tuples(st.sampled_from(["", "a", "b"]), st.sampled_from([1, 2, 12]), st.sampled_from(SUMS))


def row(key: str, size: int, checksum: str | None) -> Candidate:
    return Candidate(1, key, "amazon", size, checksum)


@given(st.lists(CANDIDATES, max_size=6), st.integers(-7, 7), st.integers(-7, 7))
def test_columns_hold_the_same_rows(rows: list[Candidate], start: int, end: int) -> None:
    made = Rows.of(rows)
    assert [*made] == [made[at] for at in range(len(made))] == rows
    assert [*made[start:end]] == rows[start:end]
    positions = [at for at, _row in enumerate(rows) if at % 2]
    assert [*made.pick(positions)] == rows[1::2]


@given(st.lists(PROVEN, max_size=4), st.lists(CANDIDATES, max_size=4))
def test_a_page_is_what_is_proven_only_where_each_row_is(
    proven: list[tuple[str, int, str]], rows: list[Candidate]
) -> None:
    told = ProvenRows.of(proven)
    said = [(one.key, one.byte_size, one.checksum) for one in rows]
    assert told.are(Rows.of(rows)) == (bool(rows) and said == proven)
    assert told.are(Rows.of(row(*one) for one in proven)) == bool(proven)
    assert told.each() == set(proven)


@pytest.mark.parametrize(
    "rows",
    [
        [row("a\0b", 1, SUMS[0])],
        [row("a\0b", 1, SUMS[0]), row("b", 2, SUMS[1])],
        [row("a", 1, "".join(SUMS)), row("b", 2, "")],
        [row("a", 1, SUMS[0]), row("b", 2, None)],
        [row("a", 1, SUMS[0]), row("b", 2, SUMS[1]), row("", 1, "")],
        [row("b", 2, SUMS[1]), row("a", 1, SUMS[0])],
        [row("a", 1, SUMS[1]), row("b", 2, SUMS[0])],
        [row("a", 12, SUMS[0]), row("b", 2, SUMS[1])],
    ],
    ids=["one key", "a zero byte", "one checksum of two", "none", "one more", "another order", "checksums", "size"],
)
def test_texts_that_could_be_cut_elsewhere_are_not_taken_for_the_same(rows: list[Candidate]) -> None:
    told = ProvenRows.of([("a", 1, SUMS[0]), ("b", 2, SUMS[1])])
    assert told.are(Rows.of([row("a", 1, SUMS[0]), row("b", 2, SUMS[1])]))
    assert not told.are(Rows.of(rows))
