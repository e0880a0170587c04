"""A MariaDB that can be killed: every commit is on disk before it is answered, and it starts again where it stood."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.servers.databases import PASSWORD, USER, MySQLServer, mariadb_place, until_listening
from tests.servers.rails_schema import activestorage


class MariaDb:
    """One server with one database at a time. `key_column` and the like: see crash.company.Application."""

    key_column = "`key`"

    def __init__(self, command: list[str], port: int, log: Path) -> None:
        self._command, self._port, self._log = command, port, log
        self._process: subprocess.Popen[bytes] | None = None
        self._server = MySQLServer("mariadb", "127.0.0.1", port, USER, PASSWORD)
        self._connection: Any = None
        self.url = ""

    def start(self) -> None:
        """Start, or start again after kill(); returns when it answers."""
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(self._command, stdout=output, stderr=subprocess.STDOUT, cwd="/")
        until_listening(self._process, self._port, self._log)

    def kill(self) -> None:
        """kill -9."""
        self._hang_up()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def new_database(self, folder: Path) -> None:
        """An empty database with ActiveStorage's tables."""
        self._hang_up()
        self.url = self._server.new_database(folder)
        for statement in activestorage("mariadb"):
            self.execute(statement)

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def execute(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        if self._connection is None:
            self._connection = self._server.connect(self.url)
        with self._connection.cursor() as cursor:
            cursor.execute(sql.replace("?", "%s"), values)
            return list(cursor.fetchall())

    def dump(self) -> list[str]:
        """Every column of every row."""
        tables = ("active_storage_blobs", "active_storage_attachments")
        return [repr(row) for table in tables for row in self.execute(f"SELECT * FROM {table} ORDER BY id")]


@contextmanager
def mariadb() -> Iterator[MariaDb]:
    """A server that runs; killed at the end."""
    with mariadb_place() as place:
        server = MariaDb(
            place.command("--innodb-flush-log-at-trx-commit=1", "--sync-binlog=1"), place.port,
            place.folder / "server.log",
        )  # fmt: skip
        try:
            server.start()
            place.let_in()
            yield server
        finally:
            server.kill()
