"""Reading a copied blob back, every byte of it, and saying how it differs from what was proven."""

from __future__ import annotations

from typing import Final

from blobmove.checkpoint.reader import ProvenCopy
from blobmove.core.errors import StoreError
from blobmove.engine.bench import Bench
from blobmove.engine.existing import read_md5
from blobmove.engine.requests import Attempts

MISSING: Final = "missing on Azure"


async def look(bench: Bench, copy: ProvenCopy) -> str:
    """The difference, "" for none. Raises StoreError where it cannot be read now."""
    bench.counters.in_flight += 1
    try:
        return await _difference(bench, copy)
    except StoreError as error:
        if error.code == "BlobArchived":
            return "in the archive tier: its bytes cannot be read"
        raise
    finally:
        bench.counters.in_flight -= 1


async def _difference(bench: Bench, copy: ProvenCopy) -> str:
    """The size is asked for first: a blob of no bytes is not read at all."""
    name = copy.blob_name
    facts = await bench.azure.run(lambda: bench.destination.properties(name), Attempts())
    if facts is None:
        return MISSING
    if facts.size != copy.size:
        return f"size is {facts.size}, copied were {copy.size} bytes"
    seen = await read_md5(bench, name, copy.size, Attempts(), etag=facts.etag)
    return "" if seen == copy.md5 else f"the bytes have MD5 {seen.hex()}, copied was {_hex(copy.md5)}"


def _hex(digest: bytes | None) -> str:
    return digest.hex() if digest else "unknown"
