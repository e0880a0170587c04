"""Private MariaDB and PostgreSQL servers for the tests, from installed binaries, on free ports; SQLite needs none.

`BLOBMOVE_TEST_MYSQL_URL` (Rails form, a user who may create databases) adds a server of your own, say MySQL 8.
Where a binary is missing the tests are skipped and say so; with `CI=true` that is a failure.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from blobmove.stores.rails.url import parse_database_url
from tests.servers.certificates import Certificates, make_certificates

if TYPE_CHECKING:
    from collections.abc import Iterator

USER = "rails"
PASSWORD = "p@ss/w%rd: #1?"  # every character that has a meaning of its own in a URL
START_SECONDS = 150.0
_numbers = count(1)


def missing(what: str) -> None:
    """Skip the test, or fail it where a server must be there."""
    message = f"{what} is not installed"
    if os.environ.get("CI") == "true":
        pytest.fail(f"{message}, and CI=true asks for it", pytrace=False)
    pytest.skip(message)


class DatabaseServer(ABC):
    """A server that can make an empty database for one test."""

    kind: str
    certificates: Certificates | None = None

    @abstractmethod
    def new_database(self, folder: Path) -> str:
        """The Rails URL of a new, empty database."""

    @abstractmethod
    def connect(self, url: str) -> Any:  # noqa: ANN401 - a DB-API connection, autocommit
        """A connection of the test's own, beside the one under test, with all rights."""


class SQLiteServer(DatabaseServer):
    kind = "sqlite"

    def new_database(self, folder: Path) -> str:
        path = folder / "production.sqlite3"
        path.touch()
        return f"sqlite3:{path}"

    def connect(self, url: str) -> Any:  # noqa: ANN401
        import sqlite3

        return sqlite3.connect(parse_database_url(url).database, isolation_level=None, timeout=5,
                               check_same_thread=False)


class MySQLServer(DatabaseServer):
    """A MariaDB or MySQL that runs already."""

    def __init__(self, kind: str, host: str, port: int, user: str, password: str) -> None:
        self.kind = kind
        self.host, self.port, self.user, self.password = host, port, user, password

    def new_database(self, folder: Path) -> str:
        name = f"blobmove_test_{os.getpid()}_{next(_numbers)}"
        with self._admin() as connection:
            connection.cursor().execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
        return self.url(name)

    def url(self, database: str, user: str = "", password: str = "") -> str:
        login = f"{quote(user or self.user, safe='')}:{quote(password or self.password, safe='')}"
        return f"mysql2://{login}@{self.host}:{self.port}/{database}?encoding=utf8mb4&pool=5"

    def connect(self, url: str) -> Any:  # noqa: ANN401
        return self._admin(parse_database_url(url).database)

    def _admin(self, database: str | None = None) -> Any:  # noqa: ANN401
        import pymysql

        return pymysql.connect(
            host=self.host, port=self.port, user=self.user, password=self.password, database=database,
            charset="utf8mb4", autocommit=True, connect_timeout=60, read_timeout=60, write_timeout=60,
        )  # fmt: skip


