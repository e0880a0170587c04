"""Where the parts of a multipart object end: asked from S3, or guessed and confirmed by the ETag."""

from __future__ import annotations

import hashlib
from typing import Any

from anyio import to_thread

from blobmove.core.blocks import likely_part_sizes, uniform_parts
from blobmove.core.digests import multipart_etag, parts_of_etag
from blobmove.engine.bench import Bench
from blobmove.engine.requests import Attempts


async def part_sizes(
    bench: Bench, key: str, version_id: str | None, size: int, attempts: Attempts, *, exact: bool
) -> tuple[int, ...] | None:
    """The sizes of the parts in bytes, or None where the source does not tell.

    One HEAD for the first part and the number of parts; if all others can be as large as it, that is the answer,
    unless `exact`: then every part is asked for. S3: `x-amz-mp-parts-count` with `partNumber`.
    """
    first = await bench.s3.run(lambda: bench.source.head(key, etag=None, version_id=version_id, part=1), attempts)
    count = first.headers.get("x-amz-mp-parts-count")
    if count is None or not count.isdigit():
        return None
    length = int(first.headers["content-length"])
    uniform = uniform_parts(size, length, int(count))
    if uniform is not None and not exact:
        return uniform
    return await _every_part(bench, key, version_id, size, [length], int(count), attempts)


async def _every_part(
    bench: Bench, key: str, version_id: str | None, size: int, sizes: list[int], count: int, attempts: Attempts
) -> tuple[int, ...] | None:
    for number in range(2, count + 1):
        answer = await bench.s3.run(
            lambda n=number: bench.source.head(key, etag=None, version_id=version_id, part=n), attempts  # type: ignore[misc]
        )
        sizes.append(int(answer.headers["content-length"]))
    return tuple(sizes) if sum(sizes) == size else None


def _guess(body: Any, etag: str) -> tuple[int, ...] | None:  # noqa: ANN401 - anything with the buffer protocol
    count = parts_of_etag(etag)
    if count is None:
        return None
    view = memoryview(body)
    for part in likely_part_sizes(len(view), count):
        pieces = [view[start:start + part] for start in range(0, len(view), part)]
        if multipart_etag(hashlib.md5(piece).digest() for piece in pieces) == etag:
            return tuple(len(piece) for piece in pieces)
    return None


async def guess(body: Any, etag: str) -> tuple[int, ...] | None:  # noqa: ANN401 - anything with the buffer protocol
    """The part sizes that give this ETag for this body, or None: no request, a few MD5s in a thread."""
    return await to_thread.run_sync(_guess, body, etag)
