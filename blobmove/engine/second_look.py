"""Reading a copied blob back, every byte of it: how Azure holds it now, as one outcome or in doubt."""

from __future__ import annotations

from typing import Final

from blobmove.checkpoint.reader import ProvenCopy
from blobmove.core.circuit import Doubt
from blobmove.core.errors import Kind, Side, StoreError
from blobmove.core.model import Outcome, State
from blobmove.engine.bench import Bench
from blobmove.engine.endings import Ends, ended
from blobmove.engine.existing import read_md5
from blobmove.engine.requests import Attempts

MISSING: Final = "missing on Azure"
LOOKS: Final = 3
"""How often a blob is looked at that somebody writes meanwhile."""

_ENDS: Final[Ends] = {(Side.DESTINATION, Kind.MISSING): (State.GONE, "missing")}


async def look(bench: Bench, copy: ProvenCopy, etag: str | None = None) -> Outcome | Doubt:
    """`present` for identical, `conflict` for different (`detail` says in what), `gone`, `failed` for unreadable.

    Never raises StoreError; raises GeneralFailure where the answer concerns every blob. A blob that was listed is of
    the right size, and has this `etag`.
    """
    attempts = Attempts()
    bench.counters.in_flight += 1
    try:
        return await _seen(bench, copy, etag, attempts)
    except StoreError as error:
        if error.code == "BlobArchived":
            return differs(copy, "in the archive tier: its bytes cannot be read")
        return ended(copy.id, error, attempts, _ENDS)
    finally:
        bench.counters.in_flight -= 1


def missing(copy: ProvenCopy) -> Outcome:
    """Azure holds nothing under this name."""
    return Outcome(copy.id, State.GONE, "missing", MISSING)


def differs(copy: ProvenCopy, what: str) -> Outcome:
    """Azure holds something else."""
    return Outcome(copy.id, State.CONFLICT, "different", what)


def of_size(copy: ProvenCopy, size: int) -> Outcome | None:
    """What another size says; None for the same."""
    return None if size == copy.size else differs(copy, f"size is {size}, copied were {copy.size} bytes")


def of_md5(copy: ProvenCopy, md5: bytes, what: str) -> Outcome:
    """What this MD5 says, which belongs to `what`."""
    if md5 == copy.md5:
        return Outcome(copy.id, State.PRESENT)
    return differs(copy, f"{what} {md5.hex()}, copied was {copy.md5.hex() if copy.md5 else 'unknown'}")


async def _seen(bench: Bench, copy: ProvenCopy, etag: str | None, attempts: Attempts) -> Outcome:
    """All bytes are of one version; where another one comes meanwhile, that is looked at."""
    for _ in range(LOOKS - 1):
        try:
            return await _seen_once(bench, copy, etag, attempts)
        except StoreError as error:
            if error.kind is not Kind.EXISTS:
                raise
            etag = None
    return await _seen_once(bench, copy, etag, attempts)


async def _seen_once(bench: Bench, copy: ProvenCopy, etag: str | None, attempts: Attempts) -> Outcome:
    """The size is asked for first: a blob of no bytes is not read at all."""
    if etag is None:
        facts = await bench.azure.run(lambda: bench.destination.properties(copy.blob_name), attempts)
        if facts is None:
            return missing(copy)
        if other := of_size(copy, facts.size):
            return other
        etag = facts.etag
    md5 = await read_md5(bench, copy.blob_name, copy.size, attempts, etag=etag)
    return of_md5(copy, md5, "the bytes have MD5")
