"""A service with a hidden limit and clients without end, on a virtual clock: thousands of requests in no time."""

from __future__ import annotations

import heapq
from bisect import bisect
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from random import Random

from blobmove.core.concurrency import Concurrency
from blobmove.core.errors import Kind
from blobmove.core.pacing import pause


@dataclass
class Service:
    """Accepts `rate(now)` requests a second. Above it refuses at once (a bucket of `burst_seconds`), or, with
    `queues`, lets them wait their turn for ever. Every answer takes `latency` seconds and up to `jitter` more."""

    rate: Callable[[float], float]
    latency: float
    queues: bool = False
    burst_seconds: float = 0.1
    jitter: float = 0.0
    random: Random = field(default_factory=lambda: Random(1))
    _tokens: float = -1.0
    _seen_at: float = 0.0
    _free_at: float = 0.0

    def answer(self, now: float) -> tuple[bool, float]:
        """Whether a request that arrives now is accepted, and when its answer is there."""
        travel = self.latency + self.random.random() * self.jitter
        limit = self.rate(now)
        if self.queues:
            self._free_at = max(now, self._free_at) + 1 / limit
            return True, self._free_at + travel
        size = max(1.0, limit * self.burst_seconds)
        gained = size if self._tokens < 0 else (now - self._seen_at) * limit
        self._tokens, self._seen_at = min(size, max(0.0, self._tokens) + gained), now
        if self._tokens < 1:
            return False, now + travel
        self._tokens -= 1
        return True, now + travel


class Stalls:
    """A machine that others keep busy: now and then it stands still. Times in seconds, drawn; for `Crowd.noticed`."""

    def __init__(self, runs: float, stands: float, random: Random, until: float = 60.0) -> None:
        self._ends: list[tuple[float, float]] = []
        now = 0.0
        while now < until:
            start = now + random.expovariate(1 / runs)
            now = start + random.expovariate(1 / stands)
            self._ends.append((start, now))

    def __call__(self, when: float) -> float:
        """The moment itself, or the end of the stall in which it lies."""
        number = bisect(self._ends, when, key=lambda stall: stall[0]) - 1
        return max(when, self._ends[number][1]) if number >= 0 else when


@dataclass
class Crowd:
    """`clients` that ask again as soon as they are answered, under the tool's own rules of patience."""

    service: Service
    control: Concurrency
    clients: int = 1000
    cost: float = 0.0  # seconds of the client's only thread for a request
    noticed: Callable[[float], float] = lambda when: when  # when something of this moment is seen by the client
    accepted: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    slowest: list[tuple[float, float]] = field(default_factory=list)
    in_flight: list[tuple[float, int]] = field(default_factory=list)
    random: Random = field(default_factory=lambda: Random(7))

    def run(self, until: float) -> None:
        """Let `until` virtual seconds pass."""
        self._events: list[tuple[float, int, str, tuple[float, int, bool]]] = []
        self._number = count()
        self._out, self._paced_until, self._busy_until = 0, 0.0, 0.0
        self._ready: deque[int] = deque([0] * self.clients)  # each with its refusals so far
        now = 0.0
        self._send(now)
        while self._events:
            now, _, what, (sent, refusals, good) = heapq.heappop(self._events)
            if now > until:
                return
            if what == "answer":
                self._out -= 1
                self._answered(now, sent, refusals, good)
            elif what == "back":
                self._ready.append(refusals)
            self._send(now)

    def _later(self, when: float, what: str, told: tuple[float, int, bool] = (0.0, 0, True)) -> None:
        heapq.heappush(self._events, (self.noticed(when), next(self._number), what, told))

    def _answered(self, now: float, sent: float, refusals: int, good: bool) -> None:
        if good:
            self.accepted.append(now)
            self.slowest.append((now, now - sent))
            self.control.good(now - sent, now)
            self._ready.append(0)
            return
        self.refused.append(now)
        self.control.busy(now)
        wait = pause(Kind.THROTTLED, min(refusals + 1, 8), self.random.random())
        assert wait is not None
        self._later(now + wait, "back", (0.0, refusals + 1, False))

    def _send(self, now: float) -> None:
        """One after the other through the pace, as Requests does; a pause under a millisecond is not slept."""
        if now < self._paced_until:
            return
        while self._ready and self._out < self.control.slots:
            wait = self.control.delay(now) if self.control.pace is not None else 0.0
            self._out += 1
            refusals = self._ready.popleft()
            at = now + wait if wait >= 0.001 else now
            at = self._busy_until = max(at, self._busy_until) + self.cost
            good, answer_at = self.service.answer(at)
            self._later(answer_at, "answer", (at, refusals, good))
            if wait >= 0.001:
                self._paced_until = at
                self._later(at, "paced")
                return
        self.in_flight.append((now, self._out))

    def share(self, start: float, end: float) -> tuple[float, float, float]:
        """Accepted a second, sent a second, and the share refused, of the answers between two moments."""
        good = sum(start <= at < end for at in self.accepted)
        bad = sum(start <= at < end for at in self.refused)
        return good / (end - start), (good + bad) / (end - start), bad / max(1, good + bad)

    def latency(self, start: float, end: float) -> float:
        """The mean latency between two moments."""
        found = [took for at, took in self.slowest if start <= at < end]
        return sum(found) / max(1, len(found))
