"""Another server answers than before: refused, unless the operator has said that this is expected."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from blobmove.core.errors import RefusedError
from blobmove.core.events import Note
from blobmove.core.flipping import DatabaseTrouble, ServerFacts, Trouble
from blobmove.operations.flip_doors import Approval
from blobmove.operations.flip_journaled import POSITION_SECONDS
from blobmove.operations.flip_patience import Begun, Patience
from blobmove.stores.rails.database import RailsDatabase
from tests.database.application import YES, Application, Operator, fill
from tests.database.conftest import MakeOperator
from tests.database.test_flip_trouble import around, at_call, loses_the_connection
from tests.servers.replicas import until


def fails_over(to: str) -> Callable[[RailsDatabase], RailsDatabase]:
    """The connection is lost in the second batch, and afterwards another server answers."""

    def wrap(database: RailsDatabase) -> RailsDatabase:
        facts, lost = database.facts, [False]

        def told() -> ServerFacts:
            found = facts()
            return ServerFacts(to, False, False, found.position) if lost[0] else found

        def loses() -> None:
            lost[0] = True
            raise DatabaseTrouble(Trouble.LOST, "2013", "Lost connection during query")

        database.facts = told  # type: ignore[method-assign]
        return around("flip", before=at_call(2, loses))(database)

    return wrap


def test_after_a_fail_over_any_server_goes_on_and_the_journal_names_the_new_one(operator: Operator) -> None:
    fill(operator, 6)
    approval = Approval(confirmed=True, any_server=True)
    result = operator.flips(approval, wrap=fails_over("the standby"), batch_size=2)
    assert result.flipped == 6
    notes = [event.text for event in operator.events if isinstance(event, Note)]
    assert any("is another server now (the standby" in note and "--any-server" in note for note in notes)
    servers = operator.checkpoint.execute("SELECT number, server FROM flip_batch ORDER BY number").fetchall()
    assert servers == [(1, None), (2, None), (3, "the standby")]


def test_without_any_server_a_fail_over_ends_the_run_with_the_way_out(operator: Operator) -> None:
    fill(operator, 6)
    with pytest.raises(RefusedError) as raised:
        operator.flips(wrap=fails_over("the standby"), batch_size=2)
    assert raised.value.code == "E412-SERVER"
    assert "--any-server" in str(raised.value.hint)
    assert list(operator.application.names().values()).count("azure") == 2


def becomes_another(application: Application, *numbers: int, service: str = "amazon") -> None:
    """What a standby that had not followed has made of these ids since: rows of files that are not proven."""
    for number in numbers:
        application.purge(number)
        application.add(number, f"other-{number}", service)


def others(operator: Operator) -> dict[str, str]:
    """What these rows name."""
    key = operator.application.key_column
    found = operator.application.execute(f"SELECT {key}, service_name FROM active_storage_blobs ORDER BY id")
    return {name: service for name, service in found if name.startswith("other-")}


class TestIdsThatAreThoseOfOtherFilesOnTheNewServer:
    """No row is flipped whose key, on the server that is written to, the gate has not seen."""

    ANY = Approval(confirmed=True, any_server=True)

    @pytest.fixture
    def operator(self, make_operator: MakeOperator) -> Operator:
        operator = make_operator()
        operator.ahead = True
        fill(operator, 8)
        return operator

    @pytest.fixture(params=["position", "page"])
    def reader_fails_over(
        self, operator: Operator, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
    ) -> list[int]:
        """Before the second batch is journaled another server answers the reader: where it is asked for its position,
        the third page being read, or for the third page. It has made other rows of the ids in this list."""
        if request.param == "position":
            operator.tick = POSITION_SECONDS  # asked for each batch
            return self._fails_over_at_the_position(operator, monkeypatch)
        return self._fails_over_at_the_page(operator, monkeypatch)

    def _fails_over_at_the_page(self, operator: Operator, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        numbers: list[int] = []
        pages, elsewhere, noted, journaled, changed = [0], [False], [False], [0], [0]
        candidates, facts, once = RailsDatabase.candidates, RailsDatabase.facts, Patience._once
        answered, flip = Begun.answer, RailsDatabase.flip
        write = operator.journal.write_batches

        def read(database: RailsDatabase, *values: Any) -> Any:  # noqa: ANN401
            pages[0] += 1
            if pages[0] == 3:
                elsewhere[0] = True
                becomes_another(operator.application, *numbers)
                loses_the_connection()
            return candidates(database, *values)

        def asked(patience: Patience, question: Callable[[], Any]) -> Any:  # noqa: ANN401
            answer = once(patience, question)
            noted[0] = elsewhere[0]
            return answer

        def written(*values: Any) -> None:  # noqa: ANN401
            journaled[0] += 1
            if journaled[0] == 2:
                until(lambda: noted[0])
            write(*values)

        def told(database: RailsDatabase) -> ServerFacts:
            return ServerFacts("the standby", False, False, None) if elsewhere[0] else facts(database)

        def answer(begun: Begun[Any]) -> Any:  # noqa: ANN401
            if noted[0]:
                until(lambda: changed[0] >= 2)  # the second batch is changed before anybody wants the third page
            return answered(begun)

        def flips(database: RailsDatabase, *values: Any) -> int:  # noqa: ANN401
            try:
                return flip(database, *values)
            finally:
                changed[0] += 1

        monkeypatch.setattr(RailsDatabase, "candidates", read)
        monkeypatch.setattr(RailsDatabase, "facts", told)
        monkeypatch.setattr(Begun, "answer", answer)
        monkeypatch.setattr(RailsDatabase, "flip", flips)
        monkeypatch.setattr(Patience, "_once", asked)
        monkeypatch.setattr(operator.journal, "write_batches", written)
        return numbers

    def _fails_over_at_the_position(self, operator: Operator, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        numbers: list[int] = []
        pages, positions, elsewhere = [0], [0], [False]
        candidates, facts, position = RailsDatabase.candidates, RailsDatabase.facts, RailsDatabase.position

        def read(database: RailsDatabase, *values: Any) -> Any:  # noqa: ANN401
            found = candidates(database, *values)
            pages[0] += 1
            return found

        def told(database: RailsDatabase) -> ServerFacts:
            return ServerFacts("the standby", False, False, None) if elsewhere[0] else facts(database)

        def asked(database: RailsDatabase) -> str | None:
            positions[0] += 1
            if positions[0] == 2:
                until(lambda: pages[0] >= 3)
                elsewhere[0] = True
                becomes_another(operator.application, *numbers)
                loses_the_connection()
            return position(database) or "somewhere"

        monkeypatch.setattr(RailsDatabase, "candidates", read)
        monkeypatch.setattr(RailsDatabase, "facts", told)
        monkeypatch.setattr(RailsDatabase, "position", asked)
        return numbers

    def test_a_page_that_was_read_ahead_is_read_again(self, operator: Operator, reader_fails_over: list[int]) -> None:
        reader_fails_over += [5, 6]
        result = operator.flips(self.ANY, batch_size=2)
        assert others(operator) == {"other-5": "amazon", "other-6": "amazon"}
        assert (result.flipped, result.refused, result.remaining) == (6, {"not-in-plan": 2}, 0)

    def test_the_page_in_hand_is_compared_with_what_is_there(
        self, operator: Operator, reader_fails_over: list[int]
    ) -> None:
        reader_fails_over += [3]
        result = operator.flips(self.ANY, batch_size=2)
        assert others(operator) == {"other-3": "amazon"}
        assert (result.flipped, result.refused, result.remaining) == (7, {}, 1)
        notes = [event.text for event in operator.events if isinstance(event, Note)]
        assert any("left for the next run" in note for note in notes)
        assert operator.flips(self.ANY).refused == {"not-in-plan": 1}

    @pytest.mark.parametrize("ahead", [False, True])
    @pytest.mark.parametrize("name", ["the standby", None], ids=["another name", "the same name"])
    def test_the_batch_under_way_and_the_one_prepared_are_compared_too(
        self, operator: Operator, name: str | None, ahead: bool
    ) -> None:
        """PostgreSQL's standby bears the name of its primary: so any new connection counts, whatever it is called."""
        operator.ahead = ahead
        write, journaled = operator.journal.write_batches, [0]

        def written(*values: Any) -> None:  # noqa: ANN401
            write(*values)
            journaled[0] += 1

        operator.journal.write_batches = written  # type: ignore[method-assign, assignment]

        def fails(database: RailsDatabase) -> RailsDatabase:
            facts, lost = database.facts, [False]

            def told() -> ServerFacts:
                return facts() if name is None or not lost[0] else ServerFacts(name, False, False, None)

            def loses() -> None:
                until(lambda: journaled[0] == (3 if ahead else 2))
                lost[0] = True
                becomes_another(operator.application, 3, 5)
                becomes_another(operator.application, 4, service="azure")
                loses_the_connection()

            database.facts = told  # type: ignore[method-assign]
            return around("flip", before=at_call(2, loses))(database)

        result = operator.flips(self.ANY if name else YES, wrap=fails, batch_size=2)
        there = {"other-3": "amazon", "other-4": "azure", "other-5": "amazon"}
        assert others(operator) == there
        assert result.flipped == 5
        assert (result.refused, result.remaining) == (({}, 2) if ahead else ({"not-in-plan": 1}, 1))
        assert operator.journal.count_to_undo(1) == 5
        operator.undoes("1", approval=self.ANY)
        assert others(operator) == there


def test_a_replica_is_written_to_only_when_told(operator: Operator) -> None:
    fill(operator, 1)

    def wrap(database: RailsDatabase) -> RailsDatabase:
        facts = database.facts
        database.facts = lambda: ServerFacts(facts().identity, False, True, None)  # type: ignore[method-assign]
        return database

    with pytest.raises(RefusedError) as raised:
        operator.flips(wrap=wrap)
    assert "--allow-replica" in str(raised.value.hint)
    assert operator.flips(Approval(confirmed=True, replica=True), wrap=wrap).flipped == 1
