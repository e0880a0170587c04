"""What `doctor` looks at in the Rails database: the table, its newest rows, and whether a flip would be allowed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Final, Protocol

from blobmove.core.diagnosis import Area, Finding, Level, grants
from blobmove.core.errors import BlobmoveError, UsageError
from blobmove.operations.doctor import Look, Tell, tell_aside

if TYPE_CHECKING:
    from blobmove.core.flipping import Outlook, ServerFacts
    from blobmove.core.model import BlobRow

NEWEST: Final = 1000
"""Rows whose service is counted: where uploads go now. To count all would read the whole table."""
_ATTACHED: Final = ("GRANT SELECT ON active_storage_attachments TO ...;   (plan tells broken files from abandoned "
                    "uploads by it)")


class Table(Protocol):
    """What is asked of `active_storage_blobs`."""

    def describe(self) -> str: ...
    def newest(self, limit: int) -> list[BlobRow]: ...
    def pages(self, after_id: None = None, limit: int = 1, *, attached: bool = False) -> list[BlobRow]: ...
    def facts(self) -> ServerFacts: ...
    def outlook(self, ids: Sequence[int | str], old: str, new: str) -> Outlook: ...
    def check_grants(self) -> None: ...


Opening = Callable[[], AbstractContextManager[Table]]


def looks_at(open_table: Opening, services: Sequence[str]) -> list[Look]:
    """One look in one thread: the database has one connection, and its driver blocks."""

    async def at(tell: Tell) -> None:
        await tell_aside(lambda: examine(open_table, services), tell)

    return [Look(Area.DATABASE, "table", at)]


def examine(open_table: Opening, services: Sequence[str]) -> Iterator[Finding]:
    """Everything in reading order. Raises what keeps the table from being opened, or one question from its answer."""
    with open_table() as table:
        rows = table.newest(NEWEST)
        yield Finding(Area.DATABASE, "table", Level.OK,
                      f"{table.describe()}: reachable, active_storage_blobs has every column that is needed")
        yield _services(rows, services)
        yield _rights(table, rows)
        yield _attachments(table)
        yield from _role(table)


def _services(rows: Sequence[BlobRow], wanted: Sequence[str]) -> Finding:
    if not rows:
        return Finding(Area.DATABASE, "services", Level.WARNING, "active_storage_blobs is empty",
                       hint="is this the production database? plan without it copies all the same")
    seen = Counter(row.service_name for row in rows)
    text = f"the newest {len(rows):,} rows name " + ", ".join(f"{name} {count:,}" for name, count in seen.most_common())
    absent = [name for name in wanted if name not in seen]
    if not absent:
        return Finding(Area.DATABASE, "services", Level.OK, text, figures=dict(seen))
    return Finding(Area.DATABASE, "services", Level.WARNING, text,
                   f"none of them names {', '.join(absent)}, as --service does",
                   "compare --service with config/storage.yml, and with the environment that uploads",
                   figures=dict(seen))


def _rights(table: Table, rows: Sequence[BlobRow]) -> Finding:
    """By EXPLAIN and the grants: nothing is changed or locked."""
    if rows:
        return grants(table.outlook([rows[0].id], rows[0].service_name, "blobmove-doctor").missing, table.describe())
    try:
        table.check_grants()
    except BlobmoveError:
        return grants(("UPDATE (service_name)",), table.describe())
    return grants((), table.describe())


def _attachments(table: Table) -> Finding:
    """Some servers refuse the question, others hide a table that may not be read: then nothing is told of a row."""
    try:
        rows = table.pages(limit=1, attached=True)
    except BlobmoveError as error:
        return Finding(Area.DATABASE, "attachments", Level.WARNING, error.message, error.cause or "", _ATTACHED,
                       error.code)
    if any(row.attached is None for row in rows):
        return Finding(Area.DATABASE, "attachments", Level.WARNING, "active_storage_attachments cannot be seen",
                       "it is not there, or this user may not read it", _ATTACHED)
    return Finding(Area.DATABASE, "attachments", Level.OK, "may be read: plan can tell what is attached")


def _role(table: Table) -> list[Finding]:
    """A replica is right for `plan` and refuses the flip."""
    try:
        facts = table.facts()
    except UsageError:
        return []
    if not (facts.read_only or facts.replica):
        return []
    return [Finding(Area.DATABASE, "role", Level.WARNING, "this server is a replica or read-only",
                    "it is right for plan; flip-service needs the primary", "point DATABASE_URL at the primary")]
