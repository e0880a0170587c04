"""An application's database for one test: its rows, the checkpoint's knowledge of their files, and a flip over both."""

from __future__ import annotations

import hashlib
import sqlite3
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from blobmove.checkpoint.journal import FlipJournal
from blobmove.checkpoint.schema import SCHEMA
from blobmove.core.events import Event, FlipProgress
from blobmove.core.flip_results import FlipResult
from blobmove.core.flip_settings import FlipSettings
from blobmove.core.flipping import ProvenBlob
from blobmove.core.model import State
from blobmove.core.rows import ProvenRows
from blobmove.operations.flip import run_flip
from blobmove.operations.flip_doors import Approval, BlobTable, FlipDoors, Replica
from blobmove.stores.rails.database import RailsDatabase
from tests.proven import proven_rows
from tests.servers.databases import DatabaseServer
from tests.servers.rails_schema import activestorage

RowId = int | str
YES = Approval(confirmed=True)


def md5_of(key: str) -> bytes:
    """Every file's content is its key, so that its checksum is known."""
    return hashlib.md5(key.encode()).digest()


class Application:
    """The tables of one test, seen from the application's side: its own connection, raw SQL."""

    def __init__(self, server: DatabaseServer, url: str, key_type: str) -> None:
        self.server = server
        self.url = url
        self.key_type = key_type
        self.connection = server.connect(url)

    def id(self, number: int) -> RowId:
        """The `number`th primary key, in the order of the server."""
        return number if self.key_type == "bigint" else str(UUID(int=number))

    def execute(self, sql: str, values: Sequence[object] = (), connection: Any = None) -> list[tuple[Any, ...]]:  # noqa: ANN401
        cursor = (connection or self.connection).cursor()
        cursor.execute(sql.replace("%s", "?") if self.server.kind == "sqlite" else sql, tuple(values))
        rows = cursor.fetchall() if cursor.description else []
        cursor.close()
        return [tuple(row) for row in rows]

    @property
    def key_column(self) -> str:
        return "`key`" if self.server.kind in ("mariadb", "mysql") else '"key"'

    def add(self, number: int, key: str, service: str = "amazon", **values: object) -> RowId:
        """One row that agrees with its file unless `values` say otherwise."""
        row = {
            "id": self.id(number), self.key_column: key, "filename": "f.pdf", "content_type": "application/pdf",
            "metadata": '{"identified":true}', "service_name": service, "byte_size": len(key.encode()),
            "checksum": b64encode(md5_of(key)).decode(), "created_at": "2026-11-01 12:00:00", **values,
        }  # fmt: skip
        marks = ", ".join(["%s"] * len(row))
        self.execute(f"INSERT INTO active_storage_blobs ({', '.join(row)}) VALUES ({marks})", list(row.values()))
        return self.id(number)

    def add_many(self, numbers: Iterable[int], service: str = "amazon") -> list[str]:
        """Rows of keys file-<number>; the keys."""
        return [key for number in numbers if self.add(number, key := f"file-{number}", service)]

    def attach(self, number: int, blob: int) -> None:
        self.execute(
            "INSERT INTO active_storage_attachments (id, name, record_type, record_id, blob_id, created_at)"
            " VALUES (%s, 'label', 'Order', %s, %s, '2026-11-01 12:00:00')",
            (self.id(number), self.id(1), self.id(blob)),
        )

    def names(self) -> dict[RowId, str]:
        """The service of every row."""
        rows = self.execute("SELECT id, service_name FROM active_storage_blobs ORDER BY id")
        return {row[0] if isinstance(row[0], int) else str(row[0]): row[1] for row in rows}

    def table(self) -> list[tuple[Any, ...]]:
        """Every column of every row."""
        return self.execute("SELECT * FROM active_storage_blobs ORDER BY id")

    def set_service(self, number: int, service: str) -> None:
        self.execute("UPDATE active_storage_blobs SET service_name = %s WHERE id = %s", (service, self.id(number)))

    def purge(self, number: int) -> None:
        self.execute("DELETE FROM active_storage_blobs WHERE id = %s", (self.id(number),))

    def database(self) -> RailsDatabase:
        return RailsDatabase.from_text(self.url)


