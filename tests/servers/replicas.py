"""A replica of a test's own server: MariaDB by its binary log, PostgreSQL by streaming."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.servers import databases
from tests.servers.databases import PASSWORD, USER, MySQLServer, PostgreSQLServer, missing

PATIENCE = 30.0


class MariaDbReplica:
    """Follows `primary` from where it stands now. `url` is for databases made from now on."""

    def __init__(self, primary: MySQLServer, port: int) -> None:
        self.server = MySQLServer("mariadb", "127.0.0.1", port, USER, PASSWORD)
        self._primary = primary

    def url(self, url: str) -> str:
        """The same database here."""
        return url.replace(f":{self._primary.port}/", f":{self.server.port}/")

    def execute(self, sql: str) -> list[dict[str, Any]]:
        """On a connection of its own, with all rights."""
        import pymysql.cursors

        with self.server._admin() as connection, connection.cursor(pymysql.cursors.DictCursor) as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def follow(self) -> None:
        """Start to replicate where the primary stands now."""
        file, position = self._head()
        self.execute("STOP SLAVE")
        self.execute(
            f"CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={self._primary.port}, MASTER_USER='{USER}',"
            f" MASTER_PASSWORD='{PASSWORD}', MASTER_LOG_FILE='{file}', MASTER_LOG_POS={position},"
            " MASTER_USE_GTID=no, MASTER_CONNECT_RETRY=1"
        )
        self.execute("START SLAVE")

    def caught_up(self) -> None:
        """Returns once it has everything that the primary has now.

        To be 0 seconds behind is not enough: so is a replica that has not yet heard of what it lacks.
        """
        file, position = self._head()
        until(lambda: self.execute(f"SELECT MASTER_POS_WAIT('{file}', {position}, 1) AS events")[0]["events"]
              not in (None, -1))
        until(lambda: [row["Seconds_Behind_Master"] for row in self.execute("SHOW SLAVE STATUS")] == [0])

    def _head(self) -> tuple[str, int]:
        """Where the primary's log stands."""
        with self._primary._admin() as connection, connection.cursor() as cursor:
            cursor.execute("SHOW MASTER STATUS")
            file, position = cursor.fetchone()[:2]
        return str(file), int(position)


@contextmanager
def mariadb_replica(primary: MySQLServer) -> Iterator[MariaDbReplica]:
    """A second MariaDB, read-only, that follows the first."""
    with databases.mariadb_place() as place:
        command = place.command("--server-id=8", "--skip-log-bin", "--read-only=1", "--skip-slave-start")
        with databases._process(command, place.folder, None, place.port):
            place.let_in()
            replica = MariaDbReplica(primary, place.port)
            replica.follow()
            yield replica


@contextmanager
def postgresql_standby(primary: PostgreSQLServer) -> Iterator[PostgreSQLServer]:
    """A hot standby made by pg_basebackup."""
    path = databases._path()
    backup, postgres = shutil.which("pg_basebackup", path=path), shutil.which("postgres", path=path)
    if backup is None or postgres is None:
        missing("PostgreSQL (pg_basebackup, postgres)")
    owner = databases._other_user() if os.getuid() == 0 else None
    with databases._folder(owner) as folder:
        data, port = folder / "data", databases._free_port()
        where = f"host=127.0.0.1 port={primary.port} user={USER} password='{PASSWORD}' application_name=standby"
        databases._run([str(backup), "-d", where, "-D", str(data), "-R", "--no-sync", "--checkpoint=fast"], owner)
        command = [
            str(postgres), "-D", str(data), "-p", str(port), "-k", str(folder), "-c", "listen_addresses=127.0.0.1",
            "-c", "fsync=off", "-c", "shared_buffers=32MB", "-c", "hot_standby=on", "-c", "ssl=off",
            "-c", "wal_retrieve_retry_interval=200ms", "-c", "wal_receiver_status_interval=1s",
        ]  # fmt: skip
        with databases._process(command, folder, owner, port):
            standby = PostgreSQLServer(port)
            databases.until_answers(lambda: standby._admin("postgres"))
            yield standby


def until(true: Callable[[], bool]) -> None:
    """Return once it holds; it must hold soon."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "it never came to hold"
        time.sleep(0.05)
