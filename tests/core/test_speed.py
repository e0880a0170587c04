"""Speed: a pace over the last minutes, and no guess too early."""

from __future__ import annotations

from blobmove.core.speed import RateWindow


def test_the_pace_is_that_of_the_window() -> None:
    window = RateWindow(seconds=10)
    assert window.rates() == (0.0, 0.0)
    window.add(0, 0, 0)
    assert window.rates() == (0.0, 0.0)
    window.add(10, 1000, 10)
    assert window.rates() == (100.0, 1.0)
    window.add(20, 5000, 30)
    window.add(21, 5000, 30)
    assert window.rates() == (0.0, 0.0)


def test_two_points_of_one_moment_are_no_pace() -> None:
    window = RateWindow()
    window.add(5, 0, 0)
    window.add(5, 10, 1)
    assert window.rates() == (0.0, 0.0)


def test_the_time_left_is_that_of_the_slower_of_bytes_and_objects() -> None:
    window = RateWindow()
    window.add(0, 0, 0)
    window.add(10, 1000, 10)
    assert window.eta(1000, 100, 60) == 100.0
    assert window.eta(50_000, 100, 60) == 500.0


def test_objects_without_bytes_are_counted_by_objects() -> None:
    window = RateWindow()
    window.add(0, 0, 0)
    window.add(10, 0, 10)
    assert window.eta(1000, 100, 60) == 100.0


def test_no_guess_too_early_or_before_anything_is_done() -> None:
    window = RateWindow()
    window.add(0, 0, 0)
    window.add(10, 1000, 10)
    assert window.eta(1000, 100, 29.9) is None
    assert RateWindow().eta(1000, 100, 60) is None
