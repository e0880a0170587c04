"""Builds what is measured: an inventory in Parquet and Rails' table of N objects; outcomes through the one writer.

`python -m tests.scale.building inventory FOLDER ROWS` and `... settle CHECKPOINT LEAVE`: processes of their own, so
that the one that measures stays small.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, Final

from blobmove.checkpoint.reader import CheckpointReader
from blobmove.checkpoint.writer import CheckpointWriter
from blobmove.core.model import State, Transfer
from blobmove.demo.inventory_report import write_report
from tests.scale.company import Item, outcomes
from tests.servers.rails_schema import activestorage

BUCKET: Final = "scale"
DATABASE: Final = "production.sqlite3"
_FIELDS: Final = ("Size", "LastModifiedDate", "ETag", "StorageClass", "IsMultipartUploaded", "EncryptionStatus",
                  "ChecksumAlgorithm")
_FILE_ROWS: Final = 100_000
_WINDOW: Final = 400
"""So many transfers are under way at once: within this distance outcomes come in any order."""
_WINDOWS: Final = 10
"""So many are recorded in one transaction; a copy records at most 500 outcomes in one, here nobody waits for them."""


def inventory(folder: Path, rows: int) -> None:
    """A delivered report below `folder`, and Rails' database beside it."""
    def put(key: str, content: bytes) -> None:
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    write_report(
        (_listed(Item(number)) for number in range(rows)), source_bucket=BUCKET, destination_bucket="inventories",
        prefix="", config_id="daily", format="Parquet", when=datetime(2026, 11, 20, 1, 0, tzinfo=UTC), put=put,
        versions=False, fields=_FIELDS, rows_per_file=_FILE_ROWS,
    )
    with closing(sqlite3.connect(folder / DATABASE)) as database, database:
        for statement in activestorage("sqlite"):
            database.execute(statement)
        items = (Item(number) for number in range(rows))
        database.executemany(
            'INSERT INTO active_storage_blobs (id, "key", filename, content_type, service_name, byte_size, checksum,'
            " created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (item.rails_row() for item in items if item.rails),
        )
        database.execute(
            "INSERT INTO active_storage_attachments (name, record_type, record_id, blob_id, created_at)"
            " SELECT 'file', 'Document', id, id, created_at FROM active_storage_blobs"
        )
        # Rails' own index of attachments, without which nobody could ask which blobs are attached.
        database.execute("CREATE INDEX attached_blob ON active_storage_attachments (blob_id)")


def _listed(item: Item) -> dict[str, Any]:
    return {
        "key": item.key, "size": item.size, "last_modified_date": datetime.fromtimestamp(item.modified_ms / 1000, UTC),
        "e_tag": item.etag, "storage_class": "STANDARD", "is_multipart_uploaded": item.large,
        "encryption_status": "SSE-S3", "checksum_algorithm": "CRC64NVME",
    }


def settle(checkpoint: Path, leave: int) -> None:
    """Record outcomes as a copy does, the large objects first, until `leave` small ones are pending."""
    draw = Random(1)
    with CheckpointReader(checkpoint) as reader, CheckpointWriter(checkpoint, "copy") as writer:
        writer.begin_run(reader.setup().plan)
        work = _pending(reader)
        settled, count = 0, max(0, reader.totals().objects[State.PENDING] - leave)
        while settled < count:
            some = list(islice(work, min(_WINDOW * _WINDOWS, count - settled)))
            writer.settle(outcomes(_disordered(some, draw)))
            settled += len(some)
        writer.end_run(0, {"settled": settled})


def _disordered(transfers: Sequence[Transfer], draw: Random) -> list[Transfer]:
    found: list[Transfer] = []
    for start in range(0, len(transfers), _WINDOW):
        window = list(transfers[start:start + _WINDOW])
        draw.shuffle(window)
        found += window
    return found


def _pending(reader: CheckpointReader) -> Iterator[Transfer]:
    after = (2**62, -1)
    page: Sequence[Transfer]
    while page := reader.pending_large(after, 1000):
        after = (page[-1].size or 0, page[-1].id)
        yield from page
    last = -1
    while page := reader.pending(last, 1000):
        last = page[-1].id
        yield from page


if __name__ == "__main__":
    _, what, where, number = sys.argv
    {"inventory": inventory, "settle": settle}[what](Path(where), int(number))
