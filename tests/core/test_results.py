"""Results: the sums that must add up."""

from __future__ import annotations

from blobmove.core.model import State
from blobmove.core.results import Totals


def test_planned_is_the_sum_over_all_states() -> None:
    totals = Totals({State.COPIED: 3, State.PENDING: 2, State.FAILED: 1}, {State.COPIED: 300, State.PENDING: 20})
    assert totals.planned == 6
    assert totals.planned_bytes == 320
