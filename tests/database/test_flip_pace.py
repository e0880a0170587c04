"""How long UPDATEs hold their locks, on a clock that only they move: whatever was read or journaled before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from blobmove.core.flipping import AIM_SECONDS, SLOW_BATCH_SECONDS
from blobmove.stores.rails.database import RailsDatabase
from tests.database.application import Operator
from tests.database.conftest import MakeOperator
from tests.database.test_flip_at_work import many_rows

ROWS = 20_000

pytestmark = pytest.mark.parametrize("server", ["sqlite"], indirect=True)


@dataclass
class Load:
    """What an UPDATE costs: seconds a row, of those before it."""

    cost: Callable[[int], float]
    now: float = 0.0
    rows: int = 0
    took: list[tuple[int, float]] = field(default_factory=list)

    def __call__(self, database: RailsDatabase) -> RailsDatabase:
        flip = database.flip

        def costly(ids: Sequence[int | str], old: str, new: str) -> int:
            seconds = len(ids) * self.cost(self.rows)
            self.rows += len(ids)
            self.took.append((len(ids), seconds))
            self.now += seconds
            return flip(ids, old, new)

        database.flip = costly  # type: ignore[method-assign]
        return database


@pytest.fixture(params=[False, True], ids=["in turn", "ahead"])
def operator(make_operator: MakeOperator, request: pytest.FixtureRequest) -> Operator:
    operator = make_operator()
    operator.ahead = request.param
    operator.application.execute(many_rows(operator.application, ROWS))
    operator.book.enter(*(f"file-{number}" for number in range(1, ROWS + 1)))
    return operator


def under(load: Load, operator: Operator, *, undo: bool = False) -> list[float]:
    """Seconds of each UPDATE of a flip of all rows, or of its undo."""
    operator._clock = lambda: load.now  # type: ignore[method-assign]
    done = operator.undoes if undo else operator.flips
    assert done(wrap=load, sleep_ratio=0.0).flipped == ROWS
    assert sum(rows for rows, _seconds in load.took) == ROWS
    return [seconds for _rows, seconds in load.took]


@pytest.mark.parametrize("micros", [12, 16, 50])
def test_updates_settle_near_what_is_aimed_at_and_none_is_too_long_afterwards(
    operator: Operator, micros: float
) -> None:
    for undo in (False, True):
        took = under(Load(lambda _rows: micros / 1e6), operator, undo=undo)
        assert max(took[1:]) <= SLOW_BATCH_SECONDS
        assert max(took[4:]) >= AIM_SECONDS * 0.8


def test_a_load_ten_times_as_high_makes_one_update_too_long_and_no_more(operator: Operator) -> None:
    for undo in (False, True):
        took = under(Load(lambda rows: 7e-6 if rows < ROWS / 2 else 70e-6), operator, undo=undo)
        assert sum(seconds > SLOW_BATCH_SECONDS for seconds in took) == 1


def test_a_page_read_before_the_load_makes_more_batches_with_a_rest_after_each(operator: Operator) -> None:
    """Only the batch that is journaled already stays what it is, and is changed by several UPDATEs."""
    load = Load(lambda rows: 7e-6 if rows < ROWS / 2 else 70e-6)
    took = under(load, operator)
    slow = next(place for place, seconds in enumerate(took) if seconds > SLOW_BATCH_SECONDS)
    done = sum(rows for rows, _seconds in load.took[: slow + 1])
    sizes = [rows for (rows,) in operator.checkpoint.execute("SELECT row_count FROM flip_batch ORDER BY number")]
    afterwards = [rows for place, rows in enumerate(sizes) if sum(sizes[:place]) >= done]
    assert sum(rows > 500 for rows in afterwards) <= int(operator.ahead)
