"""The pace: what it says about the next request, and how it learns from windows of answers."""

from __future__ import annotations

from itertools import pairwise

import pytest

from blobmove.core.rates import CUT, Pace


def known(rate: float) -> Pace:
    """A pace whose side was measured to accept `rate` a second."""
    pace = Pace(2 * rate)
    pace.measure(0.1)
    pace.turn(0.1, 0, 0)
    pace.turn(1.0, int(rate), int(rate))
    return pace


def test_what_is_accepted_while_more_is_refused_is_the_limit() -> None:
    pace = known(300)
    assert pace.ceiling == 300
    assert pace.rate == pytest.approx(300 * (1 - CUT))


def test_a_first_guess_that_nothing_contradicts_was_too_low() -> None:
    pace = Pace(50)
    pace.measure(0.1)
    pace.turn(0.1, 5, 11)
    pace.turn(1.0, 50, 0)
    for _ in range(40):
        pace.turn(0.1, int(pace.rate / 10), 0)
    assert pace.rate > 250


def test_refusals_on_their_way_are_no_news() -> None:
    pace = Pace(600)
    assert pace.listens()
    pace.measure(0.1)
    assert not pace.listens()
    pace.turn(0.1, 30, 40)
    pace.turn(1.0, 300, 300)
    assert not pace.listens()
    pace.turn(0.1, 28, 3)
    assert pace.listens()


def test_a_limit_that_falls_while_it_is_measured_is_measured_again() -> None:
    pace = known(300)
    pace.turn(0.2, 30, 30)
    assert not pace.listens()
    pace.turn(0.4, 60, 56)
    assert pace.ceiling == pytest.approx(150)


@pytest.mark.parametrize(("good", "refused"), [(0, 1), (1, 6), (0, 0)])
def test_few_answers_behind_a_standstill_cut_the_pace_to_half_at_most(good: int, refused: int) -> None:
    pace = known(1800)
    rate = pace.rate
    pace.turn(0.1, 180, 0)
    pace.measure(0.1)
    pace.turn(3.0, good, refused)
    assert pace.rate >= rate / 2 * (1 - CUT)


def test_what_was_not_sent_while_the_machine_stood_still_is_no_limit() -> None:
    pace = known(300)
    pace.turn(0.1, 29, 0)
    pace.measure(0.1)
    pace.turn(0.2, 20, 1)  # 105 a second, of 288 that were meant
    assert pace.ceiling == pytest.approx(288 * 20 / 21)


def test_it_comes_back_to_what_it_knows_soon_and_goes_beyond_it_gently() -> None:
    pace, at = known(1000), {}
    pace.turn(0.1, 96, 0)
    for tenth in range(1, 81):
        pace.turn(0.1, int(pace.rate / 10), 0)
        at[tenth / 10] = pace.rate
    assert at[1.7] == pytest.approx(1000, rel=0.01)
    assert at[3.0] < 1030
    assert at[8.0] > 2000


def test_what_is_not_used_does_not_grow_and_is_forgotten() -> None:
    pace = known(1000)
    pace.turn(0.1, 96, 0)
    before = pace.rate
    for _ in range(299):
        pace.turn(0.1, 10, 0)
    assert pace.rate == before
    assert not pace.forgotten()
    for _ in range(3):
        pace.turn(0.1, 10, 0)
    assert pace.forgotten()


def test_requests_start_evenly_and_lost_time_is_no_credit() -> None:
    pace = Pace(100)
    assert pace.delay(50.0) == 0.0
    waits = [pace.delay(50.0) for _ in range(5)]
    assert [later - sooner for sooner, later in pairwise(waits)] == pytest.approx([0.01] * 4)
    assert sum(pace.delay(60.0) == 0.0 for _ in range(20)) <= 2
