"""Wiring of `flip-service`: the table, the ledger, the journal and the signals of one flip."""

from __future__ import annotations

import getpass
import os
import signal
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from random import SystemRandom
from types import FrameType

from blobmove.checkpoint.file import in_words
from blobmove.checkpoint.journal import FlipJournal, FlipRun
from blobmove.checkpoint.reader import CheckpointReader
from blobmove.checkpoint.writer import CheckpointWriter
from blobmove.cli.planning import database_url
from blobmove.core.errors import UsageError
from blobmove.core.events import Listener
from blobmove.core.results import FlipResult
from blobmove.core.settings import FlipSettings
from blobmove.operations.flip import run_flip
from blobmove.operations.flip_doors import Approval, FlipDoors


@dataclass(slots=True)
class Signalled:
    """The first signal lets the batch at hand end; the second ends the process as usual."""

    number: int = 0

    def __call__(self) -> bool:
        return self.number != 0


def flip(settings: FlipSettings, listener: Listener) -> FlipResult:
    """Run one flip; a signal ends it after the batch at hand, and the result says so."""
    from blobmove.stores.rails.database import RailsDatabase

    url = database_url(settings.database_url_file)
    if url is None:
        raise UsageError("E400-DATABASE-URL", "no database is named",
                         hint="set DATABASE_URL as Rails does, or name a file with --database-url-file")
    signalled = Signalled()
    with ExitStack() as stack:
        reader = stack.enter_context(CheckpointReader(settings.checkpoint))
        reader.setup()
        journal = stack.enter_context(_journal(settings))
        doors = FlipDoors(
            table=stack.enter_context(RailsDatabase.from_text(url)), ledger=reader, journal=journal,
            sleep=_short_sleep(signalled), clock=time.monotonic, now=_now, draw=SystemRandom().random,
            host=socket.gethostname(), operator=_operator(), stop=signalled, listener=listener,
        )
        stack.enter_context(_signals(signalled))
        try:
            result = run_flip(settings, doors, Approval(confirmed=settings.confirmed))
        except sqlite3.DatabaseError as error:  # the journal's: the table's errors are translated at their door
            raise in_words(error, settings.checkpoint) from None
    return replace(result, stopped="terminated") if signalled.number == signal.SIGTERM else result


@contextmanager
def _journal(settings: FlipSettings) -> Iterator[FlipJournal]:
    """Only a real flip or an undo writes; a dry run reads beside whoever works."""
    if settings.dry_run or settings.sql is not None:
        with CheckpointReader(settings.checkpoint) as reader:
            yield FlipJournal(reader.db)
    else:
        with CheckpointWriter(settings.checkpoint, "flip-service") as writer:
            yield FlipJournal(writer.db)


def _short_sleep(signalled: Signalled) -> Callable[[float], None]:
    """Sleeps in pieces, so that a signal does not wait for the end of a long pause."""

    def sleep(seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not signalled():
            time.sleep(min(left, 0.2))

    return sleep


@contextmanager
def _signals(signalled: Signalled) -> Iterator[None]:
    def note(number: int, _frame: FrameType | None) -> None:
        if signalled():
            raise KeyboardInterrupt
        signalled.number = number

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _operator() -> str:
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def runs(checkpoint: Path) -> list[FlipRun]:
    """The runs in the journal, the newest last."""
    with CheckpointReader(checkpoint) as reader:
        return FlipJournal(reader.db).runs()
