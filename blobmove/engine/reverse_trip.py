"""What one blob on its way back to S3 needs at hand: the doors, what both sides hold, and the requests to them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from blobmove.core.blocks import Block
from blobmove.core.errors import Kind, Side, StoreError
from blobmove.core.frozen import frozen
from blobmove.core.reverse import Blob, Returning, There, read_object
from blobmove.engine.bench import Bench
from blobmove.engine.requests import Attempts
from blobmove.stores.http import Answer, Body
from blobmove.stores.s3.writing import S3Writing

T = TypeVar("T")


@frozen
class ReverseBench:
    """The bench of a run, S3's writing half, the prefix of the migration, and where the id of an upload is noted.

    `note_upload(id, upload)` returns when it is on the disk (None: the upload has ended).
    """

    bench: Bench
    s3: S3Writing
    prefix: str
    note_upload: Callable[[int, str | None], Awaitable[None]]


@dataclass(slots=True)
class Trip:
    """One blob under way. `bench` as this blob sees it; `lost` says that a write to S3 may have been done unheard.

    `left_behind` are notes of what does not go along, `notes` those of the bytes as they were read last.
    """

    desk: ReverseBench
    bench: Bench
    item: Returning
    blob: Blob
    attempts: Attempts
    left_behind: tuple[str, ...] = ()
    lost: bool = False
    notes: list[str] = field(default_factory=list)

    async def from_azure(self, request: Callable[[], Awaitable[T]], *, bulk: bool = False) -> T:
        """A read of this very blob. Raises StoreError CHANGED where it is another one by now."""
        try:
            return await self.bench.azure.run(request, self.attempts, corrupt=True, bulk=bulk)
        except StoreError as error:
            if error.kind is Kind.EXISTS:
                raise StoreError(Side.DESTINATION, Kind.CHANGED, error.code, error.detail, status=412) from None
            raise

    async def whole(self) -> Answer:
        """The blob, whole."""
        blob = self.blob
        answer = await self.from_azure(
            lambda: self.bench.destination.whole(self.item.key, etag=blob.etag, size=blob.size)
        )
        await self._count(len(answer.body))
        return answer

    async def block(self, block: Block) -> Body:
        """A block of the blob."""
        body = await self.from_azure(
            lambda: self.bench.destination.read(self.item.key, block.offset, block.length, etag=self.blob.etag),
            bulk=True,
        )
        await self._count(block.length)
        return body

    async def _count(self, size: int) -> None:
        self.bench.counters.bytes_read += size
        if self.bench.bandwidth.limited:
            await self.bench.bandwidth.pay(size)

    async def to_s3(self, request: Callable[[], Awaitable[T]], *, bulk: bool = False) -> T:
        """A write, tried again with the same bytes where it may help."""

        async def noting() -> T:
            try:
                return await request()
            except StoreError as error:
                self.lost = self.lost or error.kind is Kind.TRANSIENT
                raise

        return await self.bench.s3.run(noting, self.attempts, corrupt=True, bulk=bulk)

    async def look(self) -> There | None:
        """What S3 holds under the key now."""
        answer = await self.bench.s3.run(lambda: self.desk.s3.look(self.item.key), self.attempts)
        return read_object(answer.headers) if answer is not None else None
