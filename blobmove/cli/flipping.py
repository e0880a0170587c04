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
from blobmove.core.flip_results import BornResult, FlipResult
from blobmove.core.flip_settings import FlipSettings
from blobmove.core.flipping import Candidate
from blobmove.core.settings import DatabaseAuth
from blobmove.operations.flip import run_flip
from blobmove.operations.flip_born import born_rows, write_born
from blobmove.operations.flip_doors import Approval, FlipDoors
from blobmove.operations.flip_patience import Patience


@dataclass(slots=True)
class Signalled:
    """The first signal lets the batch at hand end; the second ends the process as usual."""

    number: int = 0

    def __call__(self) -> bool:
        return self.number != 0


def flip(settings: FlipSettings, listener: Listener) -> FlipResult:
    """Run one flip; a signal ends it after the batch at hand, and the result says so."""
    signalled = Signalled()
    with ExitStack() as stack:
        doors = _doors(settings, listener, signalled, stack)
        stack.enter_context(_signals(signalled))
        approval = Approval(settings.confirmed, settings.any_server, settings.allow_replica)
        try:
            result = run_flip(settings, doors, approval)
        except sqlite3.DatabaseError as error:  # the journal's: the table's errors are translated at their door
            raise in_words(error, settings.checkpoint) from None
    return replace(result, stopped="terminated") if signalled.number == signal.SIGTERM else result


def born(settings: FlipSettings, file: Path, listener: Listener) -> BornResult:
    """Write the keys that were born on the new service into a file, in the form that `--keys` reads."""
    with ExitStack() as stack:
        doors = _doors(replace(settings, dry_run=True, replica_url_file=()), listener, Signalled(), stack)
        return write_born(doors, settings.to_service, file)


@contextmanager
def born_on(settings: FlipSettings, listener: Listener) -> Iterator[Iterator[Candidate]]:
    """The rows themselves, by primary key, while the database is open; for the way back."""
    with ExitStack() as stack:
        doors = _doors(replace(settings, dry_run=True, replica_url_file=()), listener, Signalled(), stack)
        patience = Patience(doors, writing=False)
        patience.meet()
        yield born_rows(doors, patience, settings.to_service)


def _doors(settings: FlipSettings, listener: Listener, signalled: Signalled, stack: ExitStack) -> FlipDoors:
    """Everything a flip works with, opened; a second connection to read ahead only where something is changed."""
    from blobmove.stores.rails.database import RailsDatabase
    from blobmove.stores.rails.replicas import ReplicaDatabase

    url = database_url(settings.database_url_file)
    if url is None:
        raise UsageError("E400-DATABASE-URL", "no database is named",
                         hint="set DATABASE_URL as Rails does, or name a file with --database-url-file")
    entra = settings.database_auth is DatabaseAuth.ENTRA
    with CheckpointReader(settings.checkpoint) as reader:
        reader.setup()
    checkpoint = stack.enter_context(_checkpoint(settings))
    table = stack.enter_context(RailsDatabase.from_text(url, entra=entra))
    ahead = not settings.dry_run and settings.sql is None and not url.startswith("sqlite")
    replicas = [stack.enter_context(ReplicaDatabase(one, entra=entra)) for one in replica_urls(settings)]
    return FlipDoors(
        table=table, ledger=CheckpointReader(settings.checkpoint, checkpoint), journal=FlipJournal(checkpoint),
        sleep=_short_sleep(signalled), clock=time.monotonic, now=_now, draw=SystemRandom().random,
        host=socket.gethostname(), operator=_operator(), stop=signalled, listener=listener,
        reader=stack.enter_context(RailsDatabase.from_text(url, entra=entra)) if ahead else None, replicas=replicas,
    )


def replica_urls(settings: FlipSettings) -> list[str]:
    """From the files named, one a line, and from BLOBMOVE_REPLICA_URLS, separated by blanks."""
    urls = os.environ.get("BLOBMOVE_REPLICA_URLS", "").split()
    for file in settings.replica_url_file:
        lines = (database_url(file) or "").splitlines()
        urls += [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    return urls


@contextmanager
def _checkpoint(settings: FlipSettings) -> Iterator[sqlite3.Connection]:
    """Only a real flip or an undo writes; a dry run reads beside whoever works.

    One connection for the ledger and the journal: each commit of another would empty the cache from which a page is
    looked up, and to fill it again took a third of the time of the look-up.
    """
    if settings.dry_run or settings.sql is not None:
        with CheckpointReader(settings.checkpoint) as reader:
            yield reader.db
    else:
        with CheckpointWriter(settings.checkpoint, "flip-service") as writer:
            yield writer.db


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
