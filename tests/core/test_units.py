"""Sizes, rates and durations as people write and read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blobmove.core import units


@pytest.mark.parametrize(("text", "size"), [
    ("0", 0), ("512", 512), ("512B", 512), ("64KiB", 65_536), ("64 kib", 65_536), ("10M", 10 * units.MIB),
    ("1GiB", units.GIB), ("1.5GiB", 1_610_612_736), ("10MB", 10_000_000), ("2T", 2 * units.TIB),
])
def test_sizes_are_read_with_powers_of_1024_unless_written_as_mb(text: str, size: int) -> None:
    assert units.parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GiB", "-1", "10X", "1,5G", "1e3", "ten"])
def test_what_is_no_size_is_named_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="write it like 64KiB"):
        units.parse_size(text)


def test_rates_may_carry_a_per_second_and_off_means_no_limit() -> None:
    assert units.parse_rate("50M") == units.parse_rate("50MiB/s") == 50 * units.MIB
    assert units.parse_rate("off") is None
    with pytest.raises(ValueError, match="never end"):
        units.parse_rate("0")
    with pytest.raises(ValueError, match="is not a rate"):
        units.parse_rate("fast")


@pytest.mark.parametrize(("text", "seconds"), [
    ("90s", 90), ("90", 90), ("2h", 7200), ("1h30m", 5400), ("1h 30min", 5400), ("2d", 172_800), ("250ms", 0.25),
])
def test_durations_are_read(text: str, seconds: float) -> None:
    assert units.parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "2 hours", "h", "1h30x", "-5s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        units.parse_duration(text)


@pytest.mark.parametrize(("size", "text"), [
    (0, "0 B"), (1023, "1,023 B"), (1024, "1 KiB"), (86_118, "84.1 KiB"), (1_048_575, "1.00 MiB"),
    (33_554_432, "32 MiB"), (4015 * units.GIB, "3.92 TiB"), (2300 * 1024 * units.TIB, "2,300 PiB"),
])
def test_bytes_are_printed_with_the_digits_that_matter(size: int, text: str) -> None:
    assert units.format_bytes(size) == text


@given(st.integers(min_value=0, max_value=2**60))
def test_printed_bytes_read_back_to_nearly_the_same(size: int) -> None:
    back = units.parse_size(units.format_bytes(size).replace(",", "").replace(" ", ""))
    assert abs(back - size) <= max(1, size * 0.006)


@pytest.mark.parametrize(("seconds", "text"), [
    (0, "0 s"), (0.4, "0.4 s"), (42.9, "42 s"), (60, "1 min"), (90, "1 min 30 s"), (7080, "1 h 58 min"),
    (273_600, "3 d 4 h"),
])
def test_durations_are_printed_with_two_units_at_most(seconds: float, text: str) -> None:
    assert units.format_duration(seconds) == text


def test_rates_and_counts_are_printed_for_people() -> None:
    assert units.format_rate(612.4 * units.MIB) == "612 MiB/s"
    assert units.format_rate(4.24 * units.MIB) == "4.2 MiB/s"
    assert units.format_rate(0) == "0 B/s"
    assert units.format_count(1_961_402) == "1,961,402"


@pytest.mark.parametrize(("part", "whole", "text"), [
    (0, 10, "0.0 %"), (10, 10, "100.0 %"), (999_999, 1_000_000, "99.9 %"), (1, 1_000_000, "0.1 %"), (0, 0, "0.0 %"),
])
def test_a_percentage_says_all_only_when_it_is_all(part: int, whole: int, text: str) -> None:
    assert units.format_percent(part, whole) == text
