"""One simulated cloud for all cases; each has a bucket, a container and a checkpoint of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.cases.desk import Desk
from tests.cloud.control import Cloud
from tests.cloud.specs import ObjectSpec, Settings

MakeDesk = Callable[..., Desk]


@pytest.fixture(scope="package")
def sky() -> Iterator[Cloud]:
    """The cloud; nothing in it is shared by two cases."""
    cloud = Cloud.start()
    try:
        yield cloud
    finally:
        cloud.stop()


@pytest.fixture
def make_desk(sky: Cloud, tmp_path: Path) -> Iterator[MakeDesk]:
    """Makes desks; afterwards the weather is fair again and nothing goes wrong any more."""

    def make(*specs: ObjectSpec, versioned: bool = False) -> Desk:
        return Desk.create(sky, tmp_path, *specs, versioned=versioned)

    sky.reset_counts()
    yield make
    for rule in sky.rules():
        sky.drop_rule(rule.id)
    sky.settings(Settings())


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries come after hundredths of a second; what the service asks for in Retry-After still holds."""
    monkeypatch.setattr("blobmove.core.pacing._FIRST_SECONDS", 0.01)


@pytest.fixture(scope="package", autouse=True)
def _models_read_once() -> Iterator[None]:
    """The SDK parses megabytes of JSON for every client it makes; in one process once is enough."""
    from botocore.loaders import JSONFileLoader

    read_file = JSONFileLoader.load_file

    @cache
    def load_file(path: str) -> Any:  # noqa: ANN401 - any JSON value
        return read_file(JSONFileLoader(), path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", lambda _loader, path: load_file(path))
        yield
