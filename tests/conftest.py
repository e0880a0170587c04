"""The servers that several folders of tests share, started once a session when the first test asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from blobmove.demo.azurite_install import azurite_directory, ensure_azurite
from blobmove.demo.servers import azurite_server, moto, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from blobmove.demo.child import Server

pytest_plugins = ("tests.cloud.fixtures", "tests.campaigns", "tests.order")


@pytest.fixture(scope="session")
def azurite_home() -> Path:
    """The folder of the pinned Azurite, installed if it is not there yet."""
    directory = azurite_directory()
    ensure_azurite(directory)
    return directory


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """moto's S3 server, empty; parts may be small, so that multipart objects need not be large."""
    server = moto(tmp_path_factory.mktemp("s3"))
    server.environment = {**server.environment, "S3_UPLOAD_PART_MIN_SIZE": "1024"}
    with running(server):
        yield server


@pytest.fixture(scope="session")
def azure_server(tmp_path_factory: pytest.TempPathFactory, azurite_home: Path) -> Iterator[Server]:
    """Azurite in memory, empty."""
    with azurite_server(tmp_path_factory.mktemp("azure"), azurite_home) as server:
        yield server
