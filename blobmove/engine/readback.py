"""The proof of last resort: where nobody has a checksum of an object, Azure's bytes are read and compared."""

from __future__ import annotations

from blobmove.core.errors import Kind, Side, StoreError
from blobmove.core.frozen import frozen
from blobmove.core.model import Proof, RailsFacts
from blobmove.engine.bench import Bench
from blobmove.engine.existing import read_md5
from blobmove.engine.requests import Attempts


@frozen
class Sent:
    """A blob as it should read: size in bytes, MD5, its etag, and whether this run has written it."""

    name: str
    size: int
    md5: bytes
    blob_etag: str
    ours: bool


def require(equal: bool, what: str, side: Side = Side.SOURCE) -> None:
    """Raises StoreError CORRUPT naming the checksum that the bytes received from this side do not have."""
    if not equal:
        raise StoreError(side, Kind.CORRUPT, "ChecksumDiffers", f"the bytes received do not have {what}")


def prove_by_rails(rails: RailsFacts | None, md5: bytes, sha256: bytes | None, *, last: bool) -> Proof:
    """By the row where it agrees; a row can be wrong, so at the `last` attempt the blob is to be read back instead.

    Raises StoreError CORRUPT before that.
    """
    if rails is not None:
        if rails.agree(md5, sha256):
            return Proof.RAILS_MD5
        require(last, "the checksum in the Rails row")
    return Proof.READ_BACK


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
