"""Which column of a report fills which field of an object, and how columns become rows.

CSV names (`IsMultipartUploaded`), the snake case of ORC and Parquet (`is_multipart_uploaded`) and the names of an S3
Metadata export (`is_multipart`) meet here. Columns that are not named here are ignored: S3 keeps adding some.
Source: s3.md sections 1.3, 1.6 and 1.8.
"""

from __future__ import annotations

from dataclasses import fields
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final

from blobmove.core.model import ObjectVersion

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

BATCH_ROWS: Final = 5_000
"""Rows handed on at once: enough to make hand-over free, few enough to keep memory flat (about 2 MB)."""

LARGEST_SIZE: Final = 2**63 - 1
"""Bytes: what the checkpoint can hold, far above what S3 can."""

NULL_VERSION: Final = "null"
"""What S3 wants to be asked for an object written before versioning was switched on."""

_FIELD_BY_COLUMN: Final = {
    "key": "key",
    "size": "size",
    "etag": "etag",
    "versionid": "version_id",
    "lastmodifieddate": "modified_ms",
    "storageclass": "storage_class",
    "islatest": "is_latest",
    "isdeletemarker": "is_delete_marker",
    "ismultipartuploaded": "is_multipart",
    "ismultipart": "is_multipart",
    "encryptionstatus": "encryption",
    "intelligenttieringaccesstier": "archive_tier",
    "checksumalgorithm": "checksum_algorithm",
}

_DEFAULTS: Final = {field.name: field.default for field in fields(ObjectVersion)}


def known_columns(names: Iterable[str]) -> dict[str, int]:
    """Field of ObjectVersion → position of its column; unknown columns are left out.

    >>> known_columns(["Bucket", "Key", "ETag"])
    {'key': 1, 'etag': 2}
    """
    found: dict[str, int] = {}
    for position, name in enumerate(names):
        field = _FIELD_BY_COLUMN.get(name.replace("_", "").lower())
        if field is not None:
            found.setdefault(field, position)
    return found


def to_objects(columns: Mapping[str, Iterable[Any]]) -> list[ObjectVersion]:
    """Columns of equal length by field name (`key` must be among them) as rows; the others get their defaults."""
    filled = (columns[name] if name in columns else repeat(default) for name, default in _DEFAULTS.items())
    return list(map(ObjectVersion, *filled))
