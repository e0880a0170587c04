"""When the next request may start: the back-off schedule, and a concurrency limit that finds its own level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from blobmove.core.errors import Kind

MAX_ATTEMPTS: Final = 9
"""Attempts at one request before the object fails: with the schedule below about a minute of patience."""

MAX_CORRUPT: Final = 3
"""Attempts when bytes and checksum differ: a bad cable may heal, a bad disk will not."""

MAX_RENEWALS: Final = 2
"""Attempts to go on with a renewed credential before access counts as lost."""

_FIRST_SECONDS: Final = 0.4
_CAP_SECONDS: Final = 30.0

_AGAIN: Final = {
    Kind.TRANSIENT: MAX_ATTEMPTS,
    Kind.THROTTLED: MAX_ATTEMPTS + 5,  # the service is well, only busy: be more patient
    Kind.UNREACHABLE: MAX_ATTEMPTS,
    Kind.CORRUPT: MAX_CORRUPT,
    Kind.EXPIRED: MAX_RENEWALS,
}


def pause(kind: Kind, attempt: int, jitter: float, retry_after: float | None = None) -> float | None:
    """Seconds to wait before attempt `attempt` + 1 (attempts count from 1), or None to give up.

    Full jitter (`jitter` in [0, 1)) over a doubling window, so that a thousand requests refused together do not
    come back together; what the service asks for in Retry-After is the least.
    """
    if attempt >= _AGAIN.get(kind, 0):
        return None
    if kind is Kind.EXPIRED:
        return 0.0
    window = min(_CAP_SECONDS, _FIRST_SECONDS * 2.0 ** (attempt - 1))
    wait = window * (0.25 + 0.75 * jitter)
    return max(wait, retry_after) if retry_after is not None else wait


@dataclass(slots=True)
class Aimd:
    """A limit on requests in flight: one more for every `limit` good answers, halved when the service is busy.

    After a halving further refusals are ignored for `hold_seconds`: they belong to requests sent before it.
    """

    limit: float
    least: int = 4
    most: int = 512
    hold_seconds: float = 1.0
    held_until: float = 0.0

    def good(self) -> None:
        """One request was answered without complaint."""
        self.limit = min(float(self.most), self.limit + 1.0 / self.limit)

    def busy(self, now: float) -> bool:
        """One request was refused as too many; whether the limit was lowered for it. `now` in seconds."""
        if now < self.held_until:
            return False
        self.limit = max(float(self.least), self.limit / 2)
        self.held_until = now + self.hold_seconds
        return True

    @property
    def slots(self) -> int:
        return int(self.limit)
