"""Sizes, rates, counts and durations: read as people type them, printed as people read them."""

from __future__ import annotations

import re
from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB
GIB: Final = 1024 * MIB
TIB: Final = 1024 * GIB

_BINARY: Final = {"": 1, "K": KIB, "M": MIB, "G": GIB, "T": TIB, "P": 1024 * TIB}
_DECIMAL: Final = {"K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15}
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGTP]?)(iB|B)?", re.IGNORECASE)
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|min|s|m|h|d)", re.IGNORECASE)
_NAMES: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")

OFF: Final = ("off", "none", "unlimited")
"""The words that mean: no limit."""


def parse_size(text: str) -> int:
    """Bytes. `64KiB`, `1GiB` and the short `10M` are powers of 1024; `10MB` is a power of 1000; `512` is bytes.

    Raises ValueError with a sentence for people.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a size; write it like 64KiB, 10M or 1.5GiB")
    number, unit, suffix = match[1], match[2].upper(), (match[3] or "").lower()
    factor = _DECIMAL[unit] if suffix == "b" and unit else _BINARY[unit]
    size = float(number) * factor if "." in number else int(number) * factor
    return int(size)


def parse_rate(text: str) -> int | None:
    """Bytes a second; None for `off`. `50M` and `50MiB/s` are the same. Raises ValueError."""
    plain = text.strip().lower()
    if plain in OFF:
        return None
    plain = plain.removesuffix("/s").removesuffix("ps")
    try:
        rate = parse_size(plain)
    except ValueError:
        raise ValueError(f"{text!r} is not a rate; write it like 50M, 50MiB/s or off") from None
    if rate == 0:
        raise ValueError("a rate of 0 would never end; write off for no limit")
    return rate


def parse_duration(text: str) -> float:
    """Seconds. `90s`, `2h`, `1h30m`, `2d`; a bare number is seconds. Raises ValueError."""
    plain = text.strip().lower()
    if re.fullmatch(r"\d+(\.\d+)?", plain):
        return float(plain)
    parts = _PART.findall(plain)
    if not parts or _PART.sub("", plain).strip():
        raise ValueError(f"{text!r} is not a duration; write it like 90s, 15m, 2h or 1h30m")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def format_bytes(size: float) -> str:
    """`0 B`, `84.1 KiB`, `32 MiB`, `3.92 TiB`: exact multiples without decimals, others with three digits or four."""
    value, place = float(size), 0
    while abs(value) >= 1023.95 and place < len(_NAMES) - 1:
        value /= 1024
        place += 1
    return f"{_digits(value)} {_NAMES[place]}"


def _digits(value: float) -> str:
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:.2f}" if abs(value) < 9.995 else f"{value:,.1f}"


def format_rate(bytes_per_second: float) -> str:
    """`612 MiB/s`, `4.2 MiB/s`: a rate wobbles, so three digits are enough."""
    value, place = float(bytes_per_second), 0
    while value >= 999.5 and place < len(_NAMES) - 1:
        value /= 1024
        place += 1
    text = f"{value:.0f}" if value >= 99.95 or place == 0 else f"{value:.1f}"
    return f"{text} {_NAMES[place]}/s"


def format_count(number: int) -> str:
    """`1,961,402`."""
    return f"{number:,}"


def format_duration(seconds: float) -> str:
    """`0.4 s`, `42 s`, `1 min 30 s`, `1 h 58 min`, `3 d 4 h`: two units at most, never rounded up to a full one."""
    if seconds < 9.95:
        return f"{seconds:.1f} s" if seconds else "0 s"
    whole = int(seconds)
    for name, size, lower, lower_size in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            rest = whole % size // lower_size
            return f"{whole // size} {name}" + (f" {rest} {lower}" if rest else "")
    return f"{whole} s"


def format_percent(part: float, whole: float) -> str:
    """`61.5 %`; 100.0 only when all of it is there, 0.0 only when none of it is."""
    if whole <= 0:
        return "0.0 %" if part <= 0 else "100.0 %"
    share = 100 * part / whole
    if 0 < part < whole:
        share = min(99.9, max(0.1, share))
    return f"{share:.1f} %"
