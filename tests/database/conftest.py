"""The servers, started once a session when the first test asks for them, and an application's database a test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.database.application import Operator, new_application
from tests.servers.databases import DatabaseServer, MySQLServer, SQLiteServer, mariadb, mysql_by_url, postgresql

KINDS = ["sqlite", pytest.param("mariadb", marks=pytest.mark.database)]
KINDS += [pytest.param("postgresql", marks=pytest.mark.database)]
if os.environ.get("BLOBMOVE_TEST_MYSQL_URL"):
    KINDS += [pytest.param("mysql", marks=pytest.mark.database)]


@pytest.fixture(scope="session")
def sqlite_server() -> DatabaseServer:
    return SQLiteServer()


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[DatabaseServer]:
    with mariadb() as server:
        yield server


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[DatabaseServer]:
    with postgresql() as server:
        yield server


@pytest.fixture(scope="session")
def mysql_server() -> MySQLServer:
    return mysql_by_url()


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest) -> DatabaseServer:
    """Each kind of server in turn."""
    found: DatabaseServer = request.getfixturevalue(f"{request.param}_server")
    return found


MakeOperator = Callable[..., Operator]


@pytest.fixture
def make_operator(server: DatabaseServer, tmp_path: Path) -> Iterator[MakeOperator]:
    """Operators, each in front of an application of its own with tables as asked for."""
    made: list[Operator] = []

    def make(**how: Any) -> Operator:  # noqa: ANN401
        folder = tmp_path / f"application{len(made)}"
        folder.mkdir()
        made.append(Operator(new_application(server, folder, **how)))
        return made[-1]

    yield make
    for operator in made:
        operator.close()


@pytest.fixture
def operator(make_operator: MakeOperator) -> Operator:
    """Someone in front of an application with Rails 8.1 and bigint keys."""
    return make_operator()
