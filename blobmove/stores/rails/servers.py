"""What differs between MySQL/MariaDB, PostgreSQL and SQLite: session, exact comparison, lock, identity, role.

Sources: reference of the Rails side, sections 4.3 to 4.8 (tried on MariaDB 10.11, MySQL 9.7, PostgreSQL 15).
"""

from __future__ import annotations

import os
import sqlite3
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from sqlalchemy import BINARY, ColumnElement, String, cast, collate, func, literal, literal_column, select, text
from sqlalchemy.exc import DBAPIError

from blobmove.stores.rails.health import REPLICA_STATUS

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from blobmove.stores.rails.url import DatabaseUrl

LOCK_WAIT_SECONDS: Final = 1
"""The shortest that MySQL knows. While an UPDATE waits for a row that somebody holds, it keeps the rows it has locked
already from the application: with 5 seconds writers of other rows waited for 5 seconds each time, with 1 for 1
(MariaDB 10.11, one row of 2,000 held for 12 seconds)."""
METADATA_WAIT_SECONDS: Final = 10


class Server(Protocol):
    """One kind of database server. The methods that ask may send several statements, each a transaction by itself."""

    session: tuple[str, ...]
    """Statements for each new connection."""
    script: tuple[str, ...]
    """Those of them that an UPDATE needs."""
    dry_update: str
    """A prefix that has the server check the right to UPDATE without doing it; "" where there is none."""

    def exact(self, column: str) -> ColumnElement[Any]:
        """The column as something whose `=` compares bytes, whatever its collation."""
        ...

    def exact_value(self, value: str) -> ColumnElement[Any] | str:
        """The other side of that comparison."""
        ...

    def groups(self, column: str) -> tuple[ColumnElement[Any], ...]:
        """What to group rows by so that only equal bytes come together; the first is the column itself."""
        ...

    def bound(self, value: str) -> str | bytes:
        """The same as a parameter for the driver."""
        ...

    def quoted(self, value: str) -> str:
        """A string literal for a statement that a person will read or run."""
        ...

    def identity(self, connection: Connection) -> str: ...

    def read_only(self, connection: Connection) -> bool: ...

    def replica(self, connection: Connection) -> bool | None:
        """Whether it replicates from another server; None where we may not ask."""
        ...

    def position(self, connection: Connection) -> str | None:
        """Binlog or WAL position; None where we may not ask or there is none."""
        ...

    def lock(self, connection: Connection) -> bool:
        """Take the one lock of the flip, without waiting; it is gone with the connection."""
        ...

    def unlock(self, connection: Connection) -> None: ...


class MySQL:
    """MySQL 5.7 to 9.x and MariaDB."""

    script: tuple[str, ...] = (
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",  # else a range blocks every INSERT of a blob
        f"SET SESSION innodb_lock_wait_timeout = {LOCK_WAIT_SECONDS}",
        f"SET SESSION lock_wait_timeout = {METADATA_WAIT_SECONDS}",
    )
    session: tuple[str, ...] = (*script, "SET SESSION group_concat_max_len = 16777216")  # a page of rows in one value
    dry_update = "EXPLAIN "

    def __init__(self, url: DatabaseUrl) -> None:
        self._lock = f"blobmove_flip_{_fingerprint(url.database):016x}"  # names are the server's, not the database's
        self._positions = ["SHOW BINARY LOG STATUS", "SHOW MASTER STATUS"]  # what this server knows comes first

    def exact(self, column: str) -> ColumnElement[Any]:
        # utf8mb4_bin would still ignore trailing spaces; binary strings do not.
        return literal_column(f"CAST(CONVERT({column} USING utf8mb4) AS BINARY)", BINARY())

    def exact_value(self, value: str) -> ColumnElement[Any]:
        return cast(literal(value, String()), BINARY())

    def groups(self, column: str) -> tuple[ColumnElement[Any], ...]:
        """As the collation has it, and a checksum of the bytes beside it. Binary strings themselves are kept in a
        table on disk: four times as slow (MariaDB 10.11)."""
        return literal_column(column), literal_column(f"CRC32(CONVERT({column} USING utf8mb4))")

    def bound(self, value: str) -> bytes:
        return value.encode()

    def quoted(self, value: str) -> str:
        return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"

    def identity(self, connection: Connection) -> str:
        uuid = _first(connection, "SELECT @@server_uuid")  # not on MariaDB
        return str(uuid or _first(connection, "SELECT CONCAT(@@hostname, ':', @@port, '#', @@server_id)"))

    def read_only(self, connection: Connection) -> bool:
        value = connection.scalar(text("SELECT @@global.read_only"))
        return str(value).lower() not in ("0", "off")

    def replica(self, connection: Connection) -> bool | None:
        for statement in REPLICA_STATUS:  # with all sources first: MariaDB's other words leave out those with a name
            try:
                return connection.execute(text(statement)).first() is not None
            except DBAPIError as error:  # another word on this version, or no right to ask
                _raise_if_lost(error)
        running = connection.execute(text("SHOW GLOBAL STATUS LIKE 'Slaves_running'")).first()
        return True if running and int(running[1]) else None  # MariaDB tells anyone; but not of one that stands still

    def position(self, connection: Connection) -> str | None:
        for statement in tuple(self._positions):
            try:
                row = connection.execute(text(statement)).first()
            except DBAPIError as error:
                _raise_if_lost(error)
            else:
                self._positions.sort(key=lambda one: one != statement)
                return f"{row[0]}:{row[1]}" if row else None
        return None

    def lock(self, connection: Connection) -> bool:
        return bool(connection.scalar(text("SELECT GET_LOCK(:name, 0)"), {"name": self._lock}) == 1)

    def unlock(self, connection: Connection) -> None:
        connection.execute(text("SELECT RELEASE_LOCK(:name)"), {"name": self._lock})


