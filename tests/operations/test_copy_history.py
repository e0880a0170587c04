"""Checkpoint and pipeline together: plans, copies, crashes and a living bucket in any order, on the simulated cloud.

tests/checkpoint/test_history.py does the same with outcomes made up; here they are what the movers made of the wires.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from hashlib import md5
from pathlib import Path
from typing import Any, Final

import anyio
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from blobmove.checkpoint.planning import PlanStage
from blobmove.checkpoint.reader import CheckpointReader
from blobmove.checkpoint.writer import CheckpointWriter
from blobmove.core.concurrency import Concurrency
from blobmove.core.errors import Side
from blobmove.core.events import silent
from blobmove.core.headers import MetadataNames
from blobmove.core.model import PROVEN_STATES, ObjectVersion, State
from blobmove.core.settings import CopySettings, IfExists
from blobmove.engine.bench import Bench, MoveOptions
from blobmove.engine.limits import Bandwidth, Budget
from blobmove.engine.requests import Counters, Requests
from blobmove.engine.stopping import Stop
from blobmove.operations.copy import Copy
from blobmove.stores.azure.account import SasAuthorizer
from blobmove.stores.azure.blobs import AzureBlobs
from blobmove.stores.http import Answer, HttpClient
from blobmove.stores.s3.objects import S3Objects
from blobmove.stores.s3.presign import Credentials
from tests.checkpoint.plans import adopt, counted, gather
from tests.cloud.control import SAS, Cloud
from tests.cloud.specs import BlobSpec, ObjectSpec

KEYS: Final = ("a", "b", "c/d", "e", "f", "g")
SIZES: Final = (0, 1, 700, 3000, 9000)
BLOCK: Final = 1000
LIMIT: Final = 2000
"""Objects of 3000 and 9000 bytes go in blocks."""

CONTENTS: Final = st.tuples(st.sampled_from(SIZES), st.integers(0, 3), st.booleans())
"""Size, seed, and whether the ETag says nothing of the content."""


class Crash(BaseException):
    """Stands for SIGKILL: nothing after it runs."""


class MortalBlobs(AzureBlobs):
    """Lets the process die at one of its requests, just before it is sent or just after it was answered."""

    dies_at: int = 0
    unheard: bool = False
    sent: int = 0

    async def _send(self, *values: Any, **named: Any) -> Answer:  # noqa: ANN401
        self.sent += 1
        if self.sent == self.dies_at and not self.unheard:
            raise Crash
        answer = await super()._send(*values, **named)
        if self.sent >= self.dies_at > 0:
            raise Crash
        return answer


class Migration(RuleBasedStateMachine):
    """An operator, an application that goes on writing, and bad luck."""

    cloud: Cloud

    def __init__(self) -> None:
        super().__init__()
        self.cloud.reset()
        self.cloud.bucket("src")
        self.cloud.container("dst")
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "blobmove.db"
        self.plans = 0
        self.planned: set[str] = set()
        self.foreign: dict[str, str] = {}
        self.md5_of: dict[tuple[str, str], str] = {}

    def teardown(self) -> None:
        self.folder.cleanup()

    # The application.

    @initialize(contents=st.tuples(*(CONTENTS for _ in KEYS)), foreign=st.booleans())
    def begin(self, contents: tuple[tuple[int, int, bool], ...], foreign: bool) -> None:
        for key, content in zip(KEYS, contents, strict=True):
            self.application_writes(key, content)
        if foreign:
            self.somebody_writes_to_azure(KEYS[0], SIZES[2])
        self.plan()

    @rule(key=st.sampled_from(KEYS), content=CONTENTS)
    def application_writes(self, key: str, content: tuple[int, int, bool]) -> None:
        size, seed, kms = content
        spec = ObjectSpec(key=key, size=size, recipe=f"seeded:{seed}", encryption="aws:kms" if kms else None)
        (stored,) = self.cloud.put("src", spec)
        self.md5_of[key, stored.etag] = md5(self.cloud.object_content("src", key)).hexdigest()

    @rule(key=st.sampled_from(KEYS))
    def application_deletes(self, key: str) -> None:
        if any(one.key == key for one in self.cloud.objects("src")):
            self.cloud.remove("src", key)

    @rule(key=st.sampled_from(KEYS), size=st.sampled_from(SIZES))
    def somebody_writes_to_azure(self, key: str, size: int) -> None:
        if key not in self.cloud.blobs("dst"):
            (blob,) = self.cloud.put_blobs("dst", BlobSpec(name=key, size=size, recipe="seeded:foreign"))
            self.foreign[key] = blob.md5

    # The operator.

    @rule()
    def plan(self) -> None:
        self.plans += 1
        versions = [ObjectVersion(one.key, one.size, one.etag) for one in self.cloud.objects("src")]
        with CheckpointWriter(self.path, "plan", create=True) as writer, PlanStage(writer) as stage:
            gather(stage, versions)
            adopt(stage, f"plan-{self.plans}")
        self.planned |= {version.key for version in versions}

    @rule(retry=st.booleans())
    def copy(self, retry: bool) -> None:
        told = anyio.run(self._copy, retry, 0, False)
        assert told[State.PENDING] == 0

    @rule(at=st.integers(1, 9), unheard=st.booleans(), retry=st.booleans())
    def copy_that_crashes(self, at: int, unheard: bool, retry: bool) -> None:
        try:
            anyio.run(self._copy, retry, at, unheard)
        except* Crash:
            pass

    async def _copy(self, retry: bool, dies_at: int, unheard: bool) -> dict[State, int]:
        http = [HttpClient(side) for side in (Side.SOURCE, Side.DESTINATION)]
        try:
            bench = self._bench(http[0], http[1], dies_at, unheard)
            asked = CopySettings(checkpoint=self.path, resume=True, retry_failed=retry)
            with CheckpointReader(self.path) as reader, CheckpointWriter(self.path, "copy") as writer:
                copy = Copy(asked, reader, writer, bench, silent, _well, bench.s3._stop)
                summary, _code, error = await copy.run()
        finally:
            for client in http:
                await client.close()
        assert error is None
        assert summary.totals.planned == sum(summary.totals.objects.values())
        return dict(summary.totals.objects)

    def _bench(self, http_s3: HttpClient, http_azure: HttpClient, dies_at: int, unheard: bool) -> Bench:
        stop = Stop()
        source = S3Objects(http_s3, f"{self.cloud.s3_url}/src/", "eu-central-1", _credentials, _no_fallback)
        blobs = MortalBlobs(http_azure, self.cloud.azure_url, "dst", SasAuthorizer(SAS))
        blobs.dies_at, blobs.unheard = dies_at, unheard
        return Bench(
            source=source, destination=blobs, s3=Requests(Side.SOURCE, Concurrency(4), _nothing, stop),
            azure=Requests(Side.DESTINATION, Concurrency(4), _nothing, stop), memory=Budget(lambda: 20_000),
            read_back=Budget(lambda: 20_000), bandwidth=Bandwidth(lambda: None), counters=Counters(),
            options=MoveOptions(LIMIT, BLOCK, IfExists.COMPARE, None, MetadataNames.RENAME),
        )  # fmt: skip

    # What always holds.

    @precondition(lambda self: self.plans)
    @invariant()
    def every_planned_object_is_in_one_counted_state(self) -> None:
        with CheckpointReader(self.path) as reader:
            totals = reader.totals()
        assert totals.planned == len(self.planned)
        kept, anew = counted(self.path)
        assert kept == anew

    @precondition(lambda self: self.plans)
    @invariant()
    def what_is_recorded_is_at_azure_as_s3_held_it(self) -> None:
        blobs = self.cloud.blobs("dst")
        with CheckpointReader(self.path) as reader:
            records = [record for batch in reader.records() for record in batch]
        for record in records:
            key, state, digest, etag = record[0], record[3], record[8], record[10]
            if state in PROVEN_STATES:
                assert blobs[key].md5 == self.md5_of[key, etag] == digest
                assert blobs[key].content_md5 == digest

    @invariant()
    def no_blob_of_somebody_else_is_touched(self) -> None:
        blobs = self.cloud.blobs("dst")
        assert {key: blobs[key].md5 for key in self.foreign} == self.foreign
        assert all(blobs[key].writes == 1 for key in self.foreign)


async def _credentials() -> Credentials:
    return Credentials("AKIACLOUD", "cloud-secret")


async def _no_fallback(key: str, version_id: str | None, etag: str | None) -> dict[str, str]:
    raise AssertionError("the SDK is not asked here")


async def _nothing() -> None:
    """Nothing has to be renewed."""


async def _well(side: Side) -> None:
    """Both sides are well."""


@pytest.fixture
def a_cloud(cloud: Cloud) -> Iterator[Cloud]:
    Migration.cloud = cloud
    yield cloud
    del Migration.cloud


@pytest.mark.timeout(300)
def test_whatever_happens_the_numbers_add_up_and_no_proof_is_false(a_cloud: Cloud) -> None:
    run_state_machine_as_test(Migration, settings=settings(max_examples=20, stateful_step_count=16, deadline=None))
