"""`verify`: ask Azure again, by listing or by reading every byte, and compare with what the copy has proven."""

from __future__ import annotations

import shlex
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from anyio import to_thread

from blobmove.checkpoint.reader import CheckpointReader, ProvenCopy
from blobmove.checkpoint.writer import CheckpointWriter
from blobmove.core.circuit import HELD_LIMIT, Circuit
from blobmove.core.errors import BlobmoveError, StoreError
from blobmove.core.events import Listener
from blobmove.core.model import Outcome, State
from blobmove.core.results import VerifyResult
from blobmove.core.settings import How, VerifySettings, for_checkpoint
from blobmove.engine.bench import Bench, GeneralFailure
from blobmove.engine.pipeline import Pipeline
from blobmove.engine.requests import Attempts
from blobmove.engine.second_look import look, missing, of_md5, of_size
from blobmove.engine.stopping import Stop
from blobmove.operations.doubts import Doubts, Probe, Result
from blobmove.operations.findings import Findings
from blobmove.operations.running import Frame, exit_code_of
from blobmove.operations.troubles import explain
from blobmove.stores.azure.blocklist import ListedBlob, read_page

if TYPE_CHECKING:
    from blobmove.cluster.coordinator import Crew

PAGE: Final = 2000
_COPY: Final = "blobmove copy --resume"


