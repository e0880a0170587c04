"""300,000 rows: how fast the flip is beside one UPDATE of everything, and how long a writer waits meanwhile.

    scripts/test -m heavy -s tests/database/test_flip_speed.py

Measured without pauses (`--sleep-ratio 0`): the default of 1 halves the speed on purpose. The two are run in turn, and
the medians compared, since the machine has its moods. Run it on a machine with nothing else to do: the flip and the
server share its cores. A writer's waits are measured without a flip, too, since a machine stalls by itself.
"""

from __future__ import annotations

import hashlib
import random
import statistics
import sys
import time
from base64 import b64encode
from collections.abc import Callable
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from blobmove.checkpoint.file import connect
from blobmove.checkpoint.journal import FlipJournal
from blobmove.checkpoint.reader import CheckpointReader
from blobmove.core.flip_settings import FlipSettings
from blobmove.core.model import slot
from blobmove.operations.flip import run_flip
from blobmove.operations.flip_doors import Approval, FlipDoors
from tests.campaigns import Teller
from tests.database.application import Application
from tests.database.conftest import MakeOperator
from tests.servers.databases import DatabaseServer

ROWS = 300_000
ROUNDS = 3
LEAST_RATIO = 0.5
LONGEST_WAIT = 0.1

pytestmark = [
    pytest.mark.heavy, pytest.mark.database, pytest.mark.timeout(900),
    pytest.mark.parametrize("server", ["mariadb", "postgresql"], indirect=True),
]  # fmt: skip


@pytest.fixture
def application(make_operator: MakeOperator, tmp_path: Path) -> Application:
    """ROWS rows whose files are proven in the checkpoint tmp_path/blobmove.db."""
    application = make_operator().application
    chance = random.Random(1)
    keys = ["".join(chance.choices("0123456789abcdefghijklmnopqrstuvwxyz", k=28)) for _ in range(ROWS)]
    columns = f"id, {application.key_column}, filename, service_name, byte_size, checksum, created_at"
    for start in range(0, ROWS, 5000):
        rows = ", ".join(
            f"({start + number}, '{key}', 'f.pdf', 'amazon', 28, '{b64encode(_md5(key)).decode()}', '2026-11-01')"
            for number, key in enumerate(keys[start:start + 5000], start=1)
        )
        application.execute(f"INSERT INTO active_storage_blobs ({columns}) VALUES {rows}")
    connection = connect(tmp_path / "blobmove.db", write=True, create=True)
    connection.execute("BEGIN")
    connection.executemany(
        "INSERT INTO object_row (id, key, size, etag, state, proof, md5) VALUES (?, ?, 28, ?, 1, 20, x'')",
        sorted((slot(key), key, _md5(key)) for key in keys),
    )
    connection.execute("COMMIT")
    connection.close()
    return application


def _md5(key: str) -> bytes:
    return hashlib.md5(key.encode()).digest()


def flip(application: Application, checkpoint: Path) -> float:
    """Seconds for all rows."""
    connection = connect(checkpoint, write=True)
    with ExitStack() as stack:
        stack.callback(connection.close)
        doors = FlipDoors(
            table=stack.enter_context(application.database()), reader=stack.enter_context(application.database()),
            ledger=CheckpointReader(checkpoint, connection), journal=FlipJournal(connection),  # as the command does
            sleep=time.sleep, clock=time.monotonic, now=lambda: "2026-11-22T03:00:00Z", draw=random.random,
        )  # fmt: skip
        settings = FlipSettings(from_services=("amazon",), to_service="azure", sleep_ratio=0.0, skip_verify=True)
        began = time.monotonic()
        assert run_flip(settings, doors, Approval(confirmed=True)).flipped == ROWS
        return time.monotonic() - began


def single(application: Application) -> float:
    """Seconds for the same as one statement."""
    began = time.monotonic()
    application.execute("UPDATE active_storage_blobs SET service_name = 'azure' WHERE service_name = 'amazon'")
    return time.monotonic() - began


def back(application: Application) -> None:
    application.execute("UPDATE active_storage_blobs SET service_name = 'amazon' WHERE service_name = 'azure'")
    if application.server.kind == "postgresql":
        application.execute("VACUUM FULL ANALYZE active_storage_blobs")


def test_a_writer_waits_no_tenth_of_a_second_for_the_flip_and_it_is_half_as_fast_as_one_statement(
    application: Application, tmp_path: Path, tell: Teller
) -> None:
    """One test for both, since the rows take longer to make than to flip; each figure is told as it is known."""
    kind, checkpoint = application.server.kind, tmp_path / "blobmove.db"

    def say(told: str) -> None:
        sys.stdout.write(f"{kind}: {told}\n")
        sys.stdout.flush()
        tell(f"{kind}: {told}")

    ones, flips = [], []
    for number in range(1, ROUNDS + 1):
        ones.append(single(application))
        back(application)
        flips.append(flip(application, checkpoint))
        back(application)
        say(f"round {number}: one statement {ROWS / ones[-1]:,.0f} rows/s, the flip {ROWS / flips[-1]:,.0f} rows/s,"
            f" ratio {ones[-1] / flips[-1]:.2f}")
    busy = waits_of_a_writer(application, 2 * 10**7, lambda: flip(application, checkpoint))
    quiet = waits_of_a_writer(application, 10**7, lambda: time.sleep(min(flips)))
    say(f"{len(busy):,} transactions of a writer beside the flip waited at most {max(busy) * 1000:.0f} ms,"
        f" {len(quiet):,} without it at most {max(quiet) * 1000:.0f} ms")
    ratio = statistics.median(ones) / statistics.median(flips)
    say(f"ratio of the medians {ratio:.2f}")
    assert max(busy) < LONGEST_WAIT
    assert ratio >= LEAST_RATIO


def waits_of_a_writer(application: Application, first: int, work: Callable[[], object]) -> list[float]:
    """Seconds of each of its transactions while `work` goes on. In a process of its own: the application is one too."""
    context = get_context("spawn")
    stop, told = context.Event(), context.Queue()
    words = (application.server, application.url, application.key_column, first, stop, told)
    writer = context.Process(target=_write, args=words)
    writer.start()
    try:
        told.get(timeout=60)
        work()
    finally:
        stop.set()
        waits, errors = told.get(timeout=60)
        writer.join()
    assert errors == []
    return list(waits)


def _write(server: DatabaseServer, url: str, key_column: str, first: int, stop: Any, told: Any) -> None:  # noqa: ANN401
    """Insert a blob and change another one, each by itself, until `stop`."""
    connection, waits, errors, number = server.connect(url), [], [], first
    cursor = connection.cursor()
    told.put("ready")
    try:
        while not stop.is_set():
            number += 1
            began = time.monotonic()
            cursor.execute(
                f"INSERT INTO active_storage_blobs (id, {key_column}, filename, service_name, byte_size, created_at)"
                f" VALUES ({number}, 'born-{number}', 'f', 'azure', 1, '2026-11-01')"
            )
            row = 1 + (number * 7919) % ROWS
            cursor.execute(f"UPDATE active_storage_blobs SET metadata = '{number}' WHERE id = {row}")
            waits.append(time.monotonic() - began)
            time.sleep(0.002)
    except Exception as error:
        errors.append(repr(error))
    connection.close()
    told.put((waits, errors))
