"""What a server says of a flip to come, by SELECT, SHOW and EXPLAIN: the plan, the settings, the grants, the log."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from blobmove.core.flipping import Outlook
from blobmove.stores.rails.table import BLOBS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from blobmove.stores.rails.statements import Statement

_SETTINGS: Final = {
    "mysql": ("transaction_isolation", "tx_isolation", "innodb_lock_wait_timeout", "lock_wait_timeout", "autocommit",
              "binlog_format", "binlog_row_image", "log_bin", "sync_binlog", "innodb_flush_log_at_trx_commit",
              "read_only", "version"),
    "postgresql": ("transaction_isolation", "lock_timeout", "statement_timeout", "transaction_read_only",
                   "synchronous_commit", "wal_level", "server_version"),
    "sqlite": (),
}
FULL_IMAGE_BYTES: Final = 370
MINIMAL_IMAGE_BYTES: Final = 16
WAL_BYTES: Final = 770
"""Of one changed row in the binary log (row image FULL, MINIMAL) or the WAL. Source of the first two: reference of the
Rails side, section 4.2; an image holds the row twice (194 bytes were measured on MariaDB 10.11 with short file names
and no metadata). The last was measured on PostgreSQL 15 with 100,000 rows of 300,000 in batches of 2,500, right after a
checkpoint: 768 with the images of pages, which a flip mostly is the first to touch; 375 without them."""


def outlook_of(dialect: str, connection: Connection, database: str, statement: Statement) -> Outlook:
    """Ask; where the server does not say, the field stays empty."""
    session = _session(dialect, connection)
    grants = _grants(dialect, connection)
    return Outlook(
        explain=_explain(dialect, connection, statement),
        session=tuple(session.items()),
        grants=grants,
        missing=_missing(dialect, connection, grants, database),
        bytes_a_row=_bytes_a_row(dialect, session),
    )


def _session(dialect: str, connection: Connection) -> dict[str, str]:
    if dialect == "mysql":
        names = ", ".join(f"'{name}'" for name in _SETTINGS["mysql"])
        rows = connection.execute(text(f"SHOW SESSION VARIABLES WHERE Variable_name IN ({names})"))
        return {str(name): str(value) for name, value in rows}
    if dialect == "postgresql":
        return {name: str(connection.scalar(text(f"SHOW {name}"))) for name in _SETTINGS["postgresql"]}
    return {}


def _explain(dialect: str, connection: Connection, statement: Statement) -> tuple[str, ...]:
    """Of the UPDATE itself: it is planned, not run. () where the right to update is missing or nothing may change.

    MySQL 9's own format is one column of prose, therefore TRADITIONAL; MariaDB does not know that word.
    """
    sql, values = statement
    words = {"mysql": ("EXPLAIN FORMAT=TRADITIONAL", "EXPLAIN"), "sqlite": ("EXPLAIN QUERY PLAN",)}
    for word in words.get(dialect, ("EXPLAIN",)):
        try:
            rows = connection.exec_driver_sql(f"{word} {sql}", values).mappings().all()
        except DBAPIError as error:
            if error.connection_invalidated:
                raise
        else:
            return tuple(_step(dialect, dict(row)) for row in rows)
    return ()


def _step(dialect: str, row: dict[str, object]) -> str:
    if dialect != "mysql":
        return str(list(row.values())[-1])
    return " ".join(f"{name}={value}" for name, value in row.items() if value is not None)


def _grants(dialect: str, connection: Connection) -> tuple[str, ...]:
    """As the server words them; without the password hash that MariaDB prints with the first."""
    if dialect == "mysql":
        rows = connection.execute(text("SHOW GRANTS"))
        return tuple(re.sub(r" IDENTIFIED .*", "", str(row[0])) for row in rows)
    if dialect == "postgresql":
        rows = connection.execute(text(
            "SELECT privilege_type || ' (' || string_agg(column_name, ', ' ORDER BY column_name) || ')'"
            " FROM information_schema.column_privileges WHERE table_name = :table"
            " AND grantee IN (SELECT rolname FROM pg_roles WHERE pg_has_role(oid, 'USAGE') UNION SELECT 'PUBLIC')"
            " GROUP BY privilege_type ORDER BY privilege_type"), {"table": BLOBS})
        return tuple(str(row[0]) for row in rows)
    return ()


def _missing(dialect: str, connection: Connection, grants: Sequence[str], database: str) -> tuple[str, ...]:
    """Of SELECT and UPDATE (service_name). SELECT is there, or nobody would have come so far."""
    if dialect == "postgresql":
        may = connection.scalar(text(f"SELECT has_column_privilege('{BLOBS}', 'service_name', 'UPDATE')"))
        return () if may else ("UPDATE (service_name)",)
    if dialect == "mysql" and not any(_allows_update(grant, database) for grant in grants):
        roles = any(re.match(r"GRANT [`'\w]+(@\S+)? TO ", grant) for grant in grants)
        return () if roles else ("UPDATE (service_name)",)  # what a role may do stands in no line of these
    return ()


def _allows_update(grant: str, database: str) -> bool:
    found = re.match(r"GRANT (?P<rights>.+) ON (?P<place>\S+) TO ", grant)
    if found is None:
        return False
    place = found["place"].replace("`", "").replace("\\", "")
    if place not in ("*.*", f"{database}.*", f"{database}.{BLOBS}"):
        return False
    rights = found["rights"].replace("`", "").upper()
    return bool(re.search(r"ALL PRIVILEGES|\bUPDATE(?! \()|\bUPDATE \([^)]*\bSERVICE_NAME\b", rights))


def _bytes_a_row(dialect: str, session: dict[str, str]) -> int:
    if dialect == "postgresql":
        return WAL_BYTES
    if dialect == "mysql" and session.get("log_bin", "").upper() in ("ON", "1"):
        return MINIMAL_IMAGE_BYTES if session.get("binlog_row_image") == "MINIMAL" else FULL_IMAGE_BYTES
    return 0