def new_application(
    server: DatabaseServer, folder: Path, rails: str = "8.1", key_type: str = "bigint", *, unique_key: bool = True
) -> Application:
    application = Application(server, server.new_database(folder), key_type)
    for statement in activestorage(server.kind, rails, key_type, unique_key=unique_key):
        application.execute(statement)
    return application


@dataclass
class Book:
    """What the checkpoint knows: by default every file in it is copied and verified."""

    blobs: dict[str, ProvenBlob] = field(default_factory=dict)
    verified: bool = True

    def proven(self, keys: Sequence[str]) -> dict[str, ProvenBlob]:
        return {key: self.blobs[key] for key in keys if key in self.blobs}

    def proven_rows(self, keys: Sequence[str]) -> ProvenRows:
        return proven_rows(self.proven(keys), keys)

    def last_verify_passed(self) -> bool:
        return self.verified

    def enter(self, *keys: str, **changes: Any) -> None:  # noqa: ANN401
        for key in keys:
            blob = ProvenBlob(key, len(key.encode()), md5_of(key), State.COPIED, key, verified=True)
            self.blobs[key] = blob._replace(**changes)


class Operator:
    """Someone who types flip-service, again and again, with one checkpoint."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.book = Book()
        self.events: list[Event] = []
        self.slept: list[float] = []
        self.while_asleep: Callable[[], object] = lambda: None
        self.stop: Callable[[], bool] = lambda: False
        self.ahead = False
        self.tick = 0.01
        self.replicas: list[Replica] = []
        self.checkpoint = sqlite3.connect(":memory:", isolation_level=None)
        self.checkpoint.executescript(SCHEMA)
        self.journal = FlipJournal(self.checkpoint)
        self._ticks = 0

    def doors(self, table: BlobTable, reader: BlobTable | None = None) -> FlipDoors:
        return FlipDoors(
            table=table, ledger=self.book, journal=self.journal, sleep=self._sleep, clock=self._clock,
            now=lambda: "2026-11-22T03:00:00Z", draw=lambda: 0.5, host="ops1", operator="deploy",
            stop=lambda: self.stop(), listener=self.events.append,
            reader=reader, replicas=self.replicas,
        )  # fmt: skip

    def flips(
        self,
        approval: Approval = YES,
        wrap: Callable[[RailsDatabase], BlobTable] = lambda database: database,
        **settings: Any,  # noqa: ANN401
    ) -> FlipResult:
        """flip-service --from amazon --to azure, with other settings as given; the sum of its counts is checked."""
        asked = FlipSettings(**{"from_services": ("amazon",), "to_service": "azure", **settings})
        with self.application.database() as database, self.application.database() as second:
            result = run_flip(asked, self.doors(wrap(database), second if self.ahead else None), approval)
        assert result.rows == result.flipped + sum(result.refused.values()) + result.remaining
        return result

    def undoes(self, run: str = "last", approval: Approval = YES, **settings: Any) -> FlipResult:  # noqa: ANN401
        return self.flips(approval, undo=run, **{"from_services": (), "to_service": "", **settings})

    def close(self) -> None:
        self.checkpoint.close()
        self.application.connection.close()

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.while_asleep()

    def _clock(self) -> float:
        self._ticks += 1
        return self._ticks * self.tick


def fill(operator: Operator, rows: int) -> None:
    """Rows 1 to `rows`, whose files are proven."""
    operator.book.enter(*operator.application.add_many(range(1, rows + 1)))


def states(operator: Operator) -> list[str]:
    """What the progress line has said, in turn."""
    return [event.state for event in operator.events if isinstance(event, FlipProgress)]
