"""A world for each test, and one for all tests of a module that only look."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.acceptance.forks import Forks
from tests.acceptance.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from blobmove.demo.child import Server


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """The process from which commands are forked."""
    with Forks() as found:
        yield found


@pytest.fixture
def world(tmp_path: Path, s3_server: Server, azure_server: Server, forks: Forks) -> World:
    """An empty bucket, a container to come, an empty folder."""
    return World.create(tmp_path, s3_server.url, azure_server.url, forks)


@pytest.fixture
def typed_world(tmp_path: Path, s3_server: Server, azure_server: Server) -> World:
    """The same, and each command is typed as a whole: `python -m blobmove ...`."""
    return World.create(tmp_path, s3_server.url, azure_server.url)


@pytest.fixture(scope="module")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="module")
def shared_world(shared_folder: Path, s3_server: Server, azure_server: Server, forks: Forks) -> World:
    """One world for the tests of a module that do not change it."""
    return World.create(shared_folder, s3_server.url, azure_server.url, forks)


@pytest.fixture(scope="module")
def typed_shared_world(shared_folder: Path, s3_server: Server, azure_server: Server) -> World:
    """The same, and each command is typed as a whole."""
    return World.create(shared_folder, s3_server.url, azure_server.url)
