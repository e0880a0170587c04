"""Which rows may flip, from which names, and how fast."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blobmove.core.errors import UsageError
from blobmove.core.flipping import (
    SMALLEST_BATCH,
    DatabaseTrouble,
    Pace,
    Trouble,
    backoff,
    choose_sources,
    flip_seconds,
    name_warnings,
    next_batch_size,
    runs_of,
    why_wait,
)


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


@given(st.integers(1, 10_000), st.integers(1, 10_000), st.integers(1, 10_000), st.floats(0, 100))
def test_a_batch_never_grows_beyond_what_was_asked_nor_vanishes(
    allowed: int, rows: int, asked: int, seconds: float
) -> None:
    size = next_batch_size(allowed, rows, asked, seconds)
    assert min(asked, SMALLEST_BATCH, allowed) <= size <= asked
    assert size <= max(allowed, 2 * rows)


def test_slow_batches_are_cut_to_what_is_quick_enough_and_quick_ones_grow_back() -> None:
    assert next_batch_size(1000, 1000, 5000, 0.05) == 500
    assert next_batch_size(1000, 1000, 5000, 0.25) == 100
    assert next_batch_size(500, 500, 5000, 0.03) == 500
    assert next_batch_size(500, 500, 5000, 0.01) == 1000
    assert next_batch_size(3000, 3000, 5000, 0.01) == 5000


def test_a_batch_that_was_smaller_than_allowed_proves_nothing_for_a_larger_one_nor_takes_anything_away() -> None:
    assert next_batch_size(2000, 1000, 5000, 0.0125) == 2000
    assert next_batch_size(2000, 10, 5000, 0.001) == 2000


def durations(micros: Sequence[float], behind: int, asked: int = 5000) -> list[float]:
    """Milliseconds of UPDATEs that cost so many microseconds a row each, where the rows of an UPDATE were read when
    `behind` more were still to come before it: a page that is too long by then is cut, one too short is as it is."""
    pace = Pace(asked)
    read, took = [pace.size] * behind, []
    for cost in micros:
        read.append(pace.size)
        rows = min(read[0], pace.size)
        read[0] -= rows
        if not read[0]:
            del read[0]
        took.append(0.5 + rows * cost / 1000)
        pace.took(rows, took[-1] / 1000)
    return took


@pytest.mark.parametrize("behind", [0, 1, 2])
@pytest.mark.parametrize("micros", [12, 16, 24, 50, 200])
def test_batches_settle_near_25_ms_and_stay_there_at_constant_cost(micros: float, behind: int) -> None:
    took = durations([micros] * 200, behind)
    assert max(took[1:]) <= 40
    last = took[-40:]
    assert 20 <= max(last) <= 30
    assert behind or min(last) >= 20


@pytest.mark.parametrize("behind", [0, 1, 2])
@pytest.mark.parametrize("micros", [7, 12, 50])
def test_a_load_ten_times_as_high_makes_one_batch_too_long_and_no_more(micros: float, behind: int) -> None:
    took = durations([micros] * 100 + [10 * micros] * 100, behind)
    assert sum(one > 40 for one in took[100:]) == 1


@given(st.integers(1, 1000), st.floats(0, 1, exclude_max=True))
def test_pauses_grow_to_a_ceiling_and_are_never_nothing(attempt: int, draw: float) -> None:
    assert 0.1 <= backoff(attempt, draw) <= 10.0


def test_numbers_without_a_gap_are_one_run() -> None:
    assert runs_of([]) == []
    assert runs_of([7, 3, 1, 2, 2, -1]) == [(-1, -1), (1, 3), (7, 7)]


@given(st.lists(st.integers(-50, 50)))
def test_runs_name_exactly_the_numbers_they_were_made_of(ids: list[int]) -> None:
    runs = runs_of(ids)
    assert [one for first, last in runs for one in range(first, last + 1)] == sorted(set(ids))
    assert all(after[0] > before[1] + 1 for before, after in pairwise(runs))


@pytest.mark.parametrize(
    ("lags", "allowed", "reason"),
    [
        ({}, 1.0, ""),
        ({"db2": 0.9, "db3": 1.0}, 1.0, ""),
        ({"db2": 0.0, "db3": 1.1}, 1.0, "db3 is 1.1 s behind (--max-lag 1)"),
        ({"db2": None}, 1.0, "the lag of db2 is unknown (replication stopped, or no answer)"),
    ],
)
def test_a_replica_behind_or_unknown_makes_the_flip_wait(
    lags: dict[str, float | None], allowed: float, reason: str
) -> None:
    assert why_wait(lags, allowed) == reason


@pytest.mark.parametrize(
    ("target", "found", "warned"),
    [
        ("azure", ["amazon"], []),
        ("azure", ["amazon", "azure", "Azure"], []),
        ("azure", ["amazon", "Azure"], ["Azure"]),
        ("azure", ["amazon", "azure "], ["azure "]),
        ("azrue", ["amazon", "azure"], ["azure"]),
    ],
)
def test_a_target_that_looks_like_a_name_in_the_table_is_pointed_out(
    target: str, found: list[str], warned: list[str]
) -> None:
    warnings = name_warnings(target, found)
    assert [name for name in found if any(f"{name!r} is named" in warning for warning in warnings)] == warned


def test_a_flip_takes_the_longer_the_more_it_pauses() -> None:
    assert flip_seconds(60_000, 0.0) == (1.0, 12.0)
    assert flip_seconds(60_000, 1.0) == (2.0, 24.0)


@pytest.mark.parametrize(("trouble", "code"), [(Trouble.BUSY, "E503-DATABASE"), (Trouble.LOST, "E000-DATABASE")])
def test_trouble_with_a_database_is_told_with_the_servers_own_code(trouble: Trouble, code: str) -> None:
    told = DatabaseTrouble(trouble, "1205", "Lock wait timeout")
    assert (told.code, told.cause, told.hint) == (code, "1205 Lock wait timeout", "run the same command again")
    assert (told.trouble, told.server_code, told.detail) == (trouble, "1205", "Lock wait timeout")
