"""The table `active_storage_blobs` as SQLAlchemy Core sees it, and its rows as our nouns."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import BigInteger, Column, Exists, MetaData, Row, String, Table, Uuid, exists, types

from blobmove.core.flipping import UNKNOWN_SIZE
from blobmove.core.model import BlobRow

RowId = int | str
BLOBS: Final = "active_storage_blobs"
ATTACHMENTS: Final = "active_storage_attachments"
COLUMNS: Final = ("id", "key", "service_name", "byte_size", "checksum", "content_type")


def blobs_table(found_id_type: types.TypeEngine[Any], dialect: str) -> Table:
    """The columns we read, the same in every Rails from 6.1 to 8.1; `id` as the database declares it."""
    return Table(
        BLOBS,
        MetaData(),
        Column("id", _id_type(found_id_type, dialect), primary_key=True),
        Column("key", String()),
        Column("service_name", String()),
        Column("byte_size", BigInteger()),
        Column("checksum", String()),
        Column("content_type", String()),
    )


def is_attached(blobs: Table) -> Exists:
    """Whether any attachment (variants and previews have theirs too) points at the row."""
    attachments = Table(ATTACHMENTS, MetaData(), Column("blob_id"))
    return exists().where(attachments.c.blob_id == blobs.c.id)


def blob_row(row: Row[*tuple[Any, ...]], attached: bool) -> BlobRow:
    """COLUMNS, and one more when `attached` was asked for."""
    return BlobRow(
        id=row_id(row[0]),
        key=text_of(row[1]),
        service_name=text_of(row[2]),
        byte_size=UNKNOWN_SIZE if row[3] is None else int(row[3]),
        checksum=None if row[4] is None else text_of(row[4]),
        content_type=None if row[5] is None else text_of(row[5]),
        attached=bool(row[6]) if attached else None,
    )


def row_id(value: Any) -> RowId:  # noqa: ANN401 - whatever a driver returns
    return value if isinstance(value, int) else str(value)


def text_of(value: Any) -> str:  # noqa: ANN401
    """Text of a text or binary column; NULL reads as the empty name, which no service has."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return "" if value is None else str(value)


def _id_type(found: types.TypeEngine[Any], dialect: str) -> types.TypeEngine[Any]:
    if isinstance(found, types.Integer):
        return BigInteger()
    # Elsewhere Uuid() would send 32 digits without hyphens, and text is what those databases hold.
    return Uuid(as_uuid=False) if dialect == "postgresql" and isinstance(found, Uuid) else String()
