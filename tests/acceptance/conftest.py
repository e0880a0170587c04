"""A world for each test, and one for all tests of a module that only look."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.acceptance.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from blobmove.demo.child import Server


@pytest.fixture
def world(tmp_path: Path, s3_server: Server, azure_server: Server) -> World:
    """An empty bucket, a container to come, an empty folder."""
    return World.create(tmp_path, s3_server.url, azure_server.url)


@pytest.fixture(scope="module")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="module")
def shared_world(shared_folder: Path, s3_server: Server, azure_server: Server) -> World:
    """One world for the tests of a module that do not change it."""
    return World.create(shared_folder, s3_server.url, azure_server.url)
