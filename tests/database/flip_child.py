"""A flip in a process of its own, for tests that kill it: `python -m tests.database.flip_child URL CHECKPOINT`.

Every file counts as proven. A line is written for each journal entry and each UPDATE, so that the test can choose
its moment.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from blobmove.checkpoint.file import connect
from blobmove.checkpoint.journal import FlipJournal
from blobmove.core.flip_settings import FlipSettings
from blobmove.core.flipping import ProvenBlob
from blobmove.operations.flip import run_flip
from blobmove.operations.flip_doors import FlipDoors
from blobmove.stores.rails.database import RailsDatabase
from tests.database.application import YES, Book

BATCH = 20


class Everything(Book):
    def proven(self, keys: Sequence[str]) -> dict[str, ProvenBlob]:
        self.enter(*keys)
        return super().proven(keys)


def say(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


class TellingDatabase(RailsDatabase):
    def flip(self, ids: Sequence[int | str], old: str, new: str) -> int:
        say("journaled")
        changed = super().flip(ids, old, new)
        say("changed")
        return changed


def main(url: str, checkpoint: Path) -> None:
    with TellingDatabase.from_text(url) as database:
        connection = connect(checkpoint, write=True)
        doors = FlipDoors(
            table=database, ledger=Everything(), journal=FlipJournal(connection), sleep=time.sleep,
            clock=time.monotonic, now=lambda: "2026-11-22T03:00:00Z", draw=lambda: 0.5,
        )  # fmt: skip
        settings = FlipSettings(from_services=("amazon",), to_service="azure", batch_size=BATCH, sleep_ratio=0.0)
        run_flip(settings, doors, YES)
        connection.close()
    say("done")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
