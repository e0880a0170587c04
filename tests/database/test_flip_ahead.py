"""The next batch is read, judged and journaled over a second connection while one is being changed."""

from __future__ import annotations

from typing import Any

import pytest

from blobmove.core.errors import RefusedError
from blobmove.core.flipping import ServerFacts
from blobmove.stores.rails.database import RailsDatabase
from tests.database.application import Operator, fill
from tests.database.conftest import MakeOperator
from tests.database.test_flip_trouble import Killed, around, at_call, dies
from tests.servers.replicas import until


class TestAhead:
    """With a second connection the next batch is prepared while the one before is being changed."""

    @pytest.fixture
    def operator(self, make_operator: MakeOperator) -> Operator:
        operator = make_operator()
        operator.ahead = True
        fill(operator, 12)
        return operator

    def test_the_next_batch_is_on_disk_before_its_update_and_never_more_than_one(self, operator: Operator) -> None:
        seen: list[int] = []

        def look(_call: int) -> None:
            flipped = list(operator.application.names().values()).count("azure")
            assert journaled() >= flipped + 3  # its own batch
            until(lambda: journaled() == min(12, flipped + 6))  # and the next one, prepared meanwhile
            seen.append(flipped)

        def journaled() -> int:
            ((rows,),) = operator.checkpoint.execute("SELECT coalesce(sum(row_count), 0) FROM flip_batch").fetchall()
            return int(rows)

        operator.checkpoint = _shared(operator)
        result = operator.flips(wrap=around("flip", before=look), batch_size=3)
        assert (result.flipped, result.batches) == (12, 4)
        assert seen == [0, 3, 6, 9]

    @pytest.mark.parametrize("moment", ["before", "after"], ids=["before the update", "after the commit"])
    @pytest.mark.parametrize("call", [1, 3])
    def test_a_crash_leaves_at_most_two_batches_in_doubt_and_the_rows_answer(
        self, operator: Operator, moment: str, call: int
    ) -> None:
        before = operator.application.table()
        with pytest.raises(Killed):
            operator.flips(batch_size=3, wrap=around("flip", **{moment: at_call(call, dies)}))
        assert 1 <= len(operator.journal.unsettled()) <= 3
        operator.flips(batch_size=3)
        assert set(operator.application.names().values()) == {"azure"}
        assert sum(run.flipped for run in operator.journal.runs()) == 12
        for run in reversed(operator.journal.runs()):
            operator.undoes(str(run.id))
        assert operator.application.table() == before

    def test_a_limit_counts_the_batch_under_way(self, operator: Operator) -> None:
        result = operator.flips(batch_size=3, limit=7)
        assert (result.flipped, result.remaining) == (7, 5)

    def test_a_stop_leaves_the_prepared_batch_alone(self, operator: Operator) -> None:
        operator.stop = lambda: len(operator.slept) >= 1
        result = operator.flips(batch_size=3)
        assert (result.flipped, result.remaining, result.stopped) == (3, 9, "interrupted")
        assert operator.journal.unsettled() == []
        assert operator.journal.count_to_undo(1) == 3

    def test_an_undo_reads_ahead_as_well(self, operator: Operator) -> None:
        before = operator.application.table()
        operator.flips(batch_size=5)
        assert operator.undoes(batch_size=2).flipped == 12
        assert operator.application.table() == before

    def test_the_second_connection_must_reach_the_same_server(self, operator: Operator) -> None:
        facts = RailsDatabase.facts
        answers: list[ServerFacts] = []

        def differs(database: RailsDatabase) -> ServerFacts:
            answers.append(facts(database))
            return answers[-1] if len(answers) == 1 else answers[-1].__class__("other", False, False, None)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(RailsDatabase, "facts", differs)
            with pytest.raises(RefusedError) as raised:
                operator.flips()
        assert raised.value.code == "E412-SERVER"
        assert set(operator.application.names().values()) == {"amazon"}


def _shared(operator: Operator) -> Any:  # noqa: ANN401
    """A second look at the journal from the thread of the UPDATE: the same data, in a file."""
    import sqlite3

    from blobmove.checkpoint.journal import FlipJournal

    file = sqlite3.connect("file:journal?mode=memory&cache=shared", uri=True, isolation_level=None,
                           check_same_thread=False)
    operator.checkpoint.backup(file)
    operator.checkpoint.close()
    operator.journal = FlipJournal(file)
    return file
