"""One billion objects over many workers, without a network: batch after batch in simulated time.

The decisions are the program's own (core.crew: how many are in a batch, how many batches are out); what things cost
is measured. It answers what binds first: the workers, the account, or the one coordinator.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Final

from blobmove.core.crew import WORKER_OBJECTS, batch_objects, batches_out

OBJECTS: Final = 1_000_000_000
ACCOUNT_REQUESTS: Final = 20_000.0
"""Requests a second that an Azure account takes by default (a copied object is one write)."""

THREADS: Final = 2
PULSE_CPU: Final = 0.001
BYTES_AN_OBJECT: Final = 146.5
"""Of the checkpoint, all settled (scripts/scale)."""


@dataclass(frozen=True, slots=True)
class Costs:
    """CPU seconds of the coordinator an object: reading the plan, feeding, receiving, recording."""

    an_object: float

    @classmethod
    def of(cls, measured: dict[str, float]) -> Costs:
        """From two runs of different size: what is left when the start has been taken off."""
        (few, less), (many, more) = sorted((int(number), seconds) for number, seconds in measured.items())
        return cls(max(1e-6, (more - less) / (many - few)))


@dataclass(frozen=True, slots=True)
class Simulated:
    """One simulated run. `binds` names what held it back; `busy` is the share of one core the coordinator used."""

    workers: int
    hours: float
    objects_per_second: float
    busy: float
    idle: float
    batches: int
    gib: float
    binds: str


def simulated(
    workers: int, costs: Costs, *, objects: int = OBJECTS, per_worker: float = WORKER_OBJECTS,
    account: float = ACCOUNT_REQUESTS,
) -> Simulated:
    """Run it. The coordinator is one server that handles one batch after the other; so is the account's limit."""
    places = batches_out({str(number): THREADS for number in range(workers)})
    rate = min(per_worker, account / workers) / THREADS  # objects a second of one batch on its way
    pulses = workers * PULSE_CPU / (1 + workers / 50)  # CPU a second that goes into asking how it goes
    slowed = 1 / max(0.05, 1 - pulses)
    threads = [0.0] * (workers * THREADS)  # when each is free
    heapq.heapify(threads)
    out: list[tuple[float, int]] = []
    now = coordinator = busy = worked = 0.0
    left, batches = objects, 0
    while left or out:
        if left and len(out) < places:
            number = min(left, batch_objects(left, places))
            cost = number * costs.an_object * slowed
            coordinator = max(coordinator, now) + cost
            busy += cost
            begun = max(coordinator, heapq.heappop(threads))
            ended = begun + number / rate
            worked += number / rate
            heapq.heappush(threads, ended)
            heapq.heappush(out, (ended, number))
            left -= number
            batches += 1
        else:
            now = max(now, heapq.heappop(out)[0])
    now = max(now, coordinator)
    idle = 1 - worked / (now * workers * THREADS)
    return Simulated(workers, now / 3600, objects / now, busy / now, idle, batches, objects * BYTES_AN_OBJECT / 2**30,
                     _binds(idle, per_worker, account / workers))


def _binds(idle: float, per_worker: float, share: float) -> str:
    if idle > 0.05:  # they wait for work, and only one gives it
        return "the coordinator's one core"
    return "the account's limit" if share < per_worker else "the workers"
