"""Read one ORC or Parquet data file of a report through pyarrow; import this module only when one is to be read.

Keys are raw here. The file's own schema decides which columns there are; the manifest's fileSchema is not asked.
Timestamps without a zone are UTC. Source: s3.md section 1.6.

Only files whose MD5 was proven come here. That matters for ORC: its C++ reader can crash the process on bytes damaged
at random (one in about a thousand of those tried with pyarrow 26), where Parquet's raises.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import dataset
from pyarrow import parquet as pq

from blobmove.core.errors import UsageError
from blobmove.stores.inventory.columns import BATCH_ROWS, NULL_VERSION, known_columns, to_objects
from blobmove.stores.inventory.faults import bad_data_file

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from blobmove.core.model import ObjectVersion

_READ_BUFFER: Final = 1 << 20

_BOOLEANS: Final = {"is_latest": True, "is_delete_marker": False, "is_multipart": None}
"""What a null means in each of the columns of booleans."""


def parquet_rows(path: Path, name: str) -> Generator[list[ObjectVersion], None, None]:
    """Batches of rows of the Parquet file at `path`; `name` is what errors call it.

    Raises RefusedError E422-INVENTORY-FILE for a file that cannot be read, naming the row group.
    """
    with _naming(name, "the footer"):
        file = pq.ParquetFile(path, buffer_size=_READ_BUFFER, pre_buffer=False)
    with file:
        columns = _wanted(file.schema_arrow, name)
        for group in range(file.num_row_groups):
            with _naming(name, f"row group {group + 1} of {file.num_row_groups}"):
                batches = file.iter_batches(BATCH_ROWS, row_groups=[group], columns=list(columns.values()))
                for batch in batches:
                    yield _objects(batch, columns)


def orc_rows(path: Path, name: str) -> Generator[list[ObjectVersion], None, None]:
    """Batches of rows of the ORC file at `path`; errors as in `parquet_rows`, naming the row.

    Read as a dataset of one file: `ORCFile.read_stripe` holds a whole stripe in memory (measured: 312 MiB at the
    peak for a stripe of two million rows, where this stays as low as Parquet).
    """
    with _naming(name, "the footer"):
        file = dataset.dataset(str(path), format=dataset.OrcFileFormat())
        columns = _wanted(file.schema, name)
        batches = file.scanner(
            columns=list(columns.values()),
            batch_size=BATCH_ROWS,
            batch_readahead=1,
            fragment_readahead=1,
            use_threads=False,
        ).to_batches()
    done = 0
    while True:
        with _naming(name, f"after row {done}"):
            batch = next(batches, None)
            if batch is None:
                return
            objects = _objects(batch, columns)
        done += len(objects)
        yield objects


@contextmanager
def _naming(name: str, where: str) -> Iterator[None]:
    """Turn what pyarrow raises into the one error of this door; an unreadable value is a ValueError as well."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        first_line = str(error).split("\n", 1)[0]
        if "zoneinfo" in first_line or "time zone" in first_line.lower():
            # The ORC library opens the zone GMT by name: bare containers lack it.
            raise UsageError(
                "E500-TZDATA",
                "this system has no time zone files, which reading ORC needs",
                cause=first_line,
                hint="apt-get install tzdata, or have the inventory written as Parquet",
            ) from error
        raise bad_data_file(name, f"{where}: {first_line}") from error


def _wanted(schema: pa.Schema, name: str) -> dict[str, str]:
    """Field of ObjectVersion → name of its column in this file."""
    found = {field: schema.names[position] for field, position in known_columns(schema.names).items()}
    if "key" not in found:
        raise bad_data_file(name, f"it has no column key, only {', '.join(schema.names)}")
    return found


def _objects(batch: pa.RecordBatch, columns: dict[str, str]) -> list[ObjectVersion]:
    return to_objects({field: _values(field, batch.column(column)) for field, column in columns.items()})


def _values(field: str, column: pa.Array[Any]) -> list[Any]:
    if field == "modified_ms":
        return _milliseconds(column)
    if field == "size":
        return _sizes(column.cast(pa.int64()))
    if field in _BOOLEANS:
        values, missing = _plain(column.cast(pa.bool_())), _BOOLEANS[field]
        return [missing if value is None else value for value in values] if column.null_count else values
    return _texts(field, _plain(column.cast(pa.string())))


def _texts(field: str, values: list[str | None]) -> list[Any]:
    if field == "key":
        if None in values or "" in values:
            raise ValueError("a row has no key")
        return values
    if field == "etag":
        return [value.strip('"') or None if value else None for value in values]
    missing = {"version_id": NULL_VERSION, "storage_class": "STANDARD"}.get(field)
    return [value or missing for value in values]


def _sizes(column: pa.Array[Any]) -> list[Any]:
    smallest = pc.min(column).as_py()
    if smallest is not None and smallest < 0:
        raise ValueError(f"a row has the size {smallest}")
    return _plain(column)


def _milliseconds(column: pa.Array[Any]) -> list[Any]:
    """With a zone Arrow counts in UTC; without one the report means UTC too, so the count is the same."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("ms", tz=column.type.tz), safe=False)
    return _plain(column.cast(pa.int64()))


def _plain(column: pa.Array[Any]) -> list[Any]:
    values: list[Any] = column.to_pylist()
    return values
