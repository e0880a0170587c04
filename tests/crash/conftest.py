"""One process that forks the commands, for all rounds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.forks import Forks
from tests.crash.moments import Moments


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """The process from which commands are forked."""
    with Forks() as found:
        yield found


@pytest.fixture(scope="session")
def moments() -> Moments:
    """What is known of the commands' usual durations grows with every round."""
    return Moments()
