"""Fetch, prove and read the data files of a report, one at a time: a stream of batches of rows in flat memory."""

from __future__ import annotations

import errno
import hashlib
from contextlib import aclosing, closing
from typing import TYPE_CHECKING, TypeVar

from anyio import to_thread

from blobmove.stores.inventory.csv_rows import csv_rows
from blobmove.stores.inventory.faults import bad_data_file, no_data_file, no_room

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator
    from pathlib import Path

    from blobmove.core.model import ObjectVersion
    from blobmove.stores.inventory.manifest import DataFile, Manifest
    from blobmove.stores.inventory.report_files import ReportFiles

_T = TypeVar("_T")


async def rows(manifest: Manifest, files: ReportFiles, workdir: Path) -> AsyncGenerator[list[ObjectVersion], None]:
    """Every row of the report, in batches of at most 5,000, in the order of the manifest (which is not sorted).

    `workdir` must exist; at most one data file lies in it at a time. Close the generator (`contextlib.aclosing`)
    when not reading to the end. Raises RefusedError: E404-INVENTORY-FILE, E422-INVENTORY-FILE.
    """
    for number, file in enumerate(manifest.files, start=1):
        path = workdir / f"data-{number:06d}"
        try:
            await _fetch(manifest, file, files, path)
            await to_thread.run_sync(_prove, file, path)
            async with aclosing(in_thread(_parse(manifest, file, path))) as batches:
                async for batch in batches:
                    yield batch
        finally:
            path.unlink(missing_ok=True)


async def in_thread(batches: Generator[_T, None, None]) -> AsyncGenerator[_T, None]:
    """A generator that blocks, advanced in a worker thread so that the event loop stays free."""
    with closing(batches):
        while (batch := await to_thread.run_sync(next, batches, None)) is not None:
            yield batch


async def _fetch(manifest: Manifest, file: DataFile, files: ReportFiles, path: Path) -> None:
    """Fetch the key the manifest names, else the file of that name in the data folder beside the dated folder.

    The second is needed for a copy of the report, and for reports of a destination prefix that ends in `/`: S3
    has put those under `PREFIX//` while the manifest said `PREFIX/` (s3.md section 1.3).
    """
    folder = manifest.key.rpartition("/")[0].rpartition("/")
    beside = f"{folder[0]}{folder[1]}data/{file.key.rpartition('/')[2]}"
    tried = list(dict.fromkeys((file.key, beside)))
    for key in tried:
        try:
            return await files.fetch(key, path)
        except FileNotFoundError:
            continue
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise no_room(file.key, file.size, path.parent) from error
            raise
    raise no_data_file(file.key, tried)


def _prove(file: DataFile, path: Path) -> None:
    size = path.stat().st_size
    if size != file.size:
        raise bad_data_file(file.key, f"it has {size:,} bytes, the manifest says {file.size:,}")
    with path.open("rb") as stream:
        md5 = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if md5 != file.md5:
        raise bad_data_file(file.key, f"it has the MD5 {md5}, the manifest says {file.md5}")


def _parse(manifest: Manifest, file: DataFile, path: Path) -> Generator[list[ObjectVersion], None, None]:
    if manifest.format == "CSV":
        return csv_rows(path, file.key, manifest.csv_columns)
    # pyarrow takes a third of a second to import, and only these two formats need it.
    from blobmove.stores.inventory import arrow_rows

    read = arrow_rows.orc_rows if manifest.format == "ORC" else arrow_rows.parquet_rows
    return read(path, file.key)
