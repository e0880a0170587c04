"""The proof of last resort: where nobody has a checksum of an object, Azure's bytes are read and compared."""

from __future__ import annotations

from dataclasses import dataclass

from blobmove.core.errors import Kind, Side, StoreError
from blobmove.core.model import Proof
from blobmove.engine.bench import Bench
from blobmove.engine.existing import read_md5
from blobmove.engine.requests import Attempts


@dataclass(frozen=True, slots=True)
class Sent:
    """A blob as it should read: size in bytes, MD5, its etag, and whether this run has written it."""

    name: str
    size: int
    md5: bytes
    blob_etag: str
    ours: bool


def require(equal: bool, what: str) -> None:
    """Raises StoreError CORRUPT naming the checksum that the bytes do not have."""
    if not equal:
        raise StoreError(Side.SOURCE, Kind.CORRUPT, "ChecksumDiffers", f"the bytes received do not have {what}")


def tier_at_first(bench: Bench, proof: Proof) -> str | None:
    """The tier to write a blob with: none where it will be read back, since the archive tier cannot be read."""
    return None if proof is Proof.READ_BACK else bench.options.tier


async def require_read_back(bench: Bench, sent: Sent, attempts: Attempts) -> None:
    """Read the blob whole; then put our own into the tier asked for.

    Raises StoreError CORRUPT when other bytes come back; with the etag of our own, so that it can be written anew.
    """
    seen = await read_md5(bench, sent.name, sent.size, attempts, etag=sent.blob_etag)
    if seen != sent.md5:
        error = StoreError(
            Side.DESTINATION, Kind.CORRUPT, "ReadBackDiffers", "Azure serves other bytes than were sent"
        )
        error.written_etag = sent.blob_etag if sent.ours else None
        raise error
    tier = bench.options.tier
    if sent.ours and tier is not None:
        await bench.azure.run(lambda: bench.destination.set_tier(sent.name, tier), attempts)
