"""The flip while others work, locks are held, connections break and processes die."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, event

from blobmove import __version__
from blobmove.core.errors import BlobmoveError, HeldError, RefusedError, UsageError
from blobmove.core.events import Note, Throttled
from blobmove.core.flipping import DatabaseTrouble, ServerFacts, Trouble
from blobmove.operations.flip_journaled import TRIES_ROW
from blobmove.stores.rails.database import RailsDatabase
from tests.database.application import Application, Operator


class Killed(BaseException):
    """Stands for SIGKILL: nothing after it runs."""


def around(
    name: str, before: Callable[[int], object] | None = None, after: Callable[[int], object] | None = None
) -> Callable[[RailsDatabase], RailsDatabase]:
    """Let something happen before or after each call of a method; it is told the number of the call."""

    def wrap(database: RailsDatabase) -> RailsDatabase:
        method, calls = getattr(database, name), [0]

        def meddled(*values: Any, **named: Any) -> Any:  # noqa: ANN401
            calls[0] += 1
            if before is not None:
                before(calls[0])
            answer = method(*values, **named)
            if after is not None:
                after(calls[0])
            return answer

        setattr(database, name, meddled)
        return database

    return wrap


def at_call(number: int, action: Callable[[], object]) -> Callable[[int], object]:
    return lambda call: action() if call == number else None


def dies() -> None:
    raise Killed


def loses_the_connection() -> None:
    raise DatabaseTrouble(Trouble.LOST, "2013", "Lost connection during query")


def kill_connections(application: Application) -> None:
    """Every connection to the database but the application's own is cut by the server."""
    if application.server.kind == "postgresql":
        application.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return
    mine = "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"
    for (number,) in application.execute(mine):
        application.execute(f"KILL {number}")


def test_rows_purged_or_changed_between_gate_and_update_are_reported_not_errors(operator: Operator) -> None:
    operator.book.enter(*operator.application.add_many(range(1, 6)))

    def meanwhile() -> None:
        operator.application.purge(2)
        operator.application.set_service(4, "elsewhere")

    result = operator.flips(wrap=around("flip", before=at_call(1, meanwhile)))

    assert (result.flipped, result.refused, result.remaining) == (3, {"purged": 1, "changed-meanwhile": 1}, 0)
    assert operator.application.names() == {1: "azure", 3: "azure", 4: "elsewhere", 5: "azure"}
    assert [batch.ids for batch in operator.journal.batches_to_undo(1)] == [(1, 3, 5)]


def test_rows_that_meet_a_lock_are_halved_at_once_and_only_a_single_one_is_insisted_on(operator: Operator) -> None:
    """Whoever waits for a lock keeps the application from the rows that come before it: once for each half."""
    operator.book.enter(*operator.application.add_many(range(1, 9)))
    tried: list[tuple[int, ...]] = []

    def wrap(database: RailsDatabase) -> RailsDatabase:
        flip = database.flip

        def meets_a_lock(ids: Any, old: str, new: str) -> int:  # noqa: ANN401
            tried.append(tuple(ids))
            if 7 in ids:
                raise DatabaseTrouble(Trouble.BUSY, "1205", "Lock wait timeout exceeded")
            return flip(ids, old, new)

        database.flip = meets_a_lock  # type: ignore[method-assign]
        return database

    result = operator.flips(wrap=wrap)
    assert (result.flipped, result.refused) == (7, {"locked": 1})
    assert tried == [(1, 2, 3, 4, 5, 6, 7, 8), (1, 2, 3, 4), (5, 6, 7, 8), (5, 6), (7, 8), *[(7,)] * TRIES_ROW, (8,)]
    assert len([event for event in operator.events if isinstance(event, Throttled)]) == 5, "each time with a pause"


@pytest.mark.parametrize("moment", ["before", "after"], ids=["before the update", "after the commit"])
def test_a_crash_in_a_batch_is_reconciled_by_asking_the_rows(operator: Operator, moment: str) -> None:
    operator.book.enter(*operator.application.add_many(range(1, 10)))
    before = operator.application.table()
    with pytest.raises(Killed):
        operator.flips(batch_size=3, wrap=around("flip", **{moment: at_call(2, dies)}))
    assert [batch.number for batch in operator.journal.unsettled()] == [2]

    result = operator.flips(batch_size=3)

    changed = 3 if moment == "before" else 6
    assert result.flipped == 9 - changed
    notes = [event.text for event in operator.events if isinstance(event, Note)]
    assert notes == [f"batch 2 of run 1 had been cut short: {changed - 3} of its 3 rows were changed"]
    assert operator.journal.unsettled() == []
    assert set(operator.application.names().values()) == {"azure"}
    assert [run.flipped for run in operator.journal.runs()] == [changed, 9 - changed]
    operator.undoes("2")
    operator.undoes("1")
    assert operator.application.table() == before


