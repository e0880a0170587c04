"""Who works: each worker asked once a second how it goes and given its share; all their sums in one place."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import inf
from typing import Final

import anyio

from blobmove.cluster.calls import Calls
from blobmove.cluster.payloads import Done, Heard, Share, Trouble
from blobmove.core.crew import SharedPace, WorkerShown, divided, portions, seats
from blobmove.core.errors import BlobmoveError, UsageError
from blobmove.core.events import Listener, Note
from blobmove.core.speed import RateWindow
from blobmove.engine.bench import Bench
from blobmove.engine.stopping import Stop

PULSE_SECONDS: Final = 1.0
"""Between two words of a worker, and one more second for each 50 workers: asking costs the coordinator 1 ms each."""

NOBODY_SECONDS: Final = 300.0
"""How long a run waits for a worker when there is none left."""

SILENT_SECONDS: Final = 120.0
"""How long a run waits for a scheduler that does not answer."""

UNFIT_LIMIT: Final = 5
"""Times a piece of work may meet a worker that cannot work before the run stops: another one should have taken it."""

UNFIT_SECONDS: Final = 0.5
"""Between two of these times: a worker that is sent away takes a moment to leave."""

_IDLE_WORDS: Final = 3
"""Words in a row in which a worker has nothing under way, before others have its part of `--concurrency`."""

_WINDOW_SECONDS: Final = 10.0
_LAST_SECONDS: Final = 3.0
_QUIET_SECONDS: Final = 5.0
_SUMS: Final = ("bytes_read", "bytes_written", "bytes_pulled", "pulled", "streamed")


@dataclass(slots=True)
class Member:
    """One worker: its last word, when it came, and how fast it has been lately.

    `idle`: words in a row in which it had nothing under way; `held`: the concurrency that it has confirmed last.
    """

    heard: Heard | None = None
    at: float = 0.0
    asked: bool = False
    idle: int = 0
    held: int | None = None
    window: RateWindow = field(default_factory=lambda: RateWindow(_WINDOW_SECONDS))


@dataclass(slots=True)
class Roster:
    """The workers of one run. What they have done is added to the coordinator's bench, where everybody looks for it.

    `concurrency`: requests in flight of the whole run to a side, None for what each worker finds by itself.
    `rate_now`: bytes a second of the whole run now, None for no limit.
    """

    calls: Calls
    bench: Bench
    listener: Listener
    concurrency: int | None = None
    rate_now: Callable[[], int | None] | None = None
    threads: dict[str, int] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    s3: SharedPace = field(default_factory=SharedPace)
    azure: SharedPace = field(default_factory=SharedPace)
    clock: Callable[[], float] = time.monotonic
    _sessions: dict[str, Heard] = field(default_factory=dict)
    _shares: dict[str, Share] = field(default_factory=dict)
    _told_at: dict[str, float] = field(default_factory=dict)
    _draining: bool = False
    _at_first: int = 0
    _in_flight: int = 0
    _alone_since: float | None = None
    _silent_since: float | None = None

    def __post_init__(self) -> None:
        self._at_first = len(self.threads)

    async def watch(self, stop: Stop, failed: Callable[[BlobmoveError], None]) -> None:
        """Ask everybody again and again, until cancelled. A stop is told at once."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._tell_stop, stop)
            while True:
                await self._look(failed)
                self._divide()
                for worker in self.threads:
                    member = self.members.setdefault(worker, Member())
                    if not member.asked:
                        member.asked = True
                        tasks.start_soon(self._ask, worker, member)
                await anyio.sleep(PULSE_SECONDS * (1 + len(self.threads) / 50))

    async def _tell_stop(self, stop: Stop) -> None:
        """To drain is more urgent than the next pulse."""
        await stop.event.wait()
        self._draining = True
        async with anyio.create_task_group() as tasks:
            for worker in list(self.threads):
                share = self._shares.get(worker, self.share(worker))  # what is under way keeps to its limits
                tasks.start_soon(self.calls.pulse, worker, replace(share, draining=True))

    async def _ask(self, worker: str, member: Member) -> None:
        share = self._shares.get(worker, self.share(worker))
        try:
            heard = await self.calls.pulse(worker, share)
            if heard is not None:
                member.held = share.concurrency
            self.hear(worker, heard)
        finally:
            member.asked = False

    async def last_words(self) -> None:
        """What all have done to the end."""
        with anyio.move_on_after(_LAST_SECONDS):
            async with anyio.create_task_group() as tasks:
                for worker, member in list(self.members.items()):
                    if worker in self.threads:
                        tasks.start_soon(self._ask, worker, member)

    async def _look(self, failed: Callable[[BlobmoveError], None]) -> None:
        """Ask the scheduler who is there; after a while without an answer, or without anybody, the run stops."""
        now, found = self.clock(), await self.calls.threads()
        if found is None:
            self._silent_since = self._silent_since or now
            if now - self._silent_since > SILENT_SECONDS:
                failed(self.calls.lost(TimeoutError("it does not answer")))
            return
        self._silent_since = None
        self._note_changes(found)
        self.threads = found
        for worker in [worker for worker in self.members if worker not in found]:
            del self.members[worker]
        if found:
            self._alone_since = None
            return
        self._alone_since = self._alone_since or now
        if now - self._alone_since > NOBODY_SECONDS:
            failed(UsageError("E404-WORKERS", "the cluster has no workers (any more)",
                              hint=f"start some, then: {self.calls.again}"))

    def _note_changes(self, found: Mapping[str, int]) -> None:
        if not self.members:
            return
        gone, come = self.threads.keys() - found.keys(), found.keys() - self.threads.keys()
        for word, workers in (("lost", gone), ("joined", come)):
            if workers:
                self.listener(Note(f"{word}: {', '.join(sorted(workers))}; {len(found)} workers"))

    def hear(self, worker: str, heard: Heard | None) -> None:
        """Take a worker's word; an older one that comes late is nothing new."""
        if heard is None:
            return
        before = self._sessions.get(heard.session)
        if before is not None and before.number >= heard.number:
            return
        self._sessions[heard.session] = heard
        member = self.members.setdefault(worker, Member())
        member.heard, now = heard, self.clock()
        member.idle = 0 if heard.in_flight else member.idle + 1
        old = before.done if before is not None else Done()
        self._pace(heard.done, old, now - member.at if before is not None and member.at else 0.0)
        member.at = now
        member.window.add(now, heard.done.bytes_written + heard.done.bytes_pulled, heard.done.settled)
        self._add_up(heard.done, old)
        self._retell(heard, before)
        if heard.given_up and not self.bench.pulling.given_up:
            self.bench.pulling.given_up = heard.given_up
            self.listener(Note(f"Azure does not pull from S3 at {worker} ({heard.given_up}): it streams everything"))

    def _retell(self, heard: Heard, before: Heard | None) -> None:
        """That a side has asked a worker for patience; once a second for all workers. `concurrency` is that of all."""
        now = self.clock()
        slots = sum(member.heard.slots for member in self.members.values() if member.heard is not None)
        for side, (number, event) in heard.throttled.items():
            known = before.throttled.get(side, (0, event))[0] if before is not None else 0
            if number > known and now - self._told_at.get(side, -inf) >= 1.0:
                self._told_at[side] = now
                self.listener(replace(event, concurrency=slots))

    def _add_up(self, now: Done, before: Done) -> None:
        counters = self.bench.counters
        for name in _SUMS:
            setattr(counters, name, getattr(counters, name) + getattr(now, name) - getattr(before, name))
        self.bench.s3.retried += now.retried_s3 - before.retried_s3
        self.bench.azure.retried += now.retried_azure - before.retried_azure
        _add(self.bench.s3.retries, before.retries_s3, now.retries_s3)
        _add(self.bench.azure.retries, before.retries_azure, now.retries_azure)
        _add(self.bench.source.requests, before.requests_s3, now.requests_s3)
        _add(self.bench.destination.requests, before.requests_azure, now.requests_azure)
        under_way = sum(member.heard.in_flight for member in self.members.values() if member.heard is not None)
        counters.in_flight += under_way - self._in_flight
        self._in_flight = under_way

    def _pace(self, now: Done, before: Done, seconds: float) -> None:
        """The answers of one worker are a part of all answers: its seconds count as its part of the time."""
        span = seconds / max(1, len(self.members))
        self.s3.hear(span, now.good_s3 - before.good_s3, now.refused_s3 - before.refused_s3)
        self.azure.hear(span, now.good_azure - before.good_azure, now.refused_azure - before.refused_azure)

    def _divide(self) -> None:
        """Everybody's share, by what each has used lately."""
        used = {worker: self._use(worker) for worker in self.threads}
        bytes_used = {worker: self._use(worker, of_bytes=True) for worker in self.threads}
        limit = self.rate_now() if self.rate_now is not None else None
        in_bytes, s3, azure = (
            portions(total, wanted) if total is not None else {}
            for total, wanted in ((limit, bytes_used), (self.s3.rate, used), (self.azure.rate, used))
        )
        concurrency = self._seats()
        self._shares = {
            worker: Share(
                concurrency.get(worker), in_bytes.get(worker), s3.get(worker), azure.get(worker), self._draining
            )
            for worker in self.threads
        }

    def _seats(self) -> dict[str, int]:
        """Everybody's part of `--concurrency`. One that has not confirmed any may have what all had at first."""
        if self.concurrency is None:
            return {}
        first = divided(self.concurrency, self._at_first or len(self.threads))
        members = {worker: self.members.get(worker, Member()) for worker in self.threads}
        return seats(
            self.concurrency, {worker: one.idle < _IDLE_WORDS for worker, one in members.items()},
            {worker: first if one.held is None else one.held for worker, one in members.items()},
        )

    def share(self, worker: str) -> Share:
        """The share of a worker that nobody has counted yet."""
        number = len(self.threads) + (worker not in self.threads)
        limit = self.rate_now() if self.rate_now is not None else None
        return Share(
            None if self.concurrency is None else divided(self.concurrency, number),
            None if limit is None else limit / max(1, number), draining=self._draining,
        )

    def _use(self, worker: str, *, of_bytes: bool = False) -> float:
        member = self.members.get(worker)
        return member.window.rates()[0 if of_bytes else 1] if member is not None else 0.0

    async def dismiss(self, worker: str, trouble: Trouble) -> None:
        """Send a worker away that cannot work."""
        cause = f": {trouble.cause}" if trouble.cause else ""
        self.listener(Note(f"worker {worker} is sent away: {trouble.message}{cause}"))
        await self.calls.dismiss(worker)

    def shown(self) -> tuple[WorkerShown, ...]:
        """The workers as people see them."""
        now = self.clock()
        return tuple(self._show(worker, member, now) for worker, member in self.members.items())

    def _show(self, worker: str, member: Member, now: float) -> WorkerShown:
        heard, (per_byte, per_object) = member.heard, member.window.rates()
        if heard is None:
            return WorkerShown(worker, "opening its doors", 0.0, 0.0, 0, 0)
        quiet = now - member.at
        state = heard.state or "at work"
        if quiet > _QUIET_SECONDS + PULSE_SECONDS * (1 + len(self.threads) / 50):
            state, per_byte, per_object = f"silent for {quiet:.0f} s", 0.0, 0.0
        done, share = heard.done, self._shares.get(worker, Share())
        paces = [rate for rate in (share.s3_rate, share.azure_rate) if rate is not None]
        return WorkerShown(
            worker, state, per_object, per_byte, heard.in_flight, heard.slots, done.settled, done.bytes_read,
            done.bytes_written, done.bytes_pulled, done.retried_s3 + done.retried_azure,
            share.bytes_per_second, min(paces, default=None),
        )  # fmt: skip

    def state(self) -> str:
        """What holds the run back: nobody there, a refusing side, or what most workers wait for."""
        if not self.threads:
            return "waiting for workers"
        for name, pace in (("S3", self.s3), ("Azure", self.azure)):
            if pace.rate is not None:
                return f"limited by {name}: {pace.rate:,.0f} requests/s for all workers"
        states = Counter(member.heard.state for member in self.members.values() if member.heard is not None)
        most = states.most_common(1)
        return most[0][0] if most and most[0][0] else f"{len(self.threads)} workers at work"


def _add(counts: Counter[str], before: Mapping[str, int], now: Mapping[str, int]) -> None:
    for name, number in now.items():
        counts[name] += number - before.get(name, 0)

