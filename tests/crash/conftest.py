"""What all rounds share: one process that forks the commands, one database server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.forks import Forks
from tests.crash.mariadb import MariaDb, mariadb
from tests.crash.moments import Moments


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """The process from which commands are forked."""
    with Forks() as found:
        yield found


@pytest.fixture(scope="session")
def server() -> Iterator[MariaDb]:
    """A MariaDB of these tests' own, since it is killed again and again."""
    with mariadb() as found:
        yield found


@pytest.fixture(scope="session")
def moments() -> Moments:
    """What is known of the commands' usual durations grows with every round."""
    return Moments()