def test_an_undo_that_is_killed_is_reconciled_and_finished_by_the_next_one(operator: Operator) -> None:
    operator.book.enter(*operator.application.add_many(range(1, 5)), *operator.application.add_many([8, 9], "mirror"))
    before = operator.application.table()
    operator.flips(from_services=("amazon", "mirror"))
    with pytest.raises(Killed):
        operator.undoes(batch_size=4, wrap=around("flip", after=at_call(1, dies)))
    with pytest.raises(Killed):
        operator.undoes(batch_size=4, wrap=around("flip", before=at_call(1, dies)))
    assert operator.undoes().flipped == 2
    assert operator.application.table() == before


def test_a_commit_whose_answer_was_lost_counts_as_flipped(operator: Operator) -> None:
    operator.book.enter(*operator.application.add_many(range(1, 5)))
    result = operator.flips(wrap=around("flip", after=at_call(1, loses_the_connection)))
    assert (result.flipped, result.refused) == (4, {})
    assert set(operator.application.names().values()) == {"azure"}
    assert operator.journal.count_to_undo(1) == 4


def test_a_database_that_goes_away_in_an_update_gets_the_time_of_a_fail_over(operator: Operator) -> None:
    operator.book.enter(*operator.application.add_many(range(1, 5)))

    def away(call: int) -> None:
        if call < 9:
            loses_the_connection()

    result = operator.flips(wrap=around("flip", before=away))

    assert (result.flipped, result.refused) == (4, {})
    assert sum(operator.slept) > 20


def test_a_connection_that_never_comes_back_ends_the_run_and_the_next_one_settles_it(operator: Operator) -> None:
    operator.book.enter(*operator.application.add_many(range(1, 5)))
    with pytest.raises(UsageError) as raised:
        operator.flips(wrap=around("flip", after=lambda _call: loses_the_connection()))
    assert raised.value.code == "E000-DATABASE"
    assert operator.journal.runs()[0].summary == {"error": "E000-DATABASE", "version": __version__}
    assert operator.flips().rows == 0
    assert operator.journal.count_to_undo(1) == 4


def test_after_a_lost_connection_another_server_is_not_written_to(operator: Operator) -> None:
    operator.book.enter(*operator.application.add_many(range(1, 5)))
    before = operator.application.table()

    def wrap(database: RailsDatabase) -> RailsDatabase:
        facts, answers = database.facts, [0]

        def other_after_the_first() -> ServerFacts:
            answers[0] += 1
            return facts() if answers[0] == 1 else replace(facts(), identity="the standby")

        database.facts = other_after_the_first  # type: ignore[method-assign]
        return around("flip", before=at_call(1, loses_the_connection))(database)

    with pytest.raises(RefusedError) as raised:
        operator.flips(wrap=wrap)
    assert raised.value.code == "E412-SERVER"
    assert operator.application.table() == before


def test_the_journal_of_another_server_is_not_used(operator: Operator) -> None:
    operator.book.enter(*operator.application.add_many([1, 2]))
    operator.flips()

    def elsewhere(database: RailsDatabase) -> RailsDatabase:
        facts = database.facts
        database.facts = lambda: replace(facts(), identity="staging")  # type: ignore[method-assign]
        return database

    with pytest.raises(RefusedError) as raised:
        operator.undoes(wrap=elsewhere)
    assert raised.value.code == "E412-SERVER"
    assert set(operator.application.names().values()) == {"azure"}


@pytest.mark.parametrize("role", [{"read_only": True}, {"replica": True}], ids=["read-only", "replica"])
def test_a_server_in_the_wrong_role_is_refused_and_the_dry_run_says_so(
    operator: Operator, role: dict[str, bool]
) -> None:
    operator.book.enter(*operator.application.add_many([1]))

    def wrap(database: RailsDatabase) -> RailsDatabase:
        facts = database.facts
        database.facts = lambda: replace(facts(), **role)  # type: ignore[method-assign, arg-type]
        return database

    operator.flips(dry_run=True, wrap=wrap)
    assert any(isinstance(event, Note) and "the real run will refuse" in event.text for event in operator.events)
    with pytest.raises(RefusedError) as raised:
        operator.flips(wrap=wrap)
    assert raised.value.code in ("E412-READ-ONLY", "E412-REPLICA")
    assert operator.application.names() == {1: "amazon"}


def test_only_one_flip_runs_at_a_time(operator: Operator) -> None:
    operator.book.enter(*operator.application.add_many([1]))
    with operator.application.database() as other:
        other.lock()
        with pytest.raises(HeldError) as raised:
            operator.flips()
        assert raised.value.code == "E409-FLIP"
        assert operator.application.names() == {1: "amazon"}
    assert operator.flips().flipped == 1


