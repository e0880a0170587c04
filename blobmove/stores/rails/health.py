"""How a database server feels: how far replicas are behind, how many threads run. Seconds; None is "cannot tell".

Sources: MySQL manual "SHOW REPLICA STATUS"; MariaDB keeps the name Seconds_Behind_Master in all forms (tried, 10.11),
and NULL stands there while the SQL thread is stopped (tried); PostgreSQL manual "pg_stat_replication".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from blobmove.core.errors import AccessError, UsageError
from blobmove.stores.rails.faults import read_code

if TYPE_CHECKING:
    from sqlalchemy import Connection

REPLICA_STATUS: Final = ("SHOW ALL SLAVES STATUS", "SHOW REPLICA STATUS", "SHOW SLAVE STATUS")
"""MariaDB with all its sources; MySQL 8.0.22 and newer; older MySQL."""
_UNKNOWN_WORDS: Final = frozenset({"1064", "1295"})
_BEHIND: Final = ("seconds_behind_source", "seconds_behind_master")

_STANDBY: Final = (
    "SELECT pg_is_in_recovery(), CASE"
    " WHEN NOT EXISTS (SELECT 1 FROM pg_stat_wal_receiver) OR pg_is_wal_replay_paused() THEN NULL"
    " WHEN pg_last_wal_receive_lsn() <= pg_last_wal_replay_lsn() THEN 0"
    " ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) END"
)
_STANDBYS: Final = (
    "SELECT coalesce(nullif(application_name, ''), 'standby') || ' ' || coalesce(host(client_addr), 'local'),"
    " CASE WHEN replay_lsn >= pg_current_wal_lsn() THEN 0 ELSE extract(epoch FROM replay_lag) END"
    " FROM pg_stat_replication"
)
_BACKENDS: Final = (
    "SELECT count(*) FILTER (WHERE state = 'active' AND backend_type = 'client backend'),"
    " count(*) FILTER (WHERE state IS NULL AND usename IS NOT NULL AND backend_type IS NULL) FROM pg_stat_activity"
)


def replica_lag(dialect: str, connection: Connection, where: str) -> float | None:
    """How far the server at hand is behind the one it follows. Raises UsageError E400-REPLICA when it follows none."""
    follows, lag = _postgres_lag(connection) if dialect == "postgresql" else _mysql_lag(connection)
    if not follows:
        raise UsageError("E400-REPLICA", f"{where} is no replica: it follows no other server",
                         hint="in the file of --replica-url-file, name the replicas, one URL a line")
    return lag


def _postgres_lag(connection: Connection) -> tuple[bool, float | None]:
    follows, lag = connection.execute(text(_STANDBY)).one()
    return bool(follows), _seconds(lag)


def _mysql_lag(connection: Connection) -> tuple[bool, float | None]:
    for number, statement in enumerate(REPLICA_STATUS, start=1):
        try:
            rows = [dict(row) for row in connection.execute(text(statement)).mappings()]
        except DBAPIError as error:
            if read_code(error)[0] not in _UNKNOWN_WORDS or number == len(REPLICA_STATUS):
                raise
        else:
            return bool(rows), worst([_behind(row) for row in rows])
    raise AssertionError("one of the statements has answered or raised")


def _behind(row: dict[str, Any]) -> float | None:
    """By name, since MariaDB and MySQL have it in other places. RDS says -1 where nothing replicates."""
    folded = {str(name).lower(): value for name, value in row.items()}
    lag = _seconds(next((folded[name] for name in _BEHIND if name in folded), None))
    return None if lag is None or lag < 0 else lag


def worst(lags: list[float | None]) -> float | None:
    """The greatest of several sources' lags; unknown as soon as one is."""
    known = [lag for lag in lags if lag is not None]
    return max(known) if known and len(known) == len(lags) else None


def standby_lags(dialect: str, connection: Connection) -> dict[str, float | None] | None:
    """What the writer knows of its replicas, by name; None where it cannot know (all but PostgreSQL)."""
    if dialect != "postgresql":
        return None
    return {str(name): _seconds(lag) for name, lag in connection.execute(text(_STANDBYS))}


def threads_running(dialect: str, connection: Connection, where: str) -> int:
    """Statements executed now, ours included. Raises AccessError E403-DATABASE, UsageError E400-USAGE."""
    if dialect == "mysql":
        row = connection.execute(text("SHOW GLOBAL STATUS LIKE 'Threads_running'")).one()
        return int(row[1])
    if dialect == "postgresql":
        active, hidden = connection.execute(text(_BACKENDS)).one()
        if hidden:
            raise AccessError("E403-DATABASE", f"the user of {where} may not see what other sessions do",
                              hint="GRANT pg_monitor TO this user, or go without --max-threads-running")
        return int(active)
    raise UsageError("E400-USAGE", "SQLite has no threads to count", hint="leave --max-threads-running out")


def one_number(connection: Connection, sql: str) -> float | None:
    """The one number a query of the operator's answers; None for NULL or no row. Raises UsageError E400-LAG."""
    row = connection.exec_driver_sql(sql.replace("%", "%%")).first()
    try:
        return None if row is None else _seconds(row[0])
    except (TypeError, ValueError):
        raise UsageError("E400-LAG", f"--lag-query answers {row[0]!r}, which is no number of seconds",  # type: ignore[index]
                         hint="SELECT one number, or NULL to wait") from None


def _seconds(value: Any) -> float | None:  # noqa: ANN401 - whatever a driver returns
    return None if value is None else float(value)
