"""What travels between coordinator and workers: plain values that can be pickled, and never a secret."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import field

from blobmove.checkpoint.values import Setup
from blobmove.core.circuit import Doubt
from blobmove.core.crew import WorkerFacts
from blobmove.core.errors import AccessError, BlobmoveError, Kind, RefusedError, Side, StoreError, UsageError
from blobmove.core.events import Listener, Throttled
from blobmove.core.frozen import frozen
from blobmove.core.model import Outcome
from blobmove.engine.bench import Bench, MoveOptions
from blobmove.engine.blockpass import Sums
from blobmove.engine.carried import Carried
from blobmove.engine.staging import Staging
from blobmove.engine.stopping import Stop

_CLASSES = {kind.__name__: kind for kind in (UsageError, RefusedError, AccessError)}


@frozen
class Share:
    """One worker's part of the budgets of the run: requests in flight, bytes a second, requests a second per side."""

    concurrency: int | None = None
    bytes_per_second: float | None = None
    s3_rate: float | None = None
    azure_rate: float | None = None
    draining: bool = False


@frozen
class Doors:
    """What a worker's opener yields: a bench like that of one process, its stop, and what was found."""

    bench: Bench
    stop: Stop
    facts: WorkerFacts


@frozen
class Terms:
    """The terms of one run. `opener` is a function every worker has, too: it is sent by its name.

    `facts` are the coordinator's; `max_memory` in bytes is for one worker; `share` holds until the first pulse.
    """

    run: str
    setup: Setup
    options: MoveOptions
    max_memory: int
    facts: WorkerFacts
    opener: Callable[[Terms, Listener], AbstractAsyncContextManager[Doors]]
    share: Share = Share()
    limited: bool = False


@frozen
class Trouble:
    """An error on its way: what a BlobmoveError or a StoreError says, in plain fields."""

    kind: str
    code: str
    message: str
    cause: str | None = None
    hint: str | None = None

    @classmethod
    def of(cls, error: BlobmoveError) -> Trouble:
        return cls(type(error).__name__, error.code, error.message, error.cause, error.hint)

    def error(self, worker: str) -> BlobmoveError:
        """The error again, with the worker it comes from."""
        made = _CLASSES.get(self.kind, UsageError)
        return made(self.code, f"{self.message} (worker {worker})", cause=self.cause, hint=self.hint)


@frozen
class StoreTrouble:
    """A StoreError on its way."""

    side: Side
    kind: Kind
    code: str
    detail: str
    status: int

    @classmethod
    def of(cls, error: StoreError) -> StoreTrouble:
        return cls(error.side, error.kind, error.code, error.detail, error.status)

    def error(self) -> StoreError:
        return StoreError(self.side, self.kind, self.code, self.detail, status=self.status)


@frozen
class Done:
    """What a worker has done in this run: sums that only grow, so that a lost report is made good by the next."""

    bytes_read: int = 0
    bytes_written: int = 0
    bytes_pulled: int = 0
    pulled: int = 0
    streamed: int = 0
    retried_s3: int = 0
    retried_azure: int = 0
    good_s3: int = 0
    good_azure: int = 0
    refused_s3: int = 0
    refused_azure: int = 0
    settled: int = 0
    requests_s3: Mapping[str, int] = field(default_factory=dict)
    requests_azure: Mapping[str, int] = field(default_factory=dict)
    retries_s3: Mapping[str, int] = field(default_factory=dict)
    retries_azure: Mapping[str, int] = field(default_factory=dict)


@frozen
class Heard:
    """One worker's word about itself. `session` is new with every opening of its doors, `number` grows with each word.

    `in_flight`: objects under way; `slots`: requests it may have out to the slower side; `state`: what it waits for;
    `throttled`: by side how often it was asked for patience, and the last time.
    """

    session: str
    number: int
    facts: WorkerFacts | None
    trouble: Trouble | None
    done: Done = Done()
    in_flight: int = 0
    slots: int = 0
    state: str = ""
    given_up: str = ""
    throttled: Mapping[str, tuple[int, Throttled]] = field(default_factory=dict)


@frozen
class Report:
    """What became of a batch. Transfers it does not name were not begun, or not ended: they are still to do.

    `general`: why none of the others will fare better. `unfit`: this worker cannot work at all.
    """

    worker: str
    results: tuple[Outcome | Doubt, ...] = ()
    general: StoreTrouble | None = None
    trouble: Trouble | None = None
    unfit: Trouble | None = None
    heard: Heard | None = None


@frozen
class ReadReport:
    """What was seen of a batch of copies (engine.second_look). Those it does not name were not looked at.

    `general`: why none of the others will fare better.
    """

    worker: str
    results: tuple[Outcome | Doubt, ...] = ()
    general: StoreTrouble | None = None
    trouble: Trouble | None = None
    unfit: Trouble | None = None
    heard: Heard | None = None


@frozen
class Turn:
    """A range of blocks, and how far the MD5s of its object have come before it.

    `crc64`: by index the CRC-64s under which Azure has these blocks. Other bytes must not get into the MD5s.
    """

    staging: Staging
    carried: Carried
    crc64: Mapping[int, int]


@frozen
class Answered:
    """What a worker says of a range of blocks, whatever it had to do. `tries` counts attempts beyond the first.

    `alone`: why the whole object must be left to one worker.
    """

    worker: str
    alone: str = ""
    tries: int = 0
    lost: bool = False
    store: StoreTrouble | None = None
    trouble: Trouble | None = None
    unfit: Trouble | None = None
    heard: Heard | None = None


@frozen
class StageReport(Answered):
    """The sums of a range of blocks, where there are any."""

    sums: Sums | None = None


@frozen
class TurnReport(Answered):
    """How far the MD5s have come after a range, and those of the parts that have ended in it."""

    carried: Carried | None = None
    closed: tuple[bytes, ...] = ()
