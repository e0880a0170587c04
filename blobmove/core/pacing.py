"""Which failed request is tried again, how often, and after what pause."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from blobmove.core.errors import Kind

MAX_ATTEMPTS: Final = 9
"""Attempts at one request before the object fails: with the schedule below about a minute of patience."""

MAX_CORRUPT: Final = 3
"""Attempts when bytes and checksum differ: a bad cable may heal, a bad disk will not."""

MAX_RENEWALS: Final = 2
"""Attempts to go on with a renewed credential before access counts as lost."""

MOST_CODES: Final = 40
"""Codes of one side that retries are counted by: services use a dozen."""

OTHER_CODES: Final = "other"

_CODE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_FIRST_SECONDS: Final = 0.4
_CAP_SECONDS: Final = 30.0
_ASKED_CAP_SECONDS: Final = 600.0
"""The most that Retry-After is heeded: both services ask for seconds, and a nonsense must not stop a run for ever."""

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
    come back together; what the service asks for in Retry-After is the least, up to ten minutes.
    """
    if attempt >= _AGAIN.get(kind, 0):
        return None
    if kind is Kind.EXPIRED:
        return 0.0
    window = min(_CAP_SECONDS, _FIRST_SECONDS * 2.0 ** (attempt - 1))
    wait = window * (0.25 + 0.75 * jitter)
    return wait if retry_after is None else max(wait, min(retry_after, _ASKED_CAP_SECONDS))


def counted_as(code: str, counts: Mapping[str, int]) -> str:
    """The name a retry is counted by: its code, `other` for what no service would say, and for one code too many."""
    if code in counts:
        return code
    return code if _CODE.fullmatch(code) and len(counts) < MOST_CODES else OTHER_CODES
