"""What time a service has: the Date header of an answer to a request without any signature."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from blobmove.stores.http import HttpClient


async def clock_offset(http: HttpClient, url: str, now: Callable[[], float] = time.time) -> float | None:
    """Seconds by which the service's clock is ahead of ours, to half a second; None where it shows none.

    Asked without credentials: whatever it answers, also a refusal, has the header (RFC 9110, 6.6.1), so that a clock
    that makes every signature invalid is still found. Raises StoreError where nobody answers.
    """
    before = now()
    answer = await http.send("HEAD", url)
    after = now()
    try:
        told = parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (KeyError, ValueError):
        return None
    return told + 0.5 - (before + after) / 2  # the header's seconds are cut off, not rounded
