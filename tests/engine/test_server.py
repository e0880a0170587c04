"""Pulls by Azure with scripted doors: what its answer must show, and what a refusal leads to."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import md5
from typing import Any, cast

import pytest
from anyio.lowlevel import checkpoint

from blobmove.core.blocks import cut
from blobmove.core.errors import AccessError, Kind, PullRefused, Side, StoreError
from blobmove.core.headers import BlobProperties
from blobmove.core.model import Outcome, Proof, RailsFacts, State, Transfer
from blobmove.core.settings import ContentFrom, Route
from blobmove.core.transfer import Pull, Way
from blobmove.engine.bench import Bench
from blobmove.engine.mover import move
from blobmove.engine.pulls import Left, Source
from blobmove.engine.requests import Attempts
from blobmove.engine.server import pull
from blobmove.engine.server_large import _Staging
from blobmove.stores.azure.blobs import AzureBlobs, BlobFacts, Origin, Pulled
from blobmove.stores.http import Answer
from blobmove.stores.s3.objects import S3Objects
from tests.engine.benches import Staging, bench_of

BODY = b"the file" * 100
MD5 = md5(BODY).digest()


@dataclass
class Azure:
    """Answers pulls from a script, an error or a Pulled each; takes streamed blobs under any condition."""

    answers: list[StoreError | Pulled]
    facts: BlobFacts | None = None
    origins: list[Origin] = field(default_factory=list)
    conditions: list[str | None] = field(default_factory=list)

    async def put_blob_from_url(self, name: str, origin: Origin, **told: Any) -> Pulled:  # noqa: ANN401
        assert told["md5"] == MD5
        await checkpoint()
        self.origins.append(origin)
        answer = self.answers.pop(0)
        if isinstance(answer, StoreError):
            raise answer
        return answer

    async def put_blob(self, name: str, body: bytes, **told: Any) -> str:  # noqa: ANN401
        await checkpoint()
        self.conditions.append(told["condition"].if_match)
        return "streamed"

    async def properties(self, name: str) -> BlobFacts | None:
        await checkpoint()
        return self.facts


@dataclass
class S3:
    """Gives the object, and URLs that say which one they are."""

    signed: list[int] = field(default_factory=list)
    renewed: int = 0
    asked: int = 0

    async def url(self, key: str, *, version_id: str | None, expires: int) -> str:
        await checkpoint()
        self.signed.append(expires)
        return f"https://s3/{key}?number={len(self.signed)}"

    async def get(self, key: str, **told: Any) -> Answer:  # noqa: ANN401
        await checkpoint()
        self.asked += 1
        body = BODY[:1] if told.get("byte_range") else BODY
        return Answer(200, {"etag": f'"{MD5.hex()}"'}, body)

    async def renew(self) -> None:
        await checkpoint()
        self.renewed += 1


def a_bench(azure: Azure, s3: S3, route: Route = Route.SERVER) -> Bench:
    bench = bench_of(Staging(), memory=lambda: 10_000)
    options = replace(bench.options, transfer=route, content_from=ContentFrom.RAILS)
    return replace(bench, source=cast(S3Objects, s3), destination=cast(AzureBlobs, azure), options=options)


def a_transfer() -> Transfer:
    rails = RailsFacts(1, "amazon", len(BODY), MD5, None, "image/png")
    return Transfer(7, "key", "key", len(BODY), MD5.hex(), None, "SSE-S3", None, 0, rails)


def refused(status: int, code: str = "", *, azure: int = 0) -> PullRefused:
    return PullRefused("CannotVerifyCopySource", "text", status=azure or status, source_status=status, source_code=code)


async def test_what_azure_has_computed_is_compared_with_what_it_was_told() -> None:
    azure = Azure([Pulled("etag", MD5)])
    outcome = await pull(a_bench(azure, S3()), a_transfer(), Attempts())
    assert isinstance(outcome, Outcome)
    assert (outcome.state, outcome.proof, outcome.md5, outcome.blob_etag) == (State.COPIED, Proof.ETAG_MD5, MD5, "etag")


@pytest.mark.parametrize(("answered", "stored"), [
    (b"0" * 16, None), (None, None), (None, BlobFacts(800, None, "etag", None)),
    (None, BlobFacts(800, MD5, "of somebody else", None)),
])  # fmt: skip
async def test_a_blob_without_that_md5_is_not_believed_and_streamed_over(
    answered: bytes | None, stored: BlobFacts | None
) -> None:
    azure, s3 = Azure([Pulled("etag", answered)], stored), S3()
    outcome = await move(a_bench(azure, s3), a_transfer())
    assert isinstance(outcome, Outcome)
    assert (outcome.state, outcome.blob_etag, azure.conditions) == (State.COPIED, "streamed", ["etag"])
    assert "server-side" not in outcome.notes


async def test_an_answer_without_an_md5_is_made_up_for_by_the_blob_s_own() -> None:
    azure = Azure([Pulled("etag", None)], BlobFacts(800, MD5, "etag", None))
    assert isinstance(await pull(a_bench(azure, S3()), a_transfer(), Attempts()), Outcome)


async def test_every_attempt_has_a_url_of_its_own_that_outlives_clocks_a_quarter_of_an_hour_apart() -> None:
    azure, s3 = Azure([refused(503, "SlowDown"), refused(500, azure=500), Pulled("etag", MD5)]), S3()
    assert isinstance(await pull(a_bench(azure, s3), a_transfer(), Attempts()), Outcome)
    assert len({origin.url for origin in azure.origins}) == 3
    assert s3.signed == [900] * 3


async def test_an_expired_credential_of_s3_is_renewed() -> None:
    azure, s3 = Azure([refused(400, "ExpiredToken"), Pulled("etag", MD5)]), S3()
    assert isinstance(await pull(a_bench(azure, s3), a_transfer(), Attempts()), Outcome)
    assert s3.renewed == 1


@pytest.mark.parametrize(("refusal", "kind"), [
    (refused(404, "NoSuchKey"), Kind.MISSING), (refused(412, "PreconditionFailed"), Kind.CHANGED),
    (refused(403, "InvalidObjectState"), Kind.ARCHIVED),
])  # fmt: skip
@pytest.mark.parametrize("route", [Route.SERVER, Route.AUTO])
async def test_s3_s_own_verdict_is_taken_without_asking_again(refusal: PullRefused, kind: Kind, route: Route) -> None:
    s3 = S3()
    with pytest.raises(StoreError) as raised:
        await pull(a_bench(Azure([refusal]), s3, route), a_transfer(), Attempts())
    assert (raised.value.side, raised.value.kind, s3.asked) == (Side.SOURCE, kind, 0)


@pytest.mark.parametrize("refusal", [
    refused(403, "AccessDenied"), refused(404), refused(0, azure=412), refused(403, "SignatureDoesNotMatch"),
])  # fmt: skip
async def test_any_other_refusal_is_streamed_under_auto_and_asked_about_under_server(refusal: PullRefused) -> None:
    left = await pull(a_bench(Azure([refusal]), S3(), Route.AUTO), a_transfer(), Attempts())
    assert left == Left("CannotVerifyCopySource")
    s3 = S3()
    with pytest.raises(StoreError) as raised:
        await pull(a_bench(Azure([refusal]), s3), a_transfer(), Attempts())
    assert (raised.value.side, raised.value.kind, raised.value.code) == (Side.DESTINATION, Kind.DENIED, "CannotPull")
    assert s3.asked == 1


async def test_azure_s_own_failures_are_tried_three_times_and_then_count_as_a_refusal() -> None:
    azure = Azure([StoreError(Side.DESTINATION, Kind.TRANSIENT, "Http500", status=500) for _ in range(9)])
    left = await pull(a_bench(azure, S3(), Route.AUTO), a_transfer(), Attempts())
    assert (left, len(azure.origins)) == (Left("Http500"), 3)


class NoMoreCredentials(S3):
    """Signs no further URL."""

    async def url(self, key: str, *, version_id: str | None, expires: int) -> str:
        if self.signed:
            raise AccessError("E401-SOURCE", "the AWS credentials could not be renewed")
        return await super().url(key, version_id=version_id, expires=expires)


async def test_credentials_that_cannot_be_renewed_while_blocks_are_pulled_end_it_as_what_they_are() -> None:
    bench = a_bench(Azure([]), NoMoreCredentials(signed=[900]))
    known = Pull(Way.BLOCKS, Proof.CRC64NVME, MD5, b"12345678")
    source = Source(a_transfer(), MD5.hex(), 3 << 20, BlobProperties(), (), known)
    with pytest.raises(AccessError):
        await _Staging(bench, source, Attempts(), ["a", "b", "c"]).run(cut((3 << 20,), 1 << 20))
