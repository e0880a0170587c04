"""One request by which Azure pulls from S3: a fresh URL for every attempt, refusals put into S3's own words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from blobmove.core.blocks import MIB
from blobmove.core.errors import Kind, PullRefused, Side, StoreError
from blobmove.core.frozen import frozen
from blobmove.core.headers import BlobProperties
from blobmove.core.model import PROVEN_STATES, Outcome, State, Transfer
from blobmove.core.notes import metadata_notes, rails_notes
from blobmove.core.transfer import PATIENCE, SERVER_SIDE, URL_LIMIT, URL_TOO_LONG, Pull, is_source_s_word
from blobmove.engine.bench import Bench
from blobmove.engine.requests import Attempts
from blobmove.stores.azure.blobs import Origin
from blobmove.stores.s3.answers import classify

T = TypeVar("T")

_SECONDS: Final = 900
"""How long a URL is good at least: as far as S3 lets clocks be apart. Azure asks at once."""


@frozen
class Source:
    """One object as it is to be pulled: pinned by `etag`, `size` in bytes, `properties` for the blob."""

    transfer: Transfer
    etag: str
    size: int
    properties: BlobProperties
    notes: tuple[str, ...]
    pull: Pull


@frozen
class Left:
    """The object is left to be streamed. `code`: why Azure did not pull it, empty where it was not asked to.

    `blob_etag`: of a blob that was written, but is not trusted, and must be written over.
    """

    code: str = ""
    blob_etag: str | None = None


def outcome_of(
    source: Source, attempts: Attempts, state: State, blob_etag: str = "", reason: str = "", crc64: bytes | None = None
) -> Outcome:
    """How an object ended, with the notes of all that is known of it without its bytes.

    Its MD5 and proof are those it was to be pulled with.
    """
    md5 = source.pull.md5
    notes = source.notes
    if source.properties.metadata:
        notes += metadata_notes(source.properties.metadata, md5)
    notes += rails_notes(source.transfer.rails, source.size, md5, None)
    if state is State.COPIED:
        notes += (SERVER_SIDE,)
    return Outcome(
        source.transfer.id, state, reason, attempts=attempts.count, size=source.size,
        proof=source.pull.proof if state in PROVEN_STATES else None, md5=md5, crc64=crc64,
        source_etag=source.etag, blob_etag=blob_etag or None, content_type=source.properties.content_type,
        seconds=attempts.seconds, notes=notes,
    )  # fmt: skip


@dataclass(slots=True)
class Asking(Generic[T]):
    """`send` with an Origin, as often as engine.requests calls it. `span`: offset and length in bytes."""

    bench: Bench
    source: Source
    send: Callable[[Origin], Awaitable[T]]
    span: tuple[int, int]
    failed: int = 0

    async def __call__(self) -> T:
        """One attempt. Raises StoreError: S3's own where S3's answer holds for everybody, else Azure's."""
        offset, length = self.span
        transfer = self.source.transfer
        url = await self.bench.source.url(
            transfer.key, version_id=transfer.version_id, expires=_SECONDS + length // MIB
        )
        if len(url) > URL_LIMIT:
            raise PullRefused(URL_TOO_LONG, f"{len(url)} characters, at most {URL_LIMIT} are allowed")
        try:
            return await self.send(Origin(url, self.source.etag, length, offset))
        except PullRefused as refusal:
            raise await self._in_words_of_s3(refusal) from None
        except StoreError as error:
            raise self._impatient(error) from None

    async def _in_words_of_s3(self, refusal: PullRefused) -> StoreError:
        kind = classify(refusal.source_status, refusal.source_code, refusal.detail)
        if is_source_s_word(refusal, kind):
            if kind is Kind.EXPIRED:
                await self.bench.source.renew()
            return StoreError(Side.SOURCE, kind, refusal.source_code, refusal.detail, status=refusal.source_status)
        if refusal.status >= 500 and refusal.status != 501:
            again = StoreError(
                Side.DESTINATION, Kind.TRANSIENT, refusal.code, refusal.detail, status=refusal.status
            )
            return self._impatient(again)
        return refusal

    def _impatient(self, error: StoreError) -> StoreError:
        """Azure fails and does not say why: tried again, but not for a minute, as the object can be streamed."""
        if error.kind is not Kind.TRANSIENT or error.status < 500:
            return error
        self.failed += 1
        if self.failed < PATIENCE:
            return error
        return PullRefused(error.code, error.detail, status=error.status)
