"""`verify`: ask Azure again, by listing or by reading every byte, and compare with what the copy has proven."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from anyio import CapacityLimiter, to_thread

from blobmove.checkpoint.reader import CheckpointReader, ProvenCopy
from blobmove.checkpoint.writer import CheckpointWriter
from blobmove.core.errors import BlobmoveError, StoreError
from blobmove.core.events import Listener, Note
from blobmove.core.frozen import frozen
from blobmove.core.model import PROVEN_STATES
from blobmove.core.results import VerifyResult
from blobmove.core.settings import How, VerifySettings, for_checkpoint
from blobmove.engine.bench import Bench
from blobmove.engine.existing import read_md5
from blobmove.engine.pipeline import Pipeline
from blobmove.engine.requests import Attempts
from blobmove.engine.second_look import MISSING, look
from blobmove.engine.stopping import Stop
from blobmove.operations.running import Frame, exit_code_of
from blobmove.operations.troubles import explain
from blobmove.stores.azure.blocklist import ListedBlob, read_page

if TYPE_CHECKING:
    from blobmove.cluster.coordinator import Crew

PAGE: Final = 2000
EXAMPLES: Final = 20


@frozen
class Seen:
    """What was found of one copied blob: "" for identical, else why not."""

    copy: ProvenCopy
    difference: str


@dataclass(slots=True)
class Tally:
    """Counts of one verification; `read_back` blobs had no MD5 in the listing and were read."""

    identical: int = 0
    different: int = 0
    missing: int = 0
    extra: int = 0
    read_back: int = 0
    examples: list[tuple[str, str]] = field(default_factory=list)

    def example(self, name: str, what: str) -> None:
        if len(self.examples) < EXAMPLES:
            self.examples.append((name, what))


@dataclass(slots=True)
class Verify:
    """One run of `verify`."""

    settings: VerifySettings
    reader: CheckpointReader
    writer: CheckpointWriter
    bench: Bench
    listener: Listener
    stop: Stop
    prefix: str = ""
    crew: Crew | None = None
    tally: Tally = field(default_factory=Tally)
    _one: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(1))

    async def run(self) -> tuple[VerifyResult, int]:
        """Look at every copied blob (or a sample). Exit code 0, 5 on a difference, 130/143 when interrupted."""
        started = time.monotonic()
        setup = self.reader.setup()
        self.writer.begin_run(setup.plan)
        frame = Frame(self.stop, self.listener, lambda: self.bench.counters.in_flight)
        body = self._by_listing if self.settings.how is How.LISTING else self._by_reading
        await frame.run(body)
        if self.stop.error is not None:
            self.writer.end_run(self.stop.error.exit_code, {"stopped": self.stop.why})
            raise self.stop.error
        code = self._exit_code()
        tally = self.tally
        self.writer.end_run(code, {"identical": tally.identical, "different": tally.different,
                                   "missing": tally.missing, "extra": tally.extra, "how": self.settings.how.value,
                                   "sample": self.settings.sample})
        return VerifyResult(
            how=self.settings.how.value, checked=tally.identical + tally.different + tally.missing,
            identical=tally.identical, different=tally.different, missing=tally.missing, extra=tally.extra,
            read_back=tally.read_back, examples=tuple(tally.examples), seconds=time.monotonic() - started,
            next=self._next(code),
        ), code

    def _exit_code(self) -> int:
        if self.stop.signal:
            return exit_code_of(self.stop.signal)
        return 5 if self.tally.different or self.tally.missing else 0

    def _next(self, code: int) -> str:
        if code == 0:
            command = "blobmove flip-service --to NAME --dry-run"
        else:
            command = "blobmove verify" if self.stop.signal else "blobmove copy --resume --retry-failed"
        return for_checkpoint(command, self.settings.checkpoint)

    # By listing: 5,000 names, sizes and MD5s a request.

    async def _by_listing(self) -> None:
        try:
            await self._compare_pages()
            if not self.stop.is_set():
                await self._count_missing()
        except StoreError as error:
            self._fail(error)

    async def _compare_pages(self) -> None:
        marker, first = "", True
        while (marker or first) and not self.stop.is_set():
            first = False
            page = await self.bench.azure.run(
                lambda m=marker: self.bench.destination.list_page(m, self.prefix), Attempts()  # type: ignore[misc]
            )
            blobs, marker = await to_thread.run_sync(read_page, page)
            await self._compare(blobs)

    async def _compare(self, blobs: Sequence[ListedBlob]) -> None:
        known = await to_thread.run_sync(self.reader.proven_by_name, [blob.name for blob in blobs])
        identical: list[int] = []
        different: list[int] = []
        for blob in blobs:
            copy = known.get(blob.name)
            if copy is None:
                self.tally.extra += 1
                self.tally.example(blob.name, "extra: not in the plan, or not copied by it")
            elif self._sampled(copy):
                difference = await self._difference(copy, blob)
                (different if difference else identical).append(copy.id)
                self._count(Seen(copy, difference))
        await self._mark(identical, different)

    async def _difference(self, copy: ProvenCopy, blob: ListedBlob) -> str:
        if blob.size != copy.size:
            return f"size is {blob.size}, copied were {copy.size} bytes"
        if blob.md5 is not None:
            return "" if blob.md5 == copy.md5 else f"Content-MD5 is {blob.md5.hex()}, copied was {_hex(copy.md5)}"
        self.tally.read_back += 1
        seen = await read_md5(self.bench, copy.blob_name, copy.size, Attempts(), etag=blob.etag)
        return "" if seen == copy.md5 else f"no Content-MD5, and the bytes have {seen.hex()}"

    async def _count_missing(self) -> None:
        """What the listing did not show: neither found identical nor different by this run."""
        after = -1
        while page := await to_thread.run_sync(self.reader.proven_page, after, PAGE, self.writer.run_id):
            after = page[-1].id
            missing = [copy for copy in page if self._sampled(copy)]
            for copy in missing:
                self.tally.missing += 1
                self.tally.example(copy.blob_name, MISSING)
            await self._mark([], [copy.id for copy in missing])

    # By reading: every byte comes back and is hashed.

    async def _by_reading(self) -> None:
        if self.crew is not None:
            await self._by_workers(self.crew)
            return
        level = self.bench.azure.concurrency
        await Pipeline(
            pages=self._pages, act=self._read, record=self._record, places=lambda: level.slots,
            stop=self.stop,
        ).run()

    async def _pages(self) -> AsyncIterator[Sequence[ProvenCopy]]:
        after = -1
        while page := await to_thread.run_sync(self.reader.proven_page, after, PAGE):
            after = page[-1].id
            yield [copy for copy in page if self._sampled(copy)]

    async def _read(self, copy: ProvenCopy) -> Seen | None:
        try:
            return Seen(copy, await look(self.bench, copy))
        except StoreError as error:
            self._fail(error)
        except BlobmoveError as error:
            self.stop.ask(error.message, error=error)
        return None

    async def _by_workers(self, crew: Crew) -> None:
        """The same by many: they read, this process counts."""
        from blobmove.cluster.reading import Readers, Reading

        async def record(found: list[tuple[ProvenCopy, str]]) -> None:
            await self._record([Seen(copy, difference) for copy, difference in found])

        def failed(error: BlobmoveError) -> None:
            if self.stop.ask(error.message, error=error):
                self.listener(Note(f"stopping: {error.message}"))

        await Readers(crew, Reading(self._pages, record, failed, explain, self.stop)).run()

    async def _record(self, results: Sequence[Seen | None]) -> None:
        found = [seen for seen in results if seen is not None]
        for seen in found:
            self._count(seen)
        await self._mark([seen.copy.id for seen in found if not seen.difference],
                         [seen.copy.id for seen in found if seen.difference])

    # Both ways.

    def _count(self, seen: Seen) -> None:
        if not seen.difference:
            self.tally.identical += 1
            return
        if seen.difference == MISSING:
            self.tally.missing += 1
        else:
            self.tally.different += 1
        self.tally.example(seen.copy.blob_name, seen.difference)

    def _sampled(self, copy: ProvenCopy) -> bool:
        """The same objects for the same percentage, spread evenly: by a hash of the row id, not of the order."""
        if self.settings.sample >= 100:
            return True
        draw = int.from_bytes(blake2b(copy.id.to_bytes(8, "big"), digest_size=4).digest(), "big")
        return draw / 2**32 * 100 < self.settings.sample

    async def _mark(self, identical: list[int], different: list[int]) -> None:
        try:
            await to_thread.run_sync(self.writer.mark_verified, identical, different, limiter=self._one)
        except BlobmoveError as error:
            self.stop.ask(error.message, error=error)

    def _fail(self, error: StoreError) -> None:
        if self.stop.ask(f"{error.code}: {error.detail}", error=explain(error)):
            self.listener(Note(f"stopping: {error.code}"))


def _hex(digest: bytes | None) -> str:
    return digest.hex() if digest else "unknown"


def nothing_copied(reader: CheckpointReader) -> bool:
    """Whether there is nothing to verify yet."""
    return not any(reader.totals().objects[state] for state in PROVEN_STATES)
