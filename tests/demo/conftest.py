"""The fixture of the demo's tests: a tiny company copied to Azure by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from blobmove.demo.company import CompanySize
from blobmove.demo.recipe import build
from blobmove.demo.servers import azurite_server, moto_server
from tests.demo.tiny_world import TinyWorld

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def tiny_world(tmp_path_factory: pytest.TempPathFactory, azurite_home: Path) -> Iterator[TinyWorld]:
    """A company of 60 small objects in S3, and on Azure as a faultless migration would have left it."""
    workdir, size = tmp_path_factory.mktemp("tiny-world"), CompanySize(objects=60, large=False)
    with moto_server(workdir, company=size) as s3, azurite_server(workdir, azurite_home) as azure:
        world = TinyWorld(build(size), s3.url, azure.url, workdir / "acme.sqlite3")
        world.migrate()
        yield world
