"""A bandwidth that changes with the time of day: `50M`, or `08:00,50M 19:00,off`."""

from __future__ import annotations

import re

from blobmove.core.frozen import frozen
from blobmove.core.units import format_rate, parse_rate

_ENTRY = re.compile(r"(?:(\d{1,2}):(\d{2}),)?(\S+)")


@frozen
class Timetable:
    """Pairs of (minute of the day, bytes a second or None for no limit), in order of time; never empty.

    An entry holds until the next one; before the first entry the last one of the day before still holds.
    """

    entries: tuple[tuple[int, int | None], ...]

    def rate_at(self, minute: int) -> int | None:
        """The limit in bytes a second at this minute of the local day (0-1439), None for no limit."""
        rate = self.entries[-1][1]
        for start, limit in self.entries:
            if start > minute:
                break
            rate = limit
        return rate

    def __str__(self) -> str:
        if len(self.entries) == 1:
            return _rate_text(self.entries[0][1])
        return " ".join(f"{start // 60:02}:{start % 60:02},{_rate_text(rate)}" for start, rate in self.entries)


def _rate_text(rate: int | None) -> str:
    return "off" if rate is None else format_rate(rate).replace(" ", "")


def parse_timetable(text: str) -> Timetable:
    """One rate for all day, or entries of `HH:MM,RATE` separated by blanks. Raises ValueError with a sentence."""
    words = text.split()
    if len(words) == 1 and "," not in text:
        return Timetable(((0, parse_rate(text)),))
    entries = sorted((_entry(word) for word in words), key=lambda entry: entry[0])
    if not entries:
        raise ValueError("an empty timetable; write a rate like 50M, or entries like 08:00,50M 19:00,off")
    if len({start for start, _ in entries}) < len(entries):
        raise ValueError(f"{text!r} names the same time twice")
    return Timetable(tuple(entries))


def _entry(word: str) -> tuple[int, int | None]:
    match = _ENTRY.fullmatch(word)
    if match is None or match[1] is None:
        raise ValueError(f"{word!r} is not an entry of a timetable; write it like 08:00,50M")
    hour, minute = int(match[1]), int(match[2])
    if hour > 23 or minute > 59:
        raise ValueError(f"{match[1]}:{match[2]} is not a time of the day")
    return hour * 60 + minute, parse_rate(match[3])
