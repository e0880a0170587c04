"""The flip obeys replicas: it waits while one is behind or stands still, says so, and goes on afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from blobmove.core.errors import AccessError, UsageError
from blobmove.core.events import Note
from blobmove.stores.rails.database import RailsDatabase
from blobmove.stores.rails.replicas import ReplicaDatabase
from tests.database.application import Operator, states
from tests.database.conftest import MakeOperator
from tests.database.test_flip_trouble import around, at_call
from tests.servers.databases import MySQLServer, PostgreSQLServer
from tests.servers.replicas import MariaDbReplica, mariadb_replica, postgresql_standby, until

pytestmark = pytest.mark.database


def flipped(operator: Operator) -> int:
    return sum(name == "azure" for name in operator.application.names().values())


@pytest.fixture(scope="module")
def replica(mariadb_server: MySQLServer) -> Iterator[MariaDbReplica]:
    with mariadb_replica(mariadb_server) as found:
        yield found


@pytest.fixture(scope="module")
def standby(postgresql_server: PostgreSQLServer) -> Iterator[PostgreSQLServer]:
    with postgresql_standby(postgresql_server) as found:
        yield found


@pytest.mark.parametrize("server", ["mariadb"], indirect=True)
class TestMariaDb:
    @pytest.fixture
    def operator(self, make_operator: MakeOperator, replica: MariaDbReplica) -> Operator:
        """Two rows a batch, one replica, everything looked at before each batch."""
        replica.follow()
        operator = make_operator()
        operator.book.enter(*operator.application.add_many(range(1, 7)))
        operator.tick = 1.0
        replica.caught_up()
        return operator

    def test_it_stops_at_the_lag_and_goes_on_after_it(self, operator: Operator, replica: MariaDbReplica) -> None:
        holder = replica.server._admin()
        seen: list[int] = []
        with ReplicaDatabase(replica.url(operator.application.url)) as door:
            operator.replicas = [door]

            def falls_behind() -> None:
                until(lambda: (door.lag() or 0) >= 2)

            def asleep() -> None:
                seen.append(flipped(operator))
                if len(seen) == 3:
                    holder.close()
                    replica.caught_up()

            holder.cursor().execute("FLUSH TABLES WITH READ LOCK")
            operator.while_asleep = asleep
            result = operator.flips(
                wrap=around("flip", after=at_call(1, falls_behind)), batch_size=2, sleep_ratio=0.0, max_lag=1.0
            )
        assert result.flipped == 6
        assert seen[:3] == [2, 2, 2]  # on a slow machine it may fall behind once more
        waits = [state for state in states(operator) if state.startswith("waiting")]
        assert len(waits) == len(seen)
        assert all("s behind (--max-lag 1)" in state and f":{replica.server.port}" in state for state in waits)

    def test_a_replica_that_stands_still_is_waited_for(self, operator: Operator, replica: MariaDbReplica) -> None:
        replica.execute("STOP SLAVE SQL_THREAD")
        seen: list[int] = []

        def asleep() -> None:
            seen.append(flipped(operator))
            if len(seen) == 3:
                replica.execute("START SLAVE SQL_THREAD")
                replica.caught_up()

        operator.while_asleep = asleep
        with ReplicaDatabase(replica.url(operator.application.url)) as door:
            assert door.lag() is None
            operator.replicas = [door]
            assert operator.flips(batch_size=2, sleep_ratio=0.0, max_lag=30.0).flipped == 6
        assert seen == [0, 0, 0]
        assert sum("is unknown (replication stopped, or no answer)" in state for state in states(operator)) == 3

    def test_a_stopped_replica_keeps_the_operator_s_stop_within_reach(
        self, operator: Operator, replica: MariaDbReplica
    ) -> None:
        replica.execute("STOP SLAVE SQL_THREAD")
        operator.stop = lambda: len(operator.slept) >= 2
        with ReplicaDatabase(replica.url(operator.application.url)) as door:
            operator.replicas = [door]
            result = operator.flips(batch_size=2)
        assert (result.flipped, result.remaining, result.stopped) == (0, 6, "interrupted")
        assert operator.journal.unsettled() == []

    def test_a_connection_to_the_replica_that_is_cut_is_made_again(
        self, operator: Operator, replica: MariaDbReplica
    ) -> None:
        def cut() -> None:
            for row in replica.execute("SELECT id FROM information_schema.processlist WHERE db IS NOT NULL"):
                replica.execute(f"KILL {row['id']}")

        with ReplicaDatabase(replica.url(operator.application.url)) as door:
            operator.replicas = [door]
            result = operator.flips(wrap=around("flip", after=at_call(1, cut)), batch_size=2, sleep_ratio=0.0)
        assert result.flipped == 6
        assert [state for state in states(operator) if "is unknown" in state] != []

    def test_a_query_of_the_operator_s_is_asked_on_the_replica(
        self, operator: Operator, replica: MariaDbReplica
    ) -> None:
        query = "SELECT IF(@@server_id = 8, 0.25, 99)"
        with ReplicaDatabase(replica.url(operator.application.url)) as door:
            operator.replicas = [door]
            assert operator.flips(lag_query=query, max_lag=0.5).flipped == 6

    def test_the_replica_itself_is_not_written_to_unless_told(
        self, operator: Operator, replica: MariaDbReplica
    ) -> None:
        replica.execute("SET GLOBAL read_only = 0")
        try:
            with ReplicaDatabase(replica.url(operator.application.url)) as door:
                assert door.lag() == 0
            from tests.database.application import Application

            there = Operator(Application(replica.server, replica.url(operator.application.url), "bigint"))
            there.book = operator.book
            with pytest.raises(Exception, match="is itself a replica") as raised:
                there.flips()
            assert getattr(raised.value, "code", "") == "E412-REPLICA"
            assert flipped(there) == 0
            there.close()
        finally:
            replica.execute("SET GLOBAL read_only = 1")

    @pytest.mark.parametrize("named", [False, True], ids=["its only source", "a source with a name"])
    def test_a_replica_is_recognised_by_whoever_asks(self, operator: Operator, named: bool) -> None:
        """MariaDB's SHOW REPLICA STATUS is silent on sources that have a name."""
        application, source = operator.application, "'other'" if named else ""
        application.execute("CREATE OR REPLACE USER modest IDENTIFIED BY 'secret'")
        application.execute("GRANT SELECT, UPDATE (service_name) ON active_storage_blobs TO modest")
        place = application.url.split("@", 1)[1]
        url = f"mysql2://modest:secret@{place}"
        try:
            application.execute(f"CHANGE MASTER {source} TO master_host = '127.0.0.1', master_port = 1,"
                                " master_user = 'nobody'")
            with application.database() as table:
                assert table.facts().replica is True
            with RailsDatabase.from_text(url) as table:
                assert table.facts().replica is None, "one that stands still shows only to those who may look"
            application.execute(f"START SLAVE {source}")
            with RailsDatabase.from_text(url) as table:
                until(lambda: table.facts().replica is True)
        finally:
            application.execute(f"STOP SLAVE {source}")
            application.execute(f"RESET SLAVE {source} ALL")
            application.execute("DROP USER modest")

    def test_where_nobody_may_ask_the_role_the_operator_is_told(self, operator: Operator) -> None:
        application = operator.application
        application.execute("CREATE OR REPLACE USER modest IDENTIFIED BY 'secret'")
        application.execute("GRANT SELECT, UPDATE (service_name) ON active_storage_blobs TO modest")
        application.url = f"mysql2://modest:secret@{application.url.split('@', 1)[1]}"
        try:
            operator.flips(dry_run=True)
            operator.flips()
        finally:
            application.execute("DROP USER modest")
        told = [one.text for one in operator.events if isinstance(one, Note) and "is itself a replica" in one.text]
        assert len(told) == 2
        assert "SLAVE MONITOR" in told[0]

    def test_a_server_that_follows_nobody_is_no_replica(self, operator: Operator) -> None:
        with ReplicaDatabase(operator.application.url) as door:
            operator.replicas = [door]
            with pytest.raises(UsageError) as raised:
                operator.flips()
        assert raised.value.code == "E400-REPLICA"
        assert flipped(operator) == 0

    def test_a_user_who_may_not_ask_for_the_lag_is_told_the_grant(
        self, operator: Operator, replica: MariaDbReplica
    ) -> None:
        replica.execute("SET SESSION sql_log_bin = 0")
        replica.execute("CREATE OR REPLACE USER curious IDENTIFIED BY 'secret'")
        url = f"mysql2://curious:secret@127.0.0.1:{replica.server.port}/information_schema"
        with ReplicaDatabase(url) as door, pytest.raises(AccessError) as raised:
            door.lag()
        assert raised.value.code == "E403-REPLICA"
        assert "SLAVE MONITOR" in str(raised.value.hint)
        replica.execute("GRANT SLAVE MONITOR ON *.* TO curious")
        with ReplicaDatabase(url) as door:
            assert door.lag() == 0
        replica.execute("DROP USER curious")


