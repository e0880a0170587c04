"""The flip while the application works: its writers meet no error, each batch keeps the place in the log."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import pytest

from blobmove.core.flip_settings import FlipSettings
from blobmove.operations.flip_journaled import POSITION_SECONDS
from blobmove.stores.rails.database import RailsDatabase
from tests.database.application import YES, Application, Operator, fill
from tests.database.test_flip_trouble import around, at_call, loses_the_connection


@pytest.mark.parametrize(("tick", "asked"), [(POSITION_SECONDS, 3), (POSITION_SECONDS / 100, 1)])
def test_each_batch_keeps_a_position_of_the_server_s_log_that_is_hardly_older(
    operator: Operator, tick: float, asked: int
) -> None:
    """From there on its changes are found. It is asked anew when so much time has passed, by a clock of ours."""
    operator.tick = tick
    fill(operator, 6)
    operator.flips(batch_size=2)
    positions = [row[0] for row in operator.checkpoint.execute("SELECT position FROM flip_batch ORDER BY number")]
    if operator.application.server.kind == "sqlite":
        assert positions == [None] * 3
    else:
        assert None not in positions
        assert len(set(positions)) == asked


def test_after_a_loss_the_position_is_asked_for_anew(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """However little time has passed: it may be another server's log."""
    operator.tick = POSITION_SECONDS / 100
    fill(operator, 8)
    asked = [0]
    position = RailsDatabase.position

    def counted(database: RailsDatabase) -> str | None:
        asked[0] += 1
        return position(database) or "somewhere"

    monkeypatch.setattr(RailsDatabase, "position", counted)
    operator.flips(batch_size=2)
    calm, asked[0] = asked[0], 0
    operator.flips(to_service="elsewhere", from_services=("azure",), batch_size=2,
                   wrap=around("flip", before=at_call(1, loses_the_connection)))
    assert (calm, asked[0]) == (1, 2)


@dataclass
class Writer:
    """The application, inserting blobs and changing others in its own transactions, with a stop-watch."""

    application: Application
    first: int
    rows: int
    stop: threading.Event = field(default_factory=threading.Event)
    waits: list[float] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)

    def __call__(self) -> None:
        connection = self.application.server.connect(self.application.url)
        number = self.first
        try:
            while not self.stop.is_set():
                number += 1
                began = time.monotonic()
                self.application.execute(
                    f"INSERT INTO active_storage_blobs (id, {self.application.key_column}, filename, service_name,"
                    f" byte_size, created_at) VALUES ({number}, 'born-{number}', 'f', 'azure', 1, '2026-11-01')",
                    connection=connection,
                )
                row = 1 + (number * 7919) % self.rows
                self.application.execute(
                    f"UPDATE active_storage_blobs SET metadata = '{number}' WHERE id = {row}", connection=connection
                )
                self.waits.append(time.monotonic() - began)
                time.sleep(0.002)
        except BaseException as error:
            self.errors.append(error)
        finally:
            connection.close()


@pytest.mark.database
@pytest.mark.parametrize("server", ["mariadb", "postgresql"], indirect=True)
def test_writers_meet_no_error_and_no_lock_of_a_second_while_rows_are_flipped(operator: Operator) -> None:
    """How long they wait is measured by tests/database/test_flip_speed.py (heavy); here: no deadlock, no time-out."""
    rows = 4000
    operator.application.execute(many_rows(operator.application, rows))
    operator.book.enter(*(f"file-{number}" for number in range(1, rows + 1)))
    operator.ahead = True
    writers = [Writer(operator.application, 10**6 * number, rows) for number in (1, 2)]
    threads = [threading.Thread(target=writer) for writer in writers]
    for thread in threads:
        thread.start()
    try:
        result = operator.flips(batch_size=500, sleep_ratio=0.0)
    finally:
        for writer in writers:
            writer.stop.set()
        for thread in threads:
            thread.join()
    assert [writer.errors for writer in writers] == [[], []]
    assert all(writer.waits for writer in writers)
    assert result.flipped == rows


def many_rows(application: Application, rows: int) -> str:
    """One INSERT of rows of keys file-<number> without checksum."""
    values = ", ".join(
        f"({number}, 'file-{number}', 'f.pdf', 'amazon', {len(f'file-{number}')}, '2026-11-01 12:00:00')"
        for number in range(1, rows + 1)
    )
    columns = f"id, {application.key_column}, filename, service_name, byte_size, created_at"
    return f"INSERT INTO active_storage_blobs ({columns}) VALUES {values}"


def test_settings_of_the_flip_name_a_batch_of_five_thousand() -> None:
    assert (FlipSettings().batch_size, YES.any_server, YES.replica) == (5000, False, False)
