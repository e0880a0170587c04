"""Blocks as they are read from S3: each of the version that was planned, whatever the store makes of a condition."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
from anyio.lowlevel import checkpoint

from blobmove.core.blocks import Block
from blobmove.core.errors import Kind, StoreError
from blobmove.core.model import Transfer
from blobmove.engine.bench import Bench
from blobmove.engine.requests import Attempts
from blobmove.engine.staging import read_block
from blobmove.stores.http import Answer
from blobmove.stores.s3.objects import S3Objects
from tests.engine.benches import Staging, bench_of

OBJECT = Transfer(1, "key", "blob", 20, None, None, None, None, 0, None)
BLOCK = Block(1, 10, 10)


@dataclass
class Careless:
    """A store that gives ranges of the object as it is now, whatever If-Match says."""

    etag: str
    asked: list[dict[str, Any]] = field(default_factory=list)

    async def get(self, key: str, **told: Any) -> Answer:  # noqa: ANN401
        await checkpoint()
        self.asked.append(told)
        return Answer(206, {"etag": f'"{self.etag}"'} if self.etag else {}, b"0123456789")


def a_bench(source: Careless) -> Bench:
    return replace(bench_of(Staging()), source=cast(S3Objects, source))


@pytest.mark.parametrize("told", ["planned", ""])
async def test_every_block_is_asked_for_under_the_etag_of_the_whole(told: str) -> None:
    source = Careless(told)
    assert await read_block(a_bench(source), OBJECT, "planned", BLOCK, Attempts()) == b"0123456789"
    assert source.asked == [{"etag": "planned", "version_id": None, "byte_range": (10, 10)}]


async def test_a_block_of_another_version_is_none_of_this_object() -> None:
    with pytest.raises(StoreError) as caught:
        await read_block(a_bench(Careless("newer")), OBJECT, "planned", BLOCK, Attempts())
    assert caught.value.kind is Kind.CHANGED
