"""A replica whose lag the flip obeys: a connection of its own, made again when it is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from sqlalchemy.exc import DBAPIError

from blobmove.core.errors import AccessError, UsageError
from blobmove.core.flipping import DatabaseTrouble, Trouble
from blobmove.stores.rails.driver import build_engine
from blobmove.stores.rails.faults import translate, translate_connect
from blobmove.stores.rails.health import one_number, replica_lag
from blobmove.stores.rails.url import parse_database_url

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from sqlalchemy import Connection

    from blobmove.core.errors import BlobmoveError

T = TypeVar("T")
_RIGHT = "GRANT REPLICATION CLIENT (MySQL), SLAVE MONITOR (MariaDB) or pg_monitor (PostgreSQL) to this user, there"


class ReplicaDatabase:
    """Use as a context manager. `name` says where it is, without user and password."""

    def __init__(self, url: str, *, entra: bool = False) -> None:
        """Raises UsageError E400-DATABASE-URL."""
        self._url = parse_database_url(url)
        self._engine = build_engine(self._url, entra=entra)
        self._connection: Connection | None = None
        self.name = self._url.describe()

    def __enter__(self) -> ReplicaDatabase:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._drop()

    def lag(self) -> float | None:
        """Seconds behind, None while replication stands still. Raises DatabaseTrouble while nobody answers."""
        return self._ask(lambda connection: replica_lag(self._url.dialect, connection, self.name))

    def number(self, sql: str) -> float | None:
        """What --lag-query answers here."""
        return self._ask(lambda connection: one_number(connection, sql))

    def _ask(self, question: Callable[[Connection], T]) -> T:
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
        except DBAPIError as error:
            raise _as_trouble(translate_connect(error, self._url)) from None
        try:
            with self._connection.begin():
                return question(self._connection)
        except DBAPIError as error:
            self._drop()
            answer = translate(error, self._url)
            if isinstance(answer, AccessError):
                raise AccessError("E403-REPLICA", f"the user of {self.name} may not ask how far it is behind",
                                  cause=answer.cause, hint=_RIGHT) from None
            raise answer from None

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()


def _as_trouble(error: BlobmoveError) -> BlobmoveError:
    """A replica that is away may come back; a wrong password will not."""
    if isinstance(error, UsageError) and error.code in ("E000-DATABASE", "E429-DATABASE"):
        return DatabaseTrouble(Trouble.LOST, error.code, error.cause or error.message)
    return error