class PostgreSQL:
    """PostgreSQL 13 and newer."""

    dry_update = "EXPLAIN "

    def __init__(self, url: DatabaseUrl) -> None:
        self.session: tuple[str, ...] = (
            "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED",
            f"SET lock_timeout = '{LOCK_WAIT_SECONDS}s'",
            "SET statement_timeout = '120s'",
            "SET idle_in_transaction_session_timeout = '60s'",
        )
        path = url.option("schema_search_path")
        if path:
            schemas = ", ".join('"' + name.strip().strip('"').replace('"', '""') + '"' for name in path.split(","))
            self.session += (f"SET search_path TO {schemas}",)
        self.script: tuple[str, ...] = self.session
        self._lock = _fingerprint("blobmove flip")

    def exact(self, column: str) -> ColumnElement[Any]:
        return collate(literal_column(column), "C")

    def exact_value(self, value: str) -> str:
        return value

    def groups(self, column: str) -> tuple[ColumnElement[Any], ...]:
        return (self.exact(column),)

    def bound(self, value: str) -> str:
        return value

    def quoted(self, value: str) -> str:
        return "'" + value.replace("'", "''") + "'"

    def identity(self, connection: Connection) -> str:
        known = _first(connection, "SELECT system_identifier FROM pg_control_system()")
        if known is None:
            known = _first(connection, "SELECT host(inet_server_addr()) || ':' || inet_server_port()")
        return f"{known}/{connection.scalar(text('SELECT current_database()'))}"

    def read_only(self, connection: Connection) -> bool:
        return bool(connection.scalar(text("SHOW transaction_read_only")) == "on")

    def replica(self, connection: Connection) -> bool | None:
        return bool(connection.scalar(text("SELECT pg_is_in_recovery()")))

    def position(self, connection: Connection) -> str | None:
        return _first(connection, "SELECT CAST(pg_current_wal_lsn() AS text)")

    def lock(self, connection: Connection) -> bool:
        return bool(connection.scalar(select(func.pg_try_advisory_lock(self._lock))))

    def unlock(self, connection: Connection) -> None:
        connection.execute(select(func.pg_advisory_unlock(self._lock)))


class SQLite:
    """A file on this machine."""

    session: tuple[str, ...] = ()
    script: tuple[str, ...] = ()
    dry_update = ""

    def __init__(self, url: DatabaseUrl) -> None:
        self._path = Path(url.database).absolute()
        self._held: sqlite3.Connection | None = None

    def exact(self, column: str) -> ColumnElement[Any]:
        return collate(literal_column(column), "BINARY")

    def exact_value(self, value: str) -> str:
        return value

    def groups(self, column: str) -> tuple[ColumnElement[Any], ...]:
        return (self.exact(column),)

    def bound(self, value: str) -> str:
        return value

    def quoted(self, value: str) -> str:
        return "'" + value.replace("'", "''") + "'"

    def identity(self, connection: Connection) -> str:
        return f"sqlite3:{self._path}"

    def read_only(self, connection: Connection) -> bool:
        """SQLite writes a journal beside the file, so the folder counts as well."""
        return not (os.access(self._path, os.W_OK) and os.access(self._path.parent, os.W_OK))

    def replica(self, connection: Connection) -> bool | None:
        return False

    def position(self, connection: Connection) -> str | None:
        return None

    def lock(self, connection: Connection) -> bool:
        """An exclusive transaction in a file beside the database: holding one in the database would stop the app.

        The file is left behind on purpose: removing it would let two runs hold two files of one name.
        """
        if self._held is not None:
            return True
        held = sqlite3.connect(f"{self._path}-blobmove-flip", timeout=0, isolation_level=None)
        try:
            held.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            held.close()
            return False
        self._held = held
        return True

    def unlock(self, connection: Connection) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None


def server_of(url: DatabaseUrl) -> Server:
    """The peculiarities of the server that the URL names."""
    if url.dialect == "mysql":
        return MySQL(url)
    return PostgreSQL(url) if url.dialect == "postgresql" else SQLite(url)


def _first(connection: Connection, statement: str) -> str | None:
    """The one value of a statement that may be unknown or forbidden here: then None."""
    try:
        value = connection.scalar(text(statement))
    except DBAPIError as error:
        _raise_if_lost(error)
        return None
    return None if value is None else str(value)


def _raise_if_lost(error: DBAPIError) -> None:
    if error.connection_invalidated:
        raise error


def _fingerprint(name: str) -> int:
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big") >> 1
