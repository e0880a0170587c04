"""What a mover needs at hand: the two doors, the budgets, and what the operator asked for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field, replace
from typing import TYPE_CHECKING

from blobmove.core.errors import StoreError
from blobmove.core.events import Listener, silent
from blobmove.core.frozen import frozen
from blobmove.core.headers import MetadataNames
from blobmove.core.lanes import LargeLane
from blobmove.core.settings import ContentFrom, IfExists, Route
from blobmove.core.transfer import MAX_WHOLE_BYTES, Pulling
from blobmove.engine.limits import Bandwidth, Budget, Part, Ranked
from blobmove.engine.requests import Attempts, Counters, Requests
from blobmove.stores.azure.blobs import AzureBlobs
from blobmove.stores.s3.objects import S3Objects

if TYPE_CHECKING:
    from blobmove.engine.blockpass import Found
    from blobmove.engine.staging import Staging

    Spread = Callable[[Staging, Attempts], Awaitable[Found]]


@frozen
class MoveOptions:
    """How objects are moved: sizes in bytes; `tier` None leaves the account's default. Picklable.

    `whole_pull_limit`: up to this size Azure pulls an object in one request.
    """

    whole_object_limit: int
    block_size: int
    if_exists: IfExists
    tier: str | None
    metadata_names: MetadataNames
    transfer: Route = Route.STREAM
    content_from: ContentFrom = ContentFrom.HEAD
    whole_pull_limit: int = MAX_WHOLE_BYTES


@frozen
class Bench:
    """Opened once per process, shared by all movers; not part of a batch.

    `read_back` is a memory budget of its own: who reads back may hold a body of `memory` meanwhile, and two waits
    for one budget could wait for each other. `pulling`: what the run has learnt about copies by Azure itself. `spread`
    has the blocks of large objects staged by others; None: this process does it.
    """

    source: S3Objects
    destination: AzureBlobs
    s3: Requests
    azure: Requests
    memory: Budget | Ranked
    read_back: Budget
    bandwidth: Bandwidth
    counters: Counters
    options: MoveOptions
    pulling: Pulling = field(default_factory=Pulling)
    listener: Listener = silent
    lane: LargeLane = field(default_factory=LargeLane)
    large_memory: Part | None = None
    spread: Spread | None = None

    def places(self) -> int:
        """How many objects may be under way now: so many that both sides have all the requests they take.

        Those of S3 come with the first request to it. Where Azure alone is asked (copies by Azure with Rails' rows)
        more objects would only stand in its queue: 5 us of CPU each.
        """
        slots = self.azure.concurrency.slots
        return slots + self.s3.concurrency.slots if self.source.requests else slots

    def for_large(self) -> Bench:
        """The bench as one large object sees it: it has a part of the memory, before those that begin later."""
        return self if self.large_memory is None else replace(self, memory=self.large_memory.ranked())


class OneMachine(Exception):
    """Raised by a mover whose bench spreads blocks: this object needs all its bytes in one place, says its text."""


class GeneralFailure(Exception):
    """Raised by a mover when an answer concerns every object: the run must stop, this object stays pending."""

    def __init__(self, error: StoreError) -> None:
        super().__init__(str(error))
        self.error = error


def encryption_of(headers: Mapping[str, str], told: str | None) -> str | None:
    """The encryption as the answer says it, else as the inventory did (s3.md section 2)."""
    if "x-amz-server-side-encryption-customer-algorithm" in headers:
        return "SSE-C"
    return headers.get("x-amz-server-side-encryption") or told