@pytest.mark.parametrize("server", ["postgresql"], indirect=True)
class TestPostgreSql:
    @pytest.mark.parametrize("named", [True, False], ids=["asked on the standby", "asked on the writer"])
    def test_it_waits_while_the_standby_stands_still(
        self, make_operator: MakeOperator, standby: PostgreSQLServer, named: bool
    ) -> None:
        operator = make_operator()
        operator.book.enter(*operator.application.add_many(range(1, 7)))
        operator.tick = 1.0
        there = standby._admin("postgres")
        url = standby.url("postgres")
        seen: list[int] = []

        def lag() -> float | None:
            with operator.application.database() as database:
                return max((one or 99 for one in (database.standby_lags() or {}).values()), default=0)

        def stands_still() -> None:
            """The writer notices by what is not replayed: only after it has written something."""
            if not named:
                until(lambda: (lag() or 0) > 0.3)

        def asleep() -> None:
            seen.append(flipped(operator))
            if len(seen) == 2:
                there.execute("SELECT pg_wal_replay_resume()")
            if len(seen) > 2000:  # nobody really sleeps here, and the standby needs its time to catch up
                raise AssertionError(states(operator)[-1])

        with ReplicaDatabase(url) as door:
            until(lambda: door.lag() is not None and (door.lag() or 0) < 0.2)
            operator.replicas = [door] if named else []
            operator.while_asleep = asleep
            there.execute("SELECT pg_wal_replay_pause()")
            pause = around("flip", after=at_call(1, stands_still))
            if named:
                until(lambda: door.lag() is None)
            result = operator.flips(wrap=pause, batch_size=2, sleep_ratio=0.0, max_lag=0.2)
        there.close()
        assert result.flipped == 6
        assert len(seen) >= 2
        assert len(set(seen[:2])) == 1
        assert [state for state in states(operator) if state.startswith("waiting")] != []

    def test_a_standby_is_read_only_and_refused(
        self, make_operator: MakeOperator, standby: PostgreSQLServer
    ) -> None:
        operator = make_operator()
        with ReplicaDatabase(operator.application.url) as door, pytest.raises(UsageError) as raised:
            door.lag()
        assert raised.value.code == "E400-REPLICA"
