"""A flip or an undo in a process of its own: `python -m tests.crash.flip_child URL CHECKPOINT flip|undo [RUN]`.

The keys that are proven stand in a file beside the checkpoint. A word is written at each step, so that the test that
kills this process can choose its moment.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from random import Random

from blobmove.checkpoint.file import connect
from blobmove.checkpoint.journal import FlipJournal, NewBatch
from blobmove.core.flip_settings import FlipSettings
from blobmove.core.flipping import ProvenBlob
from blobmove.core.model import State
from blobmove.core.rows import ProvenRows
from blobmove.operations.flip import run_flip
from blobmove.operations.flip_doors import Approval, FlipDoors
from blobmove.stores.rails.database import RailsDatabase
from tests.proven import proven_rows


def say(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


class Book:
    """Every key of the file is copied and verified."""

    def __init__(self, path: Path) -> None:
        self._keys = set(path.read_text(encoding="utf-8").split("\n"))

    def proven(self, keys: Sequence[str]) -> dict[str, ProvenBlob]:
        return {
            key: ProvenBlob(key, len(key.encode()), hashlib.md5(key.encode()).digest(), State.COPIED, key)
            for key in keys if key in self._keys
        }  # fmt: skip

    def proven_rows(self, keys: Sequence[str]) -> ProvenRows:
        return proven_rows(self.proven(keys), keys)

    def last_verify_passed(self) -> bool:
        return True


class TellingDatabase(RailsDatabase):
    def flip(self, ids: Sequence[int | str], old: str, new: str) -> int:
        say("update")
        changed = super().flip(ids, old, new)
        say("committed")
        return changed


class TellingJournal(FlipJournal):
    def write_batches(self, run: int, at: str, batches: Sequence[NewBatch]) -> None:
        say("journal")
        super().write_batches(run, at, batches)
        say("synced")


def main(url: str, checkpoint: Path, verb: str, run: str = "") -> None:
    with (
        TellingDatabase.from_text(url) as table, RailsDatabase.from_text(url) as reader,
        closing(connect(checkpoint, write=True)) as connection,
    ):  # fmt: skip
        doors = FlipDoors(
            table=table, reader=reader, ledger=Book(checkpoint.with_suffix(".proven")),
            journal=TellingJournal(connection), sleep=time.sleep, clock=time.monotonic,
            now=lambda: "2026-11-22T03:00:00Z", draw=Random(1).random,
        )  # fmt: skip
        flip = verb == "flip"
        settings = FlipSettings(from_services=("amazon",) if flip else (), to_service="azure" if flip else "",
                                undo=run, batch_size=20, sleep_ratio=0.0)
        run_flip(settings, doors, Approval(confirmed=True))
    say("done")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
