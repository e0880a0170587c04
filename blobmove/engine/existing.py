"""A blob of that name is already there: is it the same, ours, or somebody else's?"""

from __future__ import annotations

import hashlib
from enum import Enum, auto

from anyio import to_thread

from blobmove.core.blocks import read_block_id
from blobmove.core.frozen import frozen
from blobmove.core.settings import IfExists
from blobmove.engine.bench import Bench
from blobmove.engine.requests import Attempts
from blobmove.stores.azure.blobs import ABSENT, BlobFacts, Condition


class Verdict(Enum):
    """What to do about an existing blob."""

    IDENTICAL = auto()
    WRITE = auto()
    CONFLICT = auto()


@frozen
class Existing:
    """The verdict, the blob's etag where it is identical, and under which condition to write."""

    verdict: Verdict
    blob_etag: str = ""
    condition: Condition = ABSENT
    reason: str = ""


async def judge(bench: Bench, name: str, size: int, md5: bytes | None, attempts: Attempts) -> Existing:
    """Compare an existing blob with what S3 holds (`md5` proven or about to be; None: only sizes can be compared).

    `--if-exists`: compare leaves a different blob alone (conflict), overwrite replaces exactly the one seen, fail
    takes every blob for a conflict that is not equal by its size and MD5, and reads none.
    """
    facts = await bench.azure.run(lambda: bench.destination.properties(name), attempts)
    if facts is None:
        return Existing(Verdict.WRITE)
    if facts.placeholder:
        return Existing(Verdict.WRITE, condition=Condition(facts.etag))
    policy = bench.options.if_exists
    if policy is IfExists.FAIL and not attempts.lost:
        # Equal by what Azure says of it: our own, from a run that was killed before it could note it. Never read.
        if facts.size == size and md5 is not None and facts.md5 == md5 and facts.blob_type == "BlockBlob":
            return Existing(Verdict.IDENTICAL, facts.etag)
        return Existing(Verdict.CONFLICT, reason="destination-exists")
    if await _identical(bench, name, facts, size, md5, attempts):
        return Existing(Verdict.IDENTICAL, facts.etag)
    if policy is IfExists.OVERWRITE and facts.blob_type == "BlockBlob":
        return Existing(Verdict.WRITE, condition=Condition(facts.etag))
    return Existing(Verdict.CONFLICT, reason="destination-differs")


async def _identical(
    bench: Bench, name: str, facts: BlobFacts, size: int, md5: bytes | None, attempts: Attempts
) -> bool:
    """Equal size, and an MD5 that Azure computed itself; what an uploader merely claimed is read back."""
    if facts.size != size or md5 is None or facts.blob_type != "BlockBlob":
        return False
    if facts.md5 is not None and facts.md5 != md5:
        return False
    if facts.md5 == md5 and await _md5_is_azures(bench, name, attempts):
        return True
    return await read_md5(bench, name, size, attempts, etag=facts.etag) == md5


async def _md5_is_azures(bench: Bench, name: str, attempts: Attempts) -> bool:
    """Put Blob checks or computes the MD5; Put Block List stores whatever it is told (azure-blob.md section 2).

    A blob without committed blocks came by Put Blob. Blocks whose ids are this program's were proven before they
    were committed.
    """
    blocks = await bench.azure.run(lambda: bench.destination.blocks(name, committed=True), attempts)
    return all(read_block_id(block_id) is not None for block_id, _ in blocks)


async def read_md5(bench: Bench, name: str, size: int, attempts: Attempts, *, etag: str | None = None) -> bytes:
    """The MD5 of the bytes Azure serves, read block by block."""
    hasher = hashlib.md5()
    step = bench.options.block_size
    for offset in range(0, size, step):
        length = min(step, size - offset)
        async with bench.read_back.hold(length):
            body = await bench.azure.run(
                lambda o=offset, n=length: bench.destination.read(name, o, n, etag=etag), attempts, corrupt=True  # type: ignore[misc]
            )
            bench.counters.bytes_read += length
            await to_thread.run_sync(hasher.update, body)
    return hasher.digest()
