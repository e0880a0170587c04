"""What `doctor` found in a Rails database before a question went wrong is told all the same."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from blobmove.core.diagnosis import Finding, Level
from blobmove.core.errors import AccessError
from blobmove.operations.doctor import bounded
from blobmove.operations.doctor_rails import looks_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from blobmove.core.flipping import Outlook, ServerFacts
    from blobmove.core.model import BlobRow

pytestmark = pytest.mark.anyio


class Lost:
    """An empty table whose connection is lost when the grants are asked for."""

    def describe(self) -> str:
        return "mysql2 on db"

    def newest(self, limit: int) -> list[BlobRow]:
        return []

    def pages(self, after_id: None = None, limit: int = 1, *, attached: bool = False) -> list[BlobRow]:
        raise AccessError("E000-DATABASE", "the connection was lost")

    def facts(self) -> ServerFacts:
        raise AccessError("E000-DATABASE", "the connection was lost")

    def outlook(self, ids: Sequence[int | str], old: str, new: str) -> Outlook:
        raise AccessError("E000-DATABASE", "the connection was lost")

    def check_grants(self) -> None:
        return None


@contextmanager
def lost() -> Iterator[Lost]:
    yield Lost()


async def test_a_connection_that_is_lost_half_way_takes_nothing_back() -> None:
    found: list[Finding] = []
    (look,) = looks_at(lost, ())
    assert not await bounded(look, found.append)
    assert [(finding.check, finding.level) for finding in found] == [
        ("table", Level.OK), ("services", Level.WARNING), ("rights", Level.OK), ("attachments", Level.WARNING),
        ("table", Level.FAILURE)]
