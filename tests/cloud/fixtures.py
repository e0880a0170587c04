"""The fixture `cloud`: one simulated cloud for the session, empty at the start of every test.

Used as a plugin: `pytest_plugins = ("tests.cloud.fixtures",)` in tests/conftest.py.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cloud.control import Cloud


@pytest.fixture(scope="session")
def cloud_process() -> Iterator[Cloud]:
    """The cloud's process, for fixtures of a wider scope than one test. Not emptied."""
    cloud = Cloud.start()
    try:
        yield cloud
    finally:
        cloud.stop()


@pytest.fixture
def cloud(cloud_process: Cloud) -> Cloud:
    """The simulated cloud: nothing in it, fair weather, nothing counted."""
    cloud_process.reset()
    return cloud_process


@pytest.fixture
def cloud_environment(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """The cloud, with this process's environment pointing the tool at it."""
    for name, value in cloud.environment().items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_KEY"):
        monkeypatch.delenv(name, raising=False)
    return cloud
