"""Bandwidth by time of day."""

from __future__ import annotations

import pytest

from blobmove.core.timetable import parse_timetable
from blobmove.core.units import MIB


def test_one_rate_holds_all_day() -> None:
    table = parse_timetable("50M")
    assert [table.rate_at(minute) for minute in (0, 720, 1439)] == [50 * MIB] * 3
    assert str(table) == "50.0MiB/s"


def test_entries_hold_until_the_next_and_the_last_one_over_midnight() -> None:
    table = parse_timetable("19:00,off 08:00,50M")
    assert table.rate_at(8 * 60) == table.rate_at(18 * 60 + 59) == 50 * MIB
    assert table.rate_at(19 * 60) is None
    assert table.rate_at(7 * 60 + 59) is None
    assert str(table) == "08:00,50.0MiB/s 19:00,off"


@pytest.mark.parametrize(("text", "why"), [
    ("", "empty timetable"), ("08:00,50M 9M", "not an entry"), ("25:00,50M", "not a time"), ("08:61,5M", "not a time"),
    ("08:00,1M 08:00,2M", "same time twice"), ("08:00,fast", "not a rate"),
])
def test_a_wrong_timetable_is_explained(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_timetable(text)
