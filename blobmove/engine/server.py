"""Moving an object that Azure pulls from S3 by itself: no byte of it passes here, and its proof needs none."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from functools import lru_cache
from typing import Final

from blobmove.core.digests import stored_checksums
from blobmove.core.errors import Kind, PullRefused, Side, StoreError
from blobmove.core.headers import BlobProperties, blob_properties
from blobmove.core.model import Outcome, State, Transfer
from blobmove.core.proof import Evidence
from blobmove.core.settings import ContentFrom
from blobmove.core.transfer import CANNOT_PULL, Way, content_type_of_row, is_plain, streams_instead, way_of
from blobmove.engine.bench import Bench, encryption_of
from blobmove.engine.existing import Verdict, judge
from blobmove.engine.leftovers import drop, staged_under
from blobmove.engine.pulls import Asking, Left, Source, outcome_of
from blobmove.engine.requests import Attempts
from blobmove.engine.small import check_version
from blobmove.stores.azure.blobs import ABSENT, Condition, Origin, Pulled

_LEFT: Final = Left()


async def pull(bench: Bench, transfer: Transfer, attempts: Attempts) -> Outcome | Left:
    """Have Azure pull one object, or leave it to be streamed. Raises StoreError when it cannot be moved at all."""
    if not is_plain(transfer.key):
        return _LEFT
    source = _from_row(bench, transfer) or await _from_s3(bench, transfer, attempts)
    if source.pull.way is Way.STREAM or not source.etag:
        return _LEFT
    try:
        if source.pull.way is Way.BLOCKS:
            from blobmove.engine.server_large import pull_blocks  # not for a plan of small files

            return await pull_blocks(bench, source, attempts)
        return await _pull_whole(bench, source, attempts)
    except StoreError as error:
        return await _after(bench, source, error, attempts)


async def _after(bench: Bench, source: Source, error: StoreError, attempts: Attempts) -> Left:
    """What becomes of an object that Azure did not pull. Raises StoreError where it is not streamed."""
    if streams_instead(error, bench.options.transfer):
        return Left(error.code, error.written_etag)
    if not isinstance(error, PullRefused):
        raise error
    await _require_for_us(bench, source, attempts)
    cause = f"{error.status or ''} {error.source_code or error.code}: {error.detail}".strip().removesuffix(":")
    raise StoreError(Side.DESTINATION, Kind.DENIED, CANNOT_PULL, cause, status=error.status)


async def _require_for_us(bench: Bench, source: Source, attempts: Attempts) -> None:
    """Ask S3 for one byte. Raises StoreError where the object is gone, changed, or forbidden to us as well."""
    key, version_id = source.transfer.key, source.transfer.version_id
    answer = await bench.s3.run(
        lambda: bench.source.get(key, etag=source.etag, version_id=version_id, byte_range=(0, 1)), attempts
    )
    check_version(source.transfer, answer)


def _from_row(bench: Bench, transfer: Transfer) -> Source | None:
    """The object as the plan and the row of Rails describe it, or None where S3 must be asked."""
    if bench.options.content_from is not ContentFrom.RAILS or transfer.size is None or not transfer.etag:
        return None
    content_type = content_type_of_row(transfer.rails)
    if content_type is None:
        return None
    evidence = Evidence(transfer.etag, transfer.encryption, (), transfer.rails)
    way = way_of(evidence, transfer.size, described=False, most=bench.options.whole_pull_limit)
    if way.way is Way.ASK:
        return None
    return Source(transfer, transfer.etag, transfer.size, _of_type(content_type), (), way)


@lru_cache(maxsize=1024)
def _of_type(content_type: str) -> BlobProperties:
    """Kept, since what is made of them is kept by them (stores.azure.blobs)."""
    return BlobProperties(content_type)


async def _from_s3(bench: Bench, transfer: Transfer, attempts: Attempts) -> Source:
    """The object as S3 describes it: headers, metadata, encryption and stored checksums, in one HEAD."""
    headers, etag = await _head(bench, transfer, attempts)
    size = int(headers["content-length"])
    evidence = Evidence(etag, encryption_of(headers, transfer.encryption), stored_checksums(headers), transfer.rails)
    way = way_of(evidence, size, described=True, most=bench.options.whole_pull_limit)
    properties, notes = blob_properties(headers, bench.options.metadata_names)
    return Source(transfer, etag, size, properties, notes, way)


async def _head(bench: Bench, transfer: Transfer, attempts: Attempts) -> tuple[Mapping[str, str], str]:
    """S3's headers of the version planned, and its ETag. Raises StoreError as a GET would."""
    answer = await bench.s3.run(
        lambda: bench.source.head(transfer.key, etag=transfer.etag, version_id=transfer.version_id), attempts
    )
    check_version(transfer, answer)
    return answer.headers, answer.etag or transfer.etag or ""


async def _pull_whole(bench: Bench, source: Source, attempts: Attempts) -> Outcome | Left:
    """Put Blob From URL, under the same conditions on the blob as any other write."""
    transfer, md5 = source.transfer, source.pull.md5
    condition = Condition(transfer.own_blob_etag) if transfer.own_blob_etag else ABSENT

    def send(origin: Origin) -> Awaitable[Pulled]:
        return bench.destination.put_blob_from_url(
            transfer.blob_name, origin, md5=md5, properties=source.properties, condition=condition,
            tier=bench.options.tier,
        )

    for _ in range(3):
        try:
            pulled = await bench.azure.run(Asking(bench, source, send, (0, source.size)), attempts)
        except StoreError as error:
            if error.kind is not Kind.EXISTS:
                raise
        else:
            if pulled.md5 == md5 or await _stored_md5(bench, source, pulled, attempts) == md5:
                return outcome_of(source, attempts, State.COPIED, pulled.etag)
            return Left("ContentMd5Differs", pulled.etag)  # it does not heed what it is told: streamed over
        found = await judge(bench, transfer.blob_name, source.size, md5, attempts)
        if found.verdict is Verdict.IDENTICAL:
            state = State.COPIED if attempts.lost else State.PRESENT
            return outcome_of(source, attempts, state, found.blob_etag)
        if found.verdict is Verdict.CONFLICT:
            return outcome_of(source, attempts, State.CONFLICT, reason=found.reason)
        condition = found.condition
        if condition == ABSENT and await staged_under(bench, transfer.blob_name, attempts):
            condition = await drop(bench, transfer.blob_name, attempts)  # uncommitted blocks alone were in the way
    return outcome_of(source, attempts, State.CONFLICT, reason="destination-keeps-changing")


async def _stored_md5(bench: Bench, source: Source, pulled: Pulled, attempts: Attempts) -> bytes | None:
    """The MD5 that Azure has computed and stored; asked for where its answer did not tell."""
    if pulled.md5 is not None:
        return pulled.md5
    facts = await bench.azure.run(lambda: bench.destination.properties(source.transfer.blob_name), attempts)
    return facts.md5 if facts is not None and facts.etag == pulled.etag else None
