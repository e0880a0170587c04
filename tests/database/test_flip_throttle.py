"""The flip obeys the load of the server and the queries of the operator, and says why it waits."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from blobmove.core.errors import BlobmoveError, UsageError
from blobmove.stores.rails.database import RailsDatabase
from tests.database.application import Operator, fill, states


@dataclass
class Load:
    """Threads that are said to run, one number a look."""

    numbers: list[int]
    asked: int = 0

    def __call__(self, database: RailsDatabase) -> RailsDatabase:
        def running() -> int:
            self.asked += 1
            return self.numbers[min(self.asked, len(self.numbers)) - 1]

        database.threads_running = running  # type: ignore[method-assign]
        return database


def test_the_flip_waits_while_the_server_is_busy_and_says_so(operator: Operator) -> None:
    fill(operator, 4)
    operator.tick = 1.0
    result = operator.flips(wrap=Load([1, 1, 30, 26, 25]), batch_size=2, sleep_ratio=0.0, max_threads_running=25)
    assert result.flipped == 4
    assert [state for state in states(operator) if state.startswith("waiting")] == [
        "waiting: 30 threads are running (--max-threads-running 25)",
        "waiting: 26 threads are running (--max-threads-running 25)",
    ]


def test_above_the_critical_load_the_flip_ends_and_can_be_resumed(operator: Operator) -> None:
    fill(operator, 6)
    operator.tick = 1.0
    result = operator.flips(wrap=Load([1, 1, 51]), batch_size=2, sleep_ratio=0.0, critical_threads_running=50)
    assert (result.flipped, result.remaining) == (2, 4)
    assert result.stopped == "51 threads are running (--critical-threads-running 50)"
    assert operator.journal.unsettled() == []
    assert operator.flips().flipped == 4


def test_a_lag_query_that_answers_null_waits_and_one_that_answers_words_is_refused(operator: Operator) -> None:
    fill(operator, 4)
    operator.tick = 1.0
    operator.application.execute("CREATE TABLE heartbeat (behind float)")
    operator.application.execute("INSERT INTO heartbeat VALUES (NULL)")
    operator.while_asleep = lambda: len(operator.slept) == 2 and operator.application.execute(
        "UPDATE heartbeat SET behind = 0.5"
    )
    assert operator.flips(lag_query="SELECT behind FROM heartbeat", batch_size=4).flipped == 4
    assert states(operator)[:2] == [
        "waiting: the lag of --lag-query is unknown (replication stopped, or no answer)"
    ] * 2
    with pytest.raises(UsageError) as raised:
        operator.flips(lag_query="SELECT 'late'")
    assert raised.value.code == "E400-LAG"


def test_a_lag_without_anything_to_ask_is_refused_except_where_the_writer_knows(operator: Operator) -> None:
    fill(operator, 1)
    if operator.application.server.kind == "postgresql":
        assert operator.flips(max_lag=5.0).flipped == 1
        return
    with pytest.raises(UsageError) as raised:
        operator.flips(max_lag=5.0)
    assert raised.value.code == "E400-LAG"
    assert "--replica-url-file" in str(raised.value.hint)
    assert operator.application.names() == {1: "amazon"}


def test_the_running_threads_of_a_real_server_are_counted(operator: Operator) -> None:
    with operator.application.database() as database:
        if operator.application.server.kind == "sqlite":
            with pytest.raises(BlobmoveError):
                database.threads_running()
        else:
            assert database.threads_running() >= 1
