"""The clock of a service: from the Date of any answer, whatever else it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from blobmove.stores.clock import clock_offset
from blobmove.stores.http import Answer

if TYPE_CHECKING:
    from blobmove.stores.http import HttpClient

pytestmark = pytest.mark.anyio
NOON = 1_764_331_200.0  # 2025-11-28 12:00:00 UTC


class Service:
    """Refuses everything, and shows this date with it."""

    def __init__(self, date: str | None) -> None:
        self.date = date

    async def send(self, method: str, _url: str) -> Answer:
        assert method == "HEAD"
        return Answer(403, {} if self.date is None else {"date": self.date}, b"")


@pytest.mark.parametrize(("date", "offset"), [
    ("Fri, 28 Nov 2025 12:00:00 GMT", 0.0), ("Fri, 28 Nov 2025 12:20:00 GMT", 1200.0),
    ("Fri, 28 Nov 2025 11:59:00 GMT", -60.0), (None, None), ("soon", None),
])
async def test_the_offset_is_measured_against_the_middle_of_the_request(date: str | None, offset: float | None) -> None:
    ticks = iter((NOON, NOON + 1))
    service = cast("HttpClient", Service(date))
    assert await clock_offset(service, "https://s3.amazonaws.com/", lambda: next(ticks)) == offset
