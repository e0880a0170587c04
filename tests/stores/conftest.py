"""The connections of one side, for the tests of the pool and of its ways."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from blobmove.stores.pool import Pool
from tests.stores.scripted import no_complaints


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy of the machine's own."""
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
async def pool(no_proxies: None) -> AsyncIterator[Pool]:
    """A pool that believes in what the system believes in; closed at the end, and nothing may be left behind."""
    async with no_complaints():
        made = Pool()
        yield made
        await made.close()
