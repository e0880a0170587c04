"""What a mover needs at hand: the two doors, the budgets, and what the operator asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from blobmove.core.errors import StoreError
from blobmove.core.headers import MetadataNames
from blobmove.core.settings import IfExists
from blobmove.engine.limits import Bandwidth, Budget
from blobmove.engine.requests import Counters, Requests
from blobmove.stores.azure.blobs import AzureBlobs
from blobmove.stores.s3.objects import S3Objects


@dataclass(frozen=True, slots=True)
class MoveOptions:
    """How objects are moved: sizes in bytes; `tier` None leaves the account's default. Picklable."""

    whole_object_limit: int
    block_size: int
    if_exists: IfExists
    tier: str | None
    metadata_names: MetadataNames


@dataclass(frozen=True, slots=True)
class Bench:
    """Opened once per process, shared by all movers; not part of a batch.

    `read_back` is a memory budget of its own: who reads back may hold a body of `memory` meanwhile, and two waits
    for one budget could wait for each other.
    """

    source: S3Objects
    destination: AzureBlobs
    s3: Requests
    azure: Requests
    memory: Budget
    read_back: Budget
    bandwidth: Bandwidth
    counters: Counters
    options: MoveOptions


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