class PostgreSQLServer(DatabaseServer):
    kind = "postgresql"

    def __init__(self, port: int) -> None:
        self.port = port

    def new_database(self, folder: Path) -> str:
        name = f"blobmove_test_{os.getpid()}_{next(_numbers)}"
        with self._admin("postgres") as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def url(self, database: str, user: str = USER, password: str = PASSWORD) -> str:
        return f"postgresql://{quote(user)}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}?pool=5"

    def connect(self, url: str) -> Any:  # noqa: ANN401
        return self._admin(parse_database_url(url).database)

    def _admin(self, database: str) -> Any:  # noqa: ANN401
        import psycopg

        return psycopg.connect(
            host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, dbname=database, autocommit=True,
            connect_timeout=60,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class MariaDbPlace:
    """A data directory of MariaDB that nobody serves yet, and a free port for who does."""

    program: str
    folder: Path
    port: int

    def command(self, *more: str) -> list[str]:
        """The server as a company runs it: binary log in row format, general_ci by default. `more` says the rest."""
        return [
            self.program, "--no-defaults", f"--datadir={self.folder}/data", f"--port={self.port}",
            f"--socket={self.folder}/m.sock",
            f"--tmpdir={self.folder}",  # each start clears the temporary tables of all servers that share the folder
            "--bind-address=127.0.0.1", "--skip-name-resolve", "--character-set-server=utf8mb4",
            "--collation-server=utf8mb4_general_ci", "--server-id=7", "--log-bin=bin", "--binlog-format=ROW",
            "--innodb-buffer-pool-size=64M", *_as_root(), *more,
        ]  # fmt: skip

    def let_in(self) -> MySQLServer:
        """Wait until the server answers, make the user of an application, and return the server as that user."""
        root = MySQLServer("mariadb", "127.0.0.1", self.port, "root", "")
        until_answers(root._admin)
        with root._admin() as connection:
            connection.cursor().execute(f"CREATE USER {USER}@'%%' IDENTIFIED BY %s", (PASSWORD,))
            connection.cursor().execute(f"GRANT ALL ON *.* TO {USER}@'%' WITH GRANT OPTION")
        return MySQLServer("mariadb", "127.0.0.1", self.port, USER, PASSWORD)


@contextmanager
def mariadb_place() -> Iterator[MariaDbPlace]:
    """An empty data directory, gone afterwards. Skips the test where MariaDB is missing."""
    program, install = shutil.which("mariadbd", path=_path()), shutil.which("mariadb-install-db", path=_path())
    if program is None or install is None:
        missing("MariaDB (mariadbd, mariadb-install-db)")
    with _folder(None) as folder:
        _run(
            [str(install), "--no-defaults", f"--datadir={folder}/data", "--auth-root-authentication-method=normal",
             "--skip-test-db", "--skip-name-resolve", f"--tmpdir={folder}", *_as_root()],
            None,
        )  # fmt: skip
        yield MariaDbPlace(str(program), folder, _free_port())


@contextmanager
def mariadb() -> Iterator[MySQLServer]:
    """A MariaDB of our own, quick since nothing of it must survive."""
    with mariadb_place() as place:
        certificates = make_certificates(place.folder)
        command = place.command(
            "--innodb-flush-log-at-trx-commit=0", "--sync-binlog=0", f"--ssl-cert={certificates.certificate}",
            f"--ssl-key={certificates.key}",
        )  # fmt: skip
        with _process(command, place.folder, None, place.port):
            server = place.let_in()
            server.certificates = certificates
            yield server


@contextmanager
def postgresql() -> Iterator[PostgreSQLServer]:
    """A PostgreSQL of our own. It refuses root, so root starts it as another user."""
    initdb, postgres = shutil.which("initdb", path=_path()), shutil.which("postgres", path=_path())
    if initdb is None or postgres is None:
        missing("PostgreSQL (initdb, postgres)")
    owner = _other_user() if os.getuid() == 0 else None
    with _folder(owner) as folder:
        data, port, secret = folder / "data", _free_port(), folder / "password"
        secret.write_text(PASSWORD)
        certificates = make_certificates(folder)
        for file in (secret, certificates.key):
            _give(file, owner)
        _run(
            [str(initdb), "-D", str(data), "-U", USER, "--auth=scram-sha-256", f"--pwfile={secret}", "--no-sync",
             "--encoding=UTF8", "--locale=C"],
            owner,
        )  # fmt: skip
        command = [
            str(postgres), "-D", str(data), "-p", str(port), "-k", str(folder), "-c", "listen_addresses=127.0.0.1",
            "-c", "fsync=off", "-c", "shared_buffers=32MB",
            "-c", "ssl=on", "-c", f"ssl_cert_file={certificates.certificate}",
            "-c", f"ssl_key_file={certificates.key}",
        ]  # fmt: skip
        with _process(command, folder, owner, port):
            server = PostgreSQLServer(port)
            server.certificates = certificates
            until_answers(lambda: server._admin("postgres"))
            yield server


def mysql_by_url() -> MySQLServer:
    """The server of `BLOBMOVE_TEST_MYSQL_URL`."""
    url = parse_database_url(os.environ["BLOBMOVE_TEST_MYSQL_URL"])
    return MySQLServer("mysql", url.host, url.port, url.username or "root", url.password or "")


def _as_root() -> list[str]:
    return ["--user=root"] if os.getuid() == 0 else []


def _path() -> str:
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", *map(str, versions)])


def _other_user() -> str:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    pytest.skip("PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody")


@contextmanager
def _folder(owner: str | None) -> Iterator[Path]:
    """Not pytest's own folder: another user must be able to walk into it, and socket paths must be short."""
    folder = Path(tempfile.mkdtemp(prefix="blobmove-db-"))
    _give(folder, owner)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _give(path: Path, owner: str | None) -> None:
    if owner is not None:
        shutil.chown(path, owner, pwd.getpwnam(owner).pw_gid)


def _as(owner: str | None) -> dict[str, Any]:
    return {} if owner is None else {"user": owner, "group": pwd.getpwnam(owner).pw_gid, "extra_groups": []}


def _run(command: list[str], owner: str | None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False, timeout=120, **_as(owner))
    assert done.returncode == 0, f"{command[0]} failed:\n{done.stdout}\n{done.stderr}"


@contextmanager
def _process(command: list[str], folder: Path, owner: str | None, port: int) -> Iterator[None]:
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd="/", **_as(owner))
    try:
        until_listening(process, port, log)
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def until_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the server ended at once:\n{log.read_text(errors='replace')[-3000:]}"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"the server does not listen:\n{log.read_text(errors='replace')[-3000:]}")


def until_answers(connect: Any) -> None:  # noqa: ANN401
    """It listens before it lets anyone in."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            connect().close()
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