@dataclass(slots=True)
class Verify:
    """One run of `verify`. `probe` asks a side whether it is well at all; it raises BlobmoveError if not."""

    settings: VerifySettings
    reader: CheckpointReader
    writer: CheckpointWriter
    bench: Bench
    listener: Listener
    probe: Probe
    stop: Stop
    prefix: str = ""
    crew: Crew | None = None
    _findings: Findings = field(init=False)

    async def run(self) -> tuple[VerifyResult, int]:
        """Look at every copied blob (or a sample).

        Exit code 0, 5 on a difference, else 1 where some could not be read, 130/143 when interrupted.
        """
        started = time.monotonic()
        setup = self.reader.setup()
        self.writer.begin_run(setup.plan)
        frame = Frame(self.stop, self.listener, lambda: self.bench.counters.in_flight)
        circuit = Circuit(by_source=frozenset(), by_destination=frozenset({State.GONE}))  # only Azure is asked
        doubts = Doubts(frame, circuit, self.probe, _not_asked)
        self._findings = Findings(frame, doubts, self.writer)
        await frame.run(self._by_listing if self.settings.how is How.LISTING else self._by_reading)
        if self.stop.error is not None:
            self.writer.end_run(self.stop.error.exit_code, {"stopped": self.stop.why})
            raise self._ours(self.stop.error)
        code = self._exit_code()
        self.writer.end_run(code, self._told())
        return self._result(code, time.monotonic() - started), code

    def _exit_code(self) -> int:
        tally = self._findings.tally
        if self.stop.signal:
            return exit_code_of(self.stop.signal)
        return 5 if tally.different or tally.missing else int(bool(tally.unread))

    def _told(self) -> dict[str, Any]:
        """What the checkpoint keeps of this run; the names of the unreadable ones are in no row."""
        tally = self._findings.tally
        return {"identical": tally.identical, "different": tally.different, "missing": tally.missing,
                "unreadable": len(tally.unread), "unread": tally.unread_names, "extra": tally.extra,
                "how": self.settings.how.value, "sample": self.settings.sample}

    def _result(self, code: int, seconds: float) -> VerifyResult:
        tally = self._findings.tally
        return VerifyResult(
            how=self.settings.how.value, checked=tally.checked, identical=tally.identical, different=tally.different,
            missing=tally.missing, unreadable=len(tally.unread), extra=tally.extra, read_back=tally.read_back,
            examples=tally.examples, seconds=seconds, next=self._next(code),
        )

    def _next(self, code: int) -> str:
        if code == 0 and self.settings.sample < 100:
            return for_checkpoint("blobmove verify", self.settings.checkpoint)  # no flip begins after a sample
        if code == 0:
            return for_checkpoint("blobmove flip-service --to NAME --dry-run", self.settings.checkpoint)
        if code == 5:
            return for_checkpoint(f"{_COPY} --retry-failed", self.settings.checkpoint)
        return again(self.settings)

    def _ours(self, error: BlobmoveError) -> BlobmoveError:
        """The error with a hint that goes on with this run, not with a copy."""
        if error.hint is not None:
            error.hint = error.hint.replace(_COPY, again(self.settings))
        return error

    # By listing: 5,000 names, sizes and MD5s a request.

    async def _by_listing(self) -> None:
        try:
            await self._compare_pages()
        except StoreError as error:
            self._findings.frame.stop_for(explain(error))
        if not self.stop.is_set():
            await self._findings.decide_held()
        if not self.stop.is_set():
            await self._count_missing()

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
        """What the listing says stands by itself: it tells nothing of whether blobs can be read."""
        findings = self._findings
        known = await to_thread.run_sync(self.reader.proven_by_name, [blob.name for blob in blobs])
        findings.expect([copy for copy in known.values() if self._sampled(copy)])
        told: list[Outcome] = []
        read: list[Result] = []
        for blob in blobs:
            copy = known.get(blob.name)
            if copy is None:
                findings.tally.count_extra(blob.name)
            elif self._sampled(copy):
                outcome = of_size(copy, blob.size)
                if outcome is None and blob.md5 is not None:
                    outcome = of_md5(copy, blob.md5, "Content-MD5 is")
                if outcome is not None:
                    told.append(outcome)
                elif not self.stop.is_set():
                    findings.tally.read_back += 1
                    read.append(await self._read(copy, blob.etag))
                    if len(read) == HELD_LIMIT:  # so many refusals end the run
                        await findings.record(read)
                        read.clear()
        await findings.record(read)
        await findings.settle(told)

    async def _count_missing(self) -> None:
        """What the listing did not show: neither found identical nor different by this run."""
        findings, after = self._findings, -1
        while page := await to_thread.run_sync(self.reader.proven_page, after, PAGE, self.writer.run_id):
            if self.stop.is_set():
                return
            after = page[-1].id
            unread = findings.tally.unread
            left = [copy for copy in page if self._sampled(copy) and copy.id not in unread]
            await findings.settle([missing(copy) for copy in findings.expect(left)])

    # By reading: every byte comes back and is hashed.

    async def _by_reading(self) -> None:
        if self.crew is not None:
            await self._by_workers(self.crew)
        else:
            level = self.bench.azure.concurrency
            await Pipeline(
                pages=self._pages, act=self._read, record=self._findings.record, places=lambda: level.slots,
                stop=self.stop,
            ).run()
        if not self.stop.is_set():
            await self._findings.decide_held()

    async def _pages(self) -> AsyncIterator[Sequence[ProvenCopy]]:
        after = -1
        while page := await to_thread.run_sync(self.reader.proven_page, after, PAGE):
            after = page[-1].id
            yield self._findings.expect([copy for copy in page if self._sampled(copy)])

    async def _read(self, copy: ProvenCopy, etag: str | None = None) -> Result:
        try:
            return await look(self.bench, copy, etag)
        except GeneralFailure as failure:
            self._findings.frame.stop_for(explain(failure.error))
        except BlobmoveError as error:
            self._findings.frame.stop_for(error)
        return None

    async def _by_workers(self, crew: Crew) -> None:
        """The same by many: they read, this process counts."""
        from blobmove.cluster.reading import Readers, Reading

        findings = self._findings
        await Readers(crew, Reading(self._pages, findings.record, findings.frame.stop_for, explain, self.stop)).run()

    def _sampled(self, copy: ProvenCopy) -> bool:
        """The same objects for the same percentage, spread evenly: by a hash of the row id, not of the order."""
        if self.settings.sample >= 100:
            return True
        draw = int.from_bytes(blake2b(copy.id.to_bytes(8, "big"), digest_size=4).digest(), "big")
        return draw / 2**32 * 100 < self.settings.sample


def again(settings: VerifySettings) -> str:
    """The command that does what this run did."""
    words = ["blobmove verify"]
    if settings.how is not How.LISTING:
        words.append(f"--how {settings.how}")
    if settings.sample < 100:
        words.append(f"--sample {settings.sample:.12g}")
    if settings.workers is not None:
        words.append(f"--workers {settings.workers or 'auto'}")
    if settings.scheduler is not None:
        words.append(f"--scheduler {shlex.quote(settings.scheduler)}")
    return for_checkpoint(" ".join(words), settings.checkpoint)


async def _not_asked() -> bool:
    """Whether S3 gives an object: no answer here is in doubt because of it."""
    return False
