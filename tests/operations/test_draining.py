"""A copy that is told to end: what was not really tried stays pending, what was copied is recorded."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import anyio
import pytest

from blobmove.checkpoint.reader import CheckpointReader
from blobmove.checkpoint.writer import CheckpointWriter
from blobmove.core.errors import Kind, Side, StoreError
from blobmove.core.events import silent
from blobmove.core.model import ObjectVersion, State
from blobmove.core.settings import CopySettings
from blobmove.engine.stopping import Stop
from blobmove.operations.copy import Copy
from blobmove.stores.azure.blobs import AzureBlobs
from blobmove.stores.http import Answer
from blobmove.stores.s3.objects import S3Objects
from tests.checkpoint.plans import plan_into
from tests.engine.benches import Staging, bench_of

BODY = b"the same for all"
ETAG = hashlib.md5(BODY).hexdigest()


@dataclass
class Ends:
    """Both doors: `refused` keys get a 503 the moment the run is to end, the others a good answer a little later."""

    stop: Stop
    refused: frozenset[str]
    begun: int = 0
    requests: Counter[str] = field(default_factory=Counter)

    async def get(self, key: str, **_asked: Any) -> Answer:  # noqa: ANN401 - the door's keyword arguments
        """A body, or 503."""
        self.begun += 1
        if self.begun == 4:
            self.stop.ask("interrupted", signal=2)
        await self.stop.event.wait()
        if key in self.refused:
            raise StoreError(Side.SOURCE, Kind.THROTTLED, "SlowDown", status=503)
        await anyio.sleep(0.05)
        return Answer(200, {"etag": f'"{ETAG}"', "content-length": str(len(BODY))}, BODY)

    async def put_blob(self, name: str, body: bytes, **_: Any) -> str:  # noqa: ANN401 - the door's keyword arguments
        """Taken."""
        return "0x8D1"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "blobmove.db"
    plan_into(path, [ObjectVersion(key, len(BODY), ETAG) for key in "abcd"])
    return path


async def test_an_object_that_was_only_asked_for_patience_when_the_run_ended_stays_pending(path: Path) -> None:
    stop = Stop()
    ends = Ends(stop, frozenset("ab"))
    bench = replace(
        bench_of(Staging(), stop=stop), source=cast(S3Objects, ends), destination=cast(AzureBlobs, ends)
    )

    async def probe(_side: Side) -> None:
        raise AssertionError("nobody is probed when a run was told to end")

    with CheckpointWriter(path, "copy") as writer, CheckpointReader(path) as reader:
        copy = Copy(CopySettings(checkpoint=path), reader, writer, bench, silent, probe, stop)
        with anyio.fail_after(10):
            summary, code, _ = await copy.run()
    assert {state: count for state, count in summary.totals.objects.items() if count} == {
        State.COPIED: 2, State.PENDING: 2,
    }  # fmt: skip
    assert code == 130
    assert summary.next.startswith("blobmove copy --resume")
