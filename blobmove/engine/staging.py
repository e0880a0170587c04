"""The blocks of one object on their way to Azure: read from S3, and staged where Azure lacks them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from blobmove.core.blocks import Block, block_id
from blobmove.core.frozen import frozen
from blobmove.core.model import Transfer
from blobmove.engine.bench import Bench
from blobmove.engine.blockpass import BlockPass, SendBlock, Sums, Wanted
from blobmove.engine.requests import Attempts
from blobmove.engine.small import check_version
from blobmove.stores.http import Body


@frozen
class Staging:
    """Blocks of one object that are to be read, staged and summed up, by this process or by others. Picklable.

    `crc`: the CRC wanted of the whole, None for none but Azure's CRC-64. `held`: the CRC-64s, by index, under which
    Azure has blocks already. `width` is the length of block ids. `wholes` and `per_part`: digests wanted of all bytes
    in order, as `Wanted` has them; `ticket`: the name under which the bytes are kept for these, "" for not at all.
    """

    transfer: Transfer
    etag: str
    blocks: tuple[Block, ...]
    crc: str | None
    fingerprint: str
    held: Mapping[int, int]
    width: int
    wholes: tuple[str, ...] = ()
    per_part: str | None = None
    ticket: str = ""


def staging_pass(bench: Bench, staging: Staging, wanted: Wanted, attempts: Attempts) -> BlockPass:
    """The pass that reads these blocks from S3 and stages those that Azure lacks."""
    return BlockPass(
        bench.memory, staging.blocks, wanted,
        lambda block: read_block(bench, staging.transfer, staging.etag, block, attempts),
        to_azure(bench, staging, attempts), staging.held,
    )


async def read_block(bench: Bench, transfer: Transfer, etag: str, block: Block, attempts: Attempts) -> Body:
    """A block of the object as S3 has it. Raises StoreError (CHANGED where it is one of another version)."""
    answer = await bench.s3.run(
        lambda: bench.source.get(
            transfer.key, etag=etag, version_id=transfer.version_id,
            byte_range=(block.offset, block.length),
        ),
        attempts, corrupt=True, bulk=True,
    )
    bench.counters.bytes_read += block.length
    check_version(replace(transfer, etag=etag), answer)
    await bench.bandwidth.pay(block.length)
    return answer.body


def to_azure(bench: Bench, staging: Staging, attempts: Attempts) -> SendBlock:
    """Stages a block under its own id; Azure recomputes the CRC-64 over what arrives. Raises StoreError."""

    async def send(block: Block, body: Body, crc64: int) -> None:
        name = block_id(staging.fingerprint, block.index, crc64, staging.width)
        await bench.azure.run(
            lambda: bench.destination.put_block(staging.transfer.blob_name, name, body, crc64=crc64), attempts,
            corrupt=True, bulk=True,
        )
        bench.counters.bytes_written += block.length

    return send


def block_ids(staging: Staging, sums: Sums) -> list[str]:
    """The ids of all blocks in the order of the object, as Put Block List wants them."""
    return [
        block_id(staging.fingerprint, block.index, sums.crc64[block.index], staging.width) for block in staging.blocks
    ]
