"""`active_storage_blobs` behind a door: read pages of rows, change `service_name` by compare-and-set.

Everything here blocks: it is used from one thread at a time. One connection, short transactions, none left open.
Whatever a driver raises leaves this room as a BlobmoveError (the operator can cure it) or as a DatabaseTrouble
(it passes: try again, or connect again).
"""

from __future__ import annotations

import re
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Select, String, Uuid, func, inspect, or_, select, text, types
from sqlalchemy.exc import DBAPIError, NoSuchTableError

from blobmove.core.errors import HeldError, UsageError
from blobmove.core.flipping import Candidate, DatabaseTrouble, Outlook, ServerFacts, Trouble
from blobmove.core.rows import Rows
from blobmove.stores.rails.driver import build_engine
from blobmove.stores.rails.faults import no_table, translate, translate_connect
from blobmove.stores.rails.health import one_number, standby_lags, threads_running
from blobmove.stores.rails.outlook import outlook_of
from blobmove.stores.rails.servers import server_of
from blobmove.stores.rails.statements import (
    Statement,
    Stride,
    end_of_page,
    names_of_rows,
    page_in_one_value,
    page_of_candidates,
    read_candidates,
    read_one_value,
    update_of_batch,
)
from blobmove.stores.rails.table import (
    ATTACHMENTS,
    BLOBS,
    COLUMNS,
    RowId,
    blob_row,
    blobs_table,
    is_attached,
    row_id,
    text_of,
)
from blobmove.stores.rails.url import DatabaseUrl, parse_database_url

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    from sqlalchemy import Connection

    from blobmove.core.model import BlobRow


