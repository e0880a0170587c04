"""Pacing: patience that ends, pauses that spread out, and a limit that halves when the service is busy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blobmove.core.errors import Kind
from blobmove.core.pacing import MAX_ATTEMPTS, MAX_CORRUPT, MAX_RENEWALS, Aimd, pause

AGAIN = {
    Kind.TRANSIENT: MAX_ATTEMPTS, Kind.THROTTLED: MAX_ATTEMPTS + 5, Kind.UNREACHABLE: MAX_ATTEMPTS,
    Kind.CORRUPT: MAX_CORRUPT, Kind.EXPIRED: MAX_RENEWALS,
}  # fmt: skip
JITTER = st.floats(0, 1, exclude_max=True)


@given(st.sampled_from(Kind), st.integers(1, 40), JITTER, st.none() | st.floats(0, 1000))
def test_a_pause_is_never_negative_and_never_shorter_than_the_service_asks(
    kind: Kind, attempt: int, jitter: float, retry_after: float | None
) -> None:
    wait = pause(kind, attempt, jitter, retry_after)
    if wait is None:
        assert attempt >= AGAIN.get(kind, 0)
    elif kind is Kind.EXPIRED:
        assert wait == 0
    else:
        assert 0 < wait <= max(30.0, retry_after or 0.0)
        assert wait >= (retry_after or 0.0)


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


@given(st.lists(st.booleans() | st.floats(0, 10), max_size=200), st.integers(4, 512))
def test_the_limit_stays_between_its_bounds(answers: list[bool | float], start: int) -> None:
    aimd, now = Aimd(float(start)), 0.0
    for answer in answers:
        if answer is True:
            before = aimd.limit
            aimd.good()
            assert aimd.limit >= before
        else:
            now += float(answer)
            aimd.busy(now)
        assert aimd.least <= aimd.limit <= aimd.most
        assert aimd.least <= aimd.slots <= aimd.most


def test_one_more_request_after_a_full_round_of_good_answers() -> None:
    aimd = Aimd(10.0)
    for _ in range(11):
        aimd.good()
    assert aimd.slots == 11


def test_refusals_of_the_same_moment_halve_once() -> None:
    aimd = Aimd(64.0)
    assert aimd.busy(100.0)
    assert not aimd.busy(100.1)
    assert not aimd.busy(100.999)
    assert aimd.slots == 32
    assert aimd.busy(101.0)
    assert aimd.slots == 16
