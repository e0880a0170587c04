"""Another server answers than before: refused, unless the operator has said that this is expected."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from blobmove.core.errors import RefusedError
from blobmove.core.events import Note
from blobmove.core.flipping import DatabaseTrouble, ServerFacts, Trouble
from blobmove.operations.flip_doors import Approval
from blobmove.stores.rails.database import RailsDatabase
from tests.database.application import Operator, fill
from tests.database.test_flip_trouble import around, at_call


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
