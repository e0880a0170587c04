"""The statements that a flip sends by the hundred, written out by hand: reading candidates, changing a batch.

SQLAlchemy would spend more on an IN list of thousands, and a driver more on five columns, than the server on the
rows (measured with 300,000 rows: 41 against 9 microseconds a row for the UPDATE on MariaDB 10.11).
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import lt
from typing import TYPE_CHECKING, Any, Final

from blobmove.core.flipping import UNKNOWN_SIZE, runs_of
from blobmove.core.rows import Rows
from blobmove.stores.rails.table import BLOBS, row_id, text_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from blobmove.stores.rails.table import RowId

Statement = tuple[str, tuple[Any, ...]]
MOST_RANGES: Final = 40
"""With more gaps than that a plain list is planned faster than so many ranges."""
SHORTEST_RANGE: Final = 8
MOST_IDS_A_ROW: Final = 4.0

_NO_CHECKSUM: Final = "\1"
_FIELDS: Final = 5
_NAME: Final = "CONVERT(service_name USING utf8mb4)"
_VALUES: Final = (
    "id", f"IFNULL(byte_size, {UNKNOWN_SIZE})", _NAME,
    "IFNULL(CONVERT(checksum USING utf8mb4), X'01')", "IFNULL(CONVERT(`key` USING utf8mb4), X'02')",
)  # fmt: skip
"""The fields of a row's text. Converted one by one, since columns of different collations cannot be concatenated. A
key that is no text becomes one that no plan knows."""
_CUT_BYTES: Final = 64
"""A text that comes closer than this to the longest one that the server makes may have been cut."""
_COLUMNS: Final = {
    "mysql": f"CONCAT_WS(X'00', {', '.join(_VALUES)})",
    "postgresql": f'id, "key", service_name, COALESCE(byte_size, {UNKNOWN_SIZE}), checksum',
    "sqlite": f'id, "key", service_name, COALESCE(byte_size, {UNKNOWN_SIZE}), checksum',
}


def page_of_candidates(dialect: str, name: str, after: RowId | None, limit: int, services: Sequence[Any]) -> Statement:
    """The next rows by primary key that name one of `services`; `name` is the column for a comparison of bytes."""
    return _page(dialect, _COLUMNS[dialect], name, after, limit, services)


@dataclass(slots=True)
class Stride:
    """How many ids the rows of the page before were apart: from that it is guessed where the next one ends.

    To ask for the end costs the server a third of what the page does. No guess where ids are few and far between, or
    are no numbers: a stretch that is fuller than the one before it would make a page much longer than asked for.
    """

    ids_a_row: float = 0.0

    def end(self, after: RowId | None, limit: int) -> int | None:
        """A likely last id of the page, None where it must be asked for."""
        if not isinstance(after, int) or not 0 < self.ids_a_row <= MOST_IDS_A_ROW:
            return None
        return after + max(1, round(limit * self.ids_a_row))

    def saw(self, after: RowId | None, ids: Sequence[RowId]) -> None:
        """A page has been read that holds these, behind `after`."""
        if not ids or not isinstance(last := ids[-1], int) or not isinstance(first := ids[0], int):
            return
        start = after if isinstance(after, int) else first - 1
        self.ids_a_row = (last - start) / len(ids)


def end_of_page(name: str, after: RowId | None, limit: int, services: Sequence[Any]) -> Statement:
    """The same page for MySQL, first: the id of its last row. No row when fewer than `limit` are left."""
    sql, values = _page("mysql", "id", name, after, 1, services)
    return f"{sql} OFFSET {int(limit) - 1}", values


def page_in_one_value(
    name: str, ends: tuple[RowId | None, RowId | None], services: Sequence[Any], *, numbers: bool
) -> Statement:
    """Then the page itself, the rows behind the first of `ends` up to the second, as one row: how many there are,
    the most bytes that a text may have here, and all of them in one text. Ids that are `numbers` come in no order.
    The name is left out where there is one only, being compared byte by byte here: a quarter of the server's work.

    PyMySQL reads each row as a packet of its own, in Python: that takes longer than all the rest of a flip. To have
    the server keep a page of whole rows, only to limit and order it, costs as much as reading it twice.
    """
    limits = [(sign, one) for sign, one in zip((">", "<="), ends, strict=True) if one is not None]
    within = "".join(f"id {sign} %s AND " for sign, _one in limits)
    order = "" if numbers else " ORDER BY id"
    names = ", ".join(["%s"] * len(services))
    fields = ", X'00', ".join(one for one in _VALUES if len(services) > 1 or one is not _NAME)
    return (
        "SELECT COUNT(*), LEAST(@@group_concat_max_len, @@max_allowed_packet),"
        f" GROUP_CONCAT({fields}{order} SEPARATOR X'00')"
        f" FROM {BLOBS} WHERE {within}{name} IN ({names})", (*(one for _sign, one in limits), *services)
    )


def _page(
    dialect: str, columns: str, name: str, after: RowId | None, limit: int, services: Sequence[Any]
) -> Statement:
    mark = "?" if dialect == "sqlite" else "%s"
    beyond = "" if after is None else f"id > {mark} AND "
    values = () if after is None else (after,)
    names = ", ".join([mark] * len(services))
    sql = f"SELECT {columns} FROM {BLOBS} WHERE {beyond}{name} IN ({names}) ORDER BY id LIMIT {int(limit)}"
    return sql, (*values, *services)


def read_candidates(dialect: str, rows: Sequence[Sequence[Any]], numbers: bool) -> Rows:
    """What page_of_candidates answers; `numbers` says whether ids are integers."""
    if dialect == "mysql":
        return _from_fields([field for row in rows for field in text_of(row[0]).split("\0", _FIELDS - 1)], numbers)
    ids, keys, names, sizes, checksums = zip(*rows, strict=True) if rows else ((), (), (), (), ())
    if dialect == "postgresql":
        return Rows(ids if numbers else list(map(str, ids)), keys, names, sizes, checksums)
    return Rows(
        list(map(row_id, ids)), list(map(text_of, keys)), list(map(text_of, names)), list(map(int, sizes)),
        [None if one is None else text_of(one) for one in checksums],
    )  # fmt: skip


def read_one_value(row: Sequence[Any], numbers: bool, services: Sequence[str]) -> Rows | None:
    """What page_in_one_value answers; None when it cannot be trusted and the page must be read row by row.

    The server cuts a text that is too long for it without an error, which shows in its length; a zero byte within a
    key would move the fields of other rows, which shows in their number.
    """
    count, most, packed = int(row[0]), int(row[1]), row[2]
    if count == 0:
        return Rows()
    if packed is None:
        return None
    data = packed if isinstance(packed, bytes) else str(packed).encode()
    fields = data.decode("utf-8", "surrogateescape").split("\0")
    only = services[0] if len(services) == 1 else None
    if len(data) > most - _CUT_BYTES or len(fields) != count * (_FIELDS if only is None else _FIELDS - 1):
        return None
    found = _from_fields(fields, numbers, only)
    if not numbers or all(map(lt, found.ids, found.ids[1:])):
        return found
    return Rows.of(sorted(found))  # by id, which no two rows share


def _from_fields(fields: list[str], numbers: bool, only: str | None = None) -> Rows:
    """Rows from their fields; `only`: the name of all, which is then not among the fields."""
    number = _FIELDS if only is None else _FIELDS - 1
    columns = [fields[start::number] for start in range(number)]
    if only is not None:
        columns.insert(2, [only] * len(columns[0]))
    ids: Sequence[Any] = list(map(int, columns[0])) if numbers else columns[0]
    checksums: list[str | None] = [*columns[3]]
    if _NO_CHECKSUM in checksums:
        checksums = [None if one == _NO_CHECKSUM else one for one in checksums]
    return Rows(ids, columns[4], columns[2], list(map(int, columns[1])), checksums)


def update_of_batch(
    dialect: str, name: str, ids: Sequence[RowId], old: Any, new: str, *, uuids: bool = False  # noqa: ANN401
) -> Statement:
    """Let those of `ids` that still name `old` name `new`; `uuids`: the column has PostgreSQL's type of that name.

    Integer ids without gaps are written as BETWEEN: the same rows, since each number between is in the batch too.
    """
    mark = "?" if dialect == "sqlite" else "%s"
    wanted, values = _among(dialect, ids, uuids)
    return f"UPDATE {BLOBS} SET service_name = {mark} WHERE ({wanted}) AND {name} = {mark}", (new, *values, old)


def names_of_rows(dialect: str, ids: Sequence[RowId], *, uuids: bool = False) -> Statement:
    """What those of `ids` that exist name now."""
    wanted, values = _among(dialect, ids, uuids)
    return f"SELECT id, service_name FROM {BLOBS} WHERE {wanted}", values


def _among(dialect: str, ids: Sequence[RowId], uuids: bool) -> tuple[str, tuple[Any, ...]]:
    """A condition for exactly these ids."""
    mark = "?" if dialect == "sqlite" else "%s"
    array = ("uuid[]" if uuids else "text[]") if dialect == "postgresql" else None
    numbers = [one for one in ids if isinstance(one, int)]
    if len(numbers) != len(ids):
        if array is not None:  # compared as the column's own type, so that the index serves
            return f"id = ANY(CAST({mark} AS {array}))", (list(ids),)
        return f"id IN ({', '.join([mark] * len(ids))})", tuple(ids)
    return among_numbers(numbers), ()


def among_numbers(numbers: Sequence[int]) -> str:
    """`id BETWEEN 5 AND 90 OR id IN (93, 95)`: ranges where they are long and few, else a list."""
    runs = runs_of(numbers)
    ranges = [(first, last) for first, last in runs if last - first + 1 >= SHORTEST_RANGE]
    if len(ranges) > MOST_RANGES:
        ranges = []
    taken = {pair[0] for pair in ranges}
    single = [one for first, last in runs if first not in taken for one in range(first, last + 1)]
    parts = [f"id BETWEEN {first} AND {last}" for first, last in ranges]
    if single:
        parts.append(f"id IN ({', '.join(map(str, single))})")
    return " OR ".join(parts) or "1 = 0"