class TestOnServers:
    """What a file has no counterpart for."""

    @pytest.fixture(autouse=True)
    def _servers_only(self, operator: Operator) -> None:
        if operator.application.server.kind == "sqlite":
            pytest.skip("SQLite has no row locks and no connections to cut")

    def test_a_cut_connection_is_made_again_with_settings_and_lock(self, operator: Operator) -> None:
        application = operator.application
        operator.book.enter(*application.add_many(range(1, 7)))
        cut = around("flip", before=at_call(2, lambda: kill_connections(application)))
        locked: list[bool] = []

        def is_locked() -> None:
            with application.database() as other, pytest.raises(HeldError):
                other.lock()
            locked.append(True)

        result = operator.flips(
            batch_size=2, wrap=lambda database: around("flip", before=at_call(4, is_locked))(cut(database))
        )

        assert result.flipped == 6
        assert locked == [True]
        assert any(isinstance(event, Throttled) and event.side == "database" for event in operator.events)

    def test_inserts_are_not_blocked_while_a_flip_transaction_is_open(self, operator: Operator) -> None:
        """REPEATABLE READ would hold the gap behind the newest row until the commit."""
        application = operator.application
        operator.book.enter(*application.add_many(range(1, 9)))
        if application.server.kind != "postgresql":
            application.execute("SET SESSION innodb_lock_wait_timeout = 1")
        born: list[int] = []

        def insert(connection: Connection) -> None:
            seen = connection.exec_driver_sql("SELECT service_name FROM active_storage_blobs")
            if not born and "azure" in seen.scalars():
                born.append(100)
                application.add(100, "born meanwhile")

        def wrap(database: RailsDatabase) -> RailsDatabase:
            event.listen(database._engine, "commit", insert)
            return database

        result = operator.flips(wrap=wrap, limit=8)
        assert born == [100]
        assert (result.flipped, result.remaining) == (8, 1)

    def test_a_row_that_stays_locked_is_left_out_and_the_others_are_flipped(self, operator: Operator) -> None:
        application = operator.application
        operator.book.enter(*application.add_many(range(1, 5)))
        other = application.server.connect(application.url)
        short = "SET lock_timeout = '50ms'"
        if application.server.kind != "postgresql":
            short = "SET SESSION innodb_lock_wait_timeout = 1"

        def impatient(database: RailsDatabase) -> RailsDatabase:
            with database._transaction() as connection:
                connection.exec_driver_sql(short)
            return database

        try:
            application.execute("BEGIN", connection=other)
            application.execute("SELECT 1 FROM active_storage_blobs WHERE id = 3 FOR UPDATE", connection=other)
            result = operator.flips(batch_size=2, wrap=impatient)
        finally:
            other.close()
        assert (result.flipped, result.refused) == (3, {"locked": 1})
        assert result.examples == {"locked": ("3 file-3",)}
        assert [row for row, name in application.names().items() if name == "amazon"] == [3]
        assert operator.flips().flipped == 1

    def test_a_user_without_the_right_to_update_is_told_which_grant_is_missing(self, operator: Operator) -> None:
        application = operator.application
        operator.book.enter(*application.add_many([1]))
        application.execute("DROP USER IF EXISTS reader")
        application.execute("CREATE USER reader IDENTIFIED BY 'secret'" if application.server.kind != "postgresql"
                            else "CREATE USER reader PASSWORD 'secret'")  # fmt: skip
        application.execute("GRANT SELECT ON active_storage_blobs TO reader")
        login, place = application.url.split("@", 1)
        application.url = f"{login.split('://', 1)[0]}://reader:secret@{place}"
        try:
            with pytest.raises(BlobmoveError) as raised:
                operator.flips()
            assert raised.value.code == "E403-DATABASE"
            assert "UPDATE (service_name)" in str(raised.value.hint)
            operator.flips(dry_run=True)
            assert any(isinstance(event, Note) and "may not" in event.text for event in operator.events)
            application.execute("GRANT UPDATE (service_name) ON active_storage_blobs TO reader")
            assert operator.flips().flipped == 1
        finally:
            application.execute("REVOKE ALL ON active_storage_blobs FROM reader")
            application.execute("DROP USER reader")

    def test_a_read_only_server_is_recognised(self, operator: Operator) -> None:
        application = operator.application
        operator.book.enter(*application.add_many([1]))
        on = "SET GLOBAL read_only = 1"
        if application.server.kind == "postgresql":
            ((name,),) = application.execute("SELECT current_database()")
            on = f"ALTER DATABASE {name} SET default_transaction_read_only = on"
        try:
            application.execute(on)
            with pytest.raises(RefusedError) as raised:
                operator.flips()
        finally:
            if application.server.kind != "postgresql":
                application.execute("SET GLOBAL read_only = 0")
        assert raised.value.code == "E412-READ-ONLY"
        assert application.names() == {1: "amazon"}
