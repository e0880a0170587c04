"""Pacing: patience that ends, and pauses that spread out."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from blobmove.core.errors import Kind
from blobmove.core.pacing import (
    MAX_ATTEMPTS,
    MAX_CORRUPT,
    MAX_RENEWALS,
    MOST_CODES,
    OTHER_CODES,
    counted_as,
    pause,
)

AGAIN = {
    Kind.TRANSIENT: MAX_ATTEMPTS, Kind.THROTTLED: MAX_ATTEMPTS + 5, Kind.UNREACHABLE: MAX_ATTEMPTS,
    Kind.CORRUPT: MAX_CORRUPT, Kind.EXPIRED: MAX_RENEWALS,
}  # fmt: skip
JITTER = st.floats(0, 1, exclude_max=True)


@given(st.sampled_from(Kind), st.integers(1, 40), JITTER, st.none() | st.floats(0, 1000))
@example(Kind.THROTTLED, 1, 0.5, 601.0)
def test_a_pause_is_never_negative_and_not_shorter_than_the_service_asks_within_ten_minutes(
    kind: Kind, attempt: int, jitter: float, retry_after: float | None
) -> None:
    wait = pause(kind, attempt, jitter, retry_after)
    if wait is None:
        assert attempt >= AGAIN.get(kind, 0)
    elif kind is Kind.EXPIRED:
        assert wait == 0
    else:
        asked = min(retry_after or 0.0, 600.0)
        assert 0 < wait <= max(30.0, asked)
        assert wait >= asked


@pytest.mark.parametrize("kind", list(Kind))
def test_each_kind_is_given_up_after_its_number_of_attempts(kind: Kind) -> None:
    most = AGAIN.get(kind, 1)
    assert [pause(kind, attempt, 0.5) is None for attempt in range(1, most + 2)] == [False] * (most - 1) + [True] * 2


def test_the_window_doubles_up_to_half_a_minute() -> None:
    longest = [pause(Kind.THROTTLED, attempt, 1.0) for attempt in range(1, 12)]
    assert longest == pytest.approx([0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 30, 30, 30])


@given(st.integers(1, MAX_ATTEMPTS - 1), JITTER, JITTER)
def test_more_jitter_is_a_longer_pause(attempt: int, one: float, other: float) -> None:
    low, high = sorted((one, other))
    shorter, longer = pause(Kind.TRANSIENT, attempt, low), pause(Kind.TRANSIENT, attempt, high)
    assert shorter is not None
    assert longer is not None
    assert shorter <= longer


def test_retry_after_is_the_least() -> None:
    assert pause(Kind.THROTTLED, 1, 0.5, 17.0) == 17.0
    assert pause(Kind.THROTTLED, 8, 0.9, 1.0) == pytest.approx(30 * (0.25 + 0.75 * 0.9))


@pytest.mark.parametrize("code", ["", "a code", "https://a/c?sig=abc", "1", "x" * 65, "Busy\n"])
def test_what_no_service_would_say_is_counted_as_other(code: str) -> None:
    assert counted_as("SlowDown", {}) == "SlowDown"
    assert counted_as(code, {}) == OTHER_CODES


def test_a_code_that_is_counted_keeps_its_name_when_there_is_no_place_for_others() -> None:
    counts = dict.fromkeys((f"Code{number}" for number in range(MOST_CODES)), 1)
    assert counted_as("Code0", counts) == "Code0"
    assert counted_as("SlowDown", counts) == OTHER_CODES


@given(st.lists(st.from_regex("[A-Z][a-z]{1,3}[0-9]{0,2}", fullmatch=True), max_size=200))
def test_codes_are_counted_by_so_many_names_and_none_is_lost(codes: list[str]) -> None:
    counts: dict[str, int] = {}
    for code in codes:
        name = counted_as(code, counts)
        counts[name] = counts.get(name, 0) + 1
    assert len(counts) <= MOST_CODES + 1
    assert sum(counts.values()) == len(codes)
    assert set(counts) <= {*codes, OTHER_CODES}


@pytest.mark.parametrize(("asked", "wait"), [(17.0, 17.0), (600.0, 600.0), (86_400.0, 600.0), (float("inf"), 600.0)])
def test_a_service_is_heeded_for_ten_minutes_at_most(asked: float, wait: float) -> None:
    assert pause(Kind.THROTTLED, 1, 0.0, asked) == wait