class RailsDatabase:
    """The application's database. Use as a context manager; raises on entry what keeps it from being used."""

    def __init__(self, url: DatabaseUrl, *, entra: bool = False) -> None:
        self.url = url
        self._engine = build_engine(url, entra=entra)
        self._server = server_of(url)
        self._connection: Connection | None = None
        self._blobs = blobs_table(String(), url.dialect)
        self._service_sql = str(self._server.exact("service_name").compile(self._engine))
        self._numbers = True
        self._stride = Stride()
        self._attachments: bool | None = None
        self._wants_lock = False

    @classmethod
    def from_text(cls, url: str, *, entra: bool = False) -> RailsDatabase:
        """From the text of `DATABASE_URL`; `entra`: the password is a token. Raises UsageError E400-DATABASE-URL."""
        return cls(parse_database_url(url), entra=entra)

    def __enter__(self) -> RailsDatabase:
        """Raises E000-DATABASE, E401-, E403-, E404-DATABASE, E404-TABLE, E410-SERVICE-NAME."""
        try:
            self._connect()
            self._look_at_table()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def describe(self) -> str:
        """Where it is, for people: no user, no password."""
        return self.url.describe()

    def close(self) -> None:
        """Close the connection; the lock goes with it."""
        if self._wants_lock and self._connection is not None:
            with suppress(DBAPIError):
                self._server.unlock(self._connection)
        self._wants_lock = False
        self._drop()

    def reconnect(self) -> None:
        """A new connection with the same settings and, if it was held, the lock.

        Raises DatabaseTrouble while nobody answers, HeldError when another run has the lock (or the server has not
        yet noticed that our old connection is dead).
        """
        self._drop()
        try:
            self._connect()
        except DatabaseTrouble:
            raise
        except UsageError as error:
            if error.code not in ("E000-DATABASE", "E429-DATABASE"):
                raise
            raise DatabaseTrouble(Trouble.LOST, error.code, error.cause or error.message) from None
        if self._wants_lock:
            self.lock()

    # --- reading

    def services(self, names: Sequence[str] | None = None) -> dict[str, int]:
        """Rows by service name, names told apart byte by byte (a collation would merge azure and AZURE); only those
        of `names` if given: to group those that few rows have takes a third of the time."""
        if names is not None and not names:
            return {}
        groups = self._server.groups("service_name")
        query = select(groups[0], func.count()).select_from(self._blobs).group_by(*groups)
        if names is not None:
            query = query.where(self._names(names))
        with self._transaction() as connection:
            return {text_of(row[0]): int(row[1]) for row in connection.execute(query)}

    def pages(
        self,
        after_id: RowId | None = None,
        limit: int = 1000,
        services: Sequence[str] | None = None,
        *,
        attached: bool = False,
    ) -> list[BlobRow]:
        """The next `limit` rows by primary key, in the server's order; only those of `services` if given.

        `attached` asks for each row whether an attachment points at it (needs SELECT on the attachments).
        """
        attached = attached and self._has_attachments()
        query = self._rows(attached).order_by(self._blobs.c.id).limit(limit)
        if after_id is not None:
            query = query.where(self._blobs.c.id > after_id)
        if services is not None:
            query = query.where(self._names(services))
        return self._read(query, attached)

    def candidates(self, after_id: RowId | None, limit: int, services: Sequence[str]) -> Rows:
        """The next `limit` rows by primary key that name one of `services`, as the gate needs them."""
        dialect, names = self.url.dialect, [self._server.bound(name) for name in services]
        with self._transaction() as connection:
            if dialect == "mysql":
                found = self._page_in_one_value(connection, after_id, limit, names, services)
                if found is not None:
                    return found
            statement, values = page_of_candidates(dialect, self._service_sql, after_id, limit, names)
            rows = connection.exec_driver_sql(statement, values).cursor.fetchall()
        return read_candidates(dialect, rows, self._numbers)

    def _page_in_one_value(
        self, connection: Connection, after_id: RowId | None, limit: int, names: Sequence[object],
        services: Sequence[str],
    ) -> Rows | None:
        """Rows that come between the two statements may make the page longer than asked for: left for the next. All
        may go between them, too, and then there may be others behind: nothing found is no end of the table. Nor is it
        where the end of the page was guessed: then it is asked for."""
        guess = self._stride.end(after_id, limit)
        found = None if guess is None else self._behind(connection, (after_id, guess), names, services)
        if not found:
            statement, values = end_of_page(self._service_sql, after_id, limit, names)
            end = connection.exec_driver_sql(statement, values).scalar()
            ends = after_id, None if end is None else row_id(end)
            found = self._behind(connection, ends, names, services)
            if found is None or (end is not None and not found):
                return None
        self._stride.saw(after_id, found.ids)
        return found[:limit]

    def _behind(
        self, connection: Connection, ends: tuple[RowId | None, RowId | None], names: Sequence[object],
        services: Sequence[str],
    ) -> Rows | None:
        """The rows between two ids, the second among them."""
        statement, values = page_in_one_value(self._service_sql, ends, names, numbers=self._numbers)
        return read_one_value(connection.exec_driver_sql(statement, values).one(), self._numbers, services)

    def newest(self, limit: int) -> list[BlobRow]:
        """The last `limit` rows by primary key: where the primary key is a number, the newest uploads."""
        return self._read(self._rows(attached=False).order_by(self._blobs.c.id.desc()).limit(limit), attached=False)

    def rows(self, ids: Sequence[RowId]) -> Rows:
        """These rows, as far as they exist, in order of the primary key."""
        blobs = self._blobs
        query = self._rows(attached=False).where(blobs.c.id.in_(ids)).order_by(blobs.c.id)
        found = self._read(query, attached=False)
        return Rows.of(Candidate(row.id, row.key, row.service_name, row.byte_size, row.checksum) for row in found)

    def stream(self, *, attached: bool = False, page: int = 5000) -> Iterator[list[BlobRow]]:
        """All rows, page by page: flat memory, and no transaction stays open between two pages."""
        after: RowId | None = None
        while rows := self.pages(after, page, attached=attached):
            yield rows
            after = rows[-1].id

    def current(self, ids: Sequence[RowId]) -> dict[RowId, str | None]:
        """What these rows name now; None for a row that is gone."""
        statement, values = names_of_rows(self.url.dialect, ids, uuids=self._uuids)
        with self._transaction() as connection:
            rows = connection.exec_driver_sql(statement, values).cursor.fetchall()
        found = {row_id(row[0]): text_of(row[1]) for row in rows}
        return {one: found.get(one) for one in ids}

    def parse_id(self, written: str) -> RowId:
        """A primary key as someone typed it. Raises UsageError E400-IDS when it cannot be one of this table."""
        kind = self._blobs.c.id.type
        try:
            if isinstance(kind, BigInteger):
                return _number(written, self.url.dialect)
            return str(UUID(written)) if isinstance(kind, Uuid) else written
        except ValueError:
            raise UsageError("E400-IDS", f"{written!r} is not an id of {BLOBS}", hint="one id a line") from None

    # --- changing

    def flip(self, ids: Sequence[RowId], old: str, new: str) -> int:
        """Let those of `ids` that still name `old` name `new`: one statement, one transaction. The number changed."""
        statement, values = self._update(ids, old, new)
        with self._transaction() as connection:
            return connection.exec_driver_sql(statement, values).rowcount

    def statement(self, ids: Sequence[RowId], old: str, new: str) -> str:
        """The same UPDATE in full, for people and for `--sql`."""
        quoted = self._server.quoted
        listed = ", ".join(str(one) if isinstance(one, int) else quoted(one) for one in ids)
        still = f"{self._service_sql} = {quoted(old)}"
        return f"UPDATE {BLOBS} SET service_name = {quoted(new)} WHERE id IN ({listed}) AND {still};"

    def script(self) -> tuple[str, ...]:
        """What a file of such statements begins with, so that they wait and lock as ours do."""
        return self._server.script

    def check_grants(self) -> None:
        """Raises AccessError E403-DATABASE unless this user may change `service_name`; changes and locks nothing."""
        if self._server.dry_update:
            question = f"{self._server.dry_update}UPDATE {BLOBS} SET service_name = service_name WHERE 1 = 0"
            with self._transaction() as connection:
                connection.execute(text(question))

    def facts(self) -> ServerFacts:
        """Who answers on this connection, and in which role."""
        server = self._server
        with self._transaction() as connection:
            identity, replica = server.identity(connection), server.replica(connection)
            position = server.position(connection)
        with self._transaction() as connection:
            return ServerFacts(identity, server.read_only(connection), replica, position)

    def position(self) -> str | None:
        """Where the log that replicas read stands now; None where there is none or we may not ask."""
        with self._transaction() as connection:
            return self._server.position(connection)

    def threads_running(self) -> int:
        """See stores.rails.health."""
        with self._transaction() as connection:
            return threads_running(self.url.dialect, connection, self.describe())

    def number(self, sql: str) -> float | None:
        """The one number that a query of the operator's answers, None for NULL."""
        with self._transaction() as connection:
            return one_number(connection, sql)

    def standby_lags(self) -> dict[str, float | None] | None:
        """Seconds by replica, as far as this server knows them; None where it cannot."""
        with self._transaction() as connection:
            return standby_lags(self.url.dialect, connection)

    def outlook(self, ids: Sequence[RowId], old: str, new: str) -> Outlook:
        """What the server says of a flip of these rows, without changing or locking any."""
        with self._transaction() as connection:
            return outlook_of(self.url.dialect, connection, self.url.database, self._update(ids, old, new))

    def lock(self) -> None:
        """Take the lock that lets one flip run at a time. Raises HeldError E409-FLIP."""
        with self._transaction() as connection:
            taken = self._server.lock(connection)
        if not taken:
            raise HeldError(
                "E409-FLIP",
                f"another flip-service is at work on {self.describe()}",
                hint="wait for it to end, or stop it with its --stop-file",
            )
        self._wants_lock = True

    # --- inside

    @property
    def _uuids(self) -> bool:
        return isinstance(self._blobs.c.id.type, Uuid)

    def _update(self, ids: Sequence[RowId], old: str, new: str) -> Statement:
        bound = self._server.bound(old)
        return update_of_batch(self.url.dialect, self._service_sql, ids, bound, new, uuids=self._uuids)

    def _connect(self) -> None:
        try:
            self._connection = self._engine.connect()
        except DBAPIError as error:
            raise translate_connect(error, self.url) from None
        with self._transaction() as connection:
            for statement in self._server.session:
                connection.exec_driver_sql(statement)

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(DBAPIError):  # what is broken already need not be closed politely
                connection.close()

    def _look_at_table(self) -> None:
        with self._transaction() as connection:
            inspector = inspect(connection)
            try:
                columns = {column["name"]: column["type"] for column in inspector.get_columns(BLOBS)}
            except NoSuchTableError:
                raise no_table(self.url) from None
        if "service_name" not in columns:
            raise UsageError(
                "E410-SERVICE-NAME",
                f"{BLOBS} has no column service_name: this is Rails before 6.1",
                cause="there every row uses the one service of config.active_storage.service: nothing can be flipped",
                hint="copy and verify, then change config.active_storage.service; or upgrade to Rails 6.1 first",
            )
        if isinstance(columns["id"], types.LargeBinary | types.BINARY | types.VARBINARY):
            raise UsageError("E410-ID", f"the primary key of {BLOBS} is binary: only numbers and uuid texts are known",
                             hint="flip in Rails: ActiveStorage::Blob.where(id: ...).update_all(service_name: ...)")
        self._blobs = blobs_table(columns["id"], self.url.dialect)
        self._numbers = isinstance(self._blobs.c.id.type, BigInteger)
        with self._transaction() as connection:
            connection.execute(self._rows(attached=False).limit(1)).all()

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """One transaction on our connection. A lost connection is never silently replaced: the new one would have
        neither our session settings nor the lock."""
        if self._connection is None:
            raise DatabaseTrouble(Trouble.LOST, "not connected", "the connection was lost")
        try:
            with self._connection.begin():
                yield self._connection
        except DBAPIError as error:
            answer = translate(error, self.url)
            if isinstance(answer, DatabaseTrouble) and answer.trouble is Trouble.LOST:
                self._drop()
            raise answer from None

    def _has_attachments(self) -> bool:
        """Asked only by those who want to know: the flip's user needs no right to look at that table."""
        if self._attachments is None:
            with self._transaction() as connection:
                self._attachments = inspect(connection).has_table(ATTACHMENTS)
        return self._attachments

    def _rows(self, attached: bool) -> Select[*tuple[Any, ...]]:
        columns: list[ColumnElement[Any]] = [self._blobs.c[name] for name in COLUMNS]
        if attached:
            columns.append(is_attached(self._blobs).label("attached"))
        return select(*columns)

    def _names(self, services: Sequence[str]) -> ColumnElement[bool]:
        name = self._server.exact("service_name")
        return or_(*(name == self._server.exact_value(service) for service in services))

    def _read(self, query: Select[*tuple[Any, ...]], attached: bool) -> list[BlobRow]:
        with self._transaction() as connection:
            return [blob_row(row, attached) for row in connection.execute(query)]


def _number(written: str, dialect: str) -> int:
    """Digits alone: Python reads more as a number (`1_000`, `+5`, other alphabets) than anybody means by an id."""
    if not re.fullmatch(r"-?[0-9]+", written):
        raise ValueError(written)
    number = int(written)
    if not -(2**63) <= number < 2 ** (64 if dialect == "mysql" else 63):
        raise ValueError(written)
    return number
