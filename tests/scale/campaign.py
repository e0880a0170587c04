"""The measurement: one checkpoint of N objects through its whole life, and smaller ones to compare its memory with."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from blobmove.checkpoint.reader import CheckpointReader
from tests.cloud.control import Cloud
from tests.scale.building import BUCKET, DATABASE
from tests.scale.company import Item
from tests.scale.watching import Desk, Seen, Wait, python

CONTAINER: Final = "files"
COPIED: Final = 1000
"""So many objects are copied in each run whose memory is compared."""
_MANY: Final = 5000
_AT_ONCE: Final = 500
_TRIES: Final = 3
"""What takes about a second is done so often, and the shortest time counts: the machine is not ours alone."""

Say = Callable[[str], None]


@dataclass(slots=True)
class Figures:
    """All that was measured, as JSON. Seconds, bytes."""

    rows: int
    rails: bool
    figures: dict[str, Any] = field(default_factory=dict)
    conditions: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)


@dataclass(slots=True)
class Campaign:
    """One measurement in `folder`, which is emptied afterwards unless it is to be kept."""

    cloud: Cloud
    folder: Path
    rows: int
    say: Say
    found: Figures = field(init=False)

    def run(self, smaller: tuple[int, ...]) -> Figures:
        self.found = Figures(self.rows, rails=True)
        for rows in smaller:
            self._small(rows)
        self._large()
        return self.found

    def _keep(self, name: str, value: float | int | str | None) -> None:
        self.found.figures[name] = value
        self.say(f"  {name}: {value}")

    def _seen(self, name: str, seen: Seen) -> None:
        self._keep(f"{name}.seconds", round(seen.wall, 2))
        self._keep(f"{name}.cpu_seconds", round(seen.cpu, 2))
        self._keep(f"{name}.rss", seen.rss)

    def _desk(self, rows: int) -> Desk:
        folder = self.folder / str(rows)
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "report").mkdir(parents=True)
        self.cloud.reset()
        self.cloud.bucket(BUCKET)
        self.cloud.container(CONTAINER)
        return Desk(folder, self.cloud)

    def _plan(self, desk: Desk, rows: int) -> Seen:
        self.say(f"{rows:,} objects: making the inventory and Rails' table")
        python("tests.scale.building", "inventory", desk.folder / "report", rows)
        self.say(f"{rows:,} objects: plan")
        return self._plan_again(desk)

    def _plan_again(self, desk: Desk) -> Seen:
        report = desk.folder / "report"
        return desk("plan", "--source", f"s3://{BUCKET}", "--destination", self.cloud.destination(CONTAINER),
                    "--inventory", str(report / BUCKET / "daily"), "--json", database=report / DATABASE).require(0)

    def _small(self, rows: int) -> None:
        desk = self._desk(rows)
        self._plan(desk, rows)
        python("tests.scale.building", "settle", desk.folder / "blobmove.db", COPIED)
        put_pending(desk, COPIED)
        self._copy_all(desk, rows)
        shutil.rmtree(desk.folder)

    def _copy_all(self, desk: Desk, rows: int) -> None:
        """Copy all that is left; exit code 1 because of the objects that are recorded as failed."""
        seen = self._copy(desk).require(0, 1)
        written = self.cloud.counts().azure.requests.get("PutBlob", 0)
        assert written >= COPIED * 0.9, f"only {written} blobs were written: {seen.err[-2000:]}"
        self._seen(f"copy at {rows}", seen)

    def _copy(self, desk: Desk, wait: Wait | None = None) -> Seen:
        return desk("copy", "--resume", "--yes", "-q", "--progress", "none", wait=wait)

    def _large(self) -> None:
        desk, rows = self._desk(self.rows), self.rows
        self._seen("plan", self._plan(desk, rows))
        self._size(desk, "pending")
        self._half(desk)
        self._last(desk)
        self._size(desk, "settled")
        self._questions(desk)
        self.say("plan again")
        self._seen("plan again", self._plan_again(desk))
        self._size(desk, "planned again")
        shutil.rmtree(desk.folder)

    def _half(self, desk: Desk) -> None:
        """Half of the objects settled: the first request, and memory with many pages of work before it."""
        self.say("settling one half")
        python("tests.scale.building", "settle", desk.folder / "blobmove.db", self.rows // 2)
        self._first("first request, half settled", desk)
        many = min(_MANY, self.rows // 4)
        put_pending(desk, many)
        # What is not in the bucket would count as gone: the run is told to drain before it gets there.
        seen = self._copy(desk, Wait("s3", "GetObject", many * 4 // 5, signal.SIGINT)).require(130)
        self._seen(f"copy of {many * 4 // 5} with half pending", seen)

    def _last(self, desk: Desk) -> None:
        """Only the last rows pending: the worst case for finding the first of them."""
        self.say("settling all but the last")
        python("tests.scale.building", "settle", desk.folder / "blobmove.db", COPIED)
        put_pending(desk, COPIED)
        self._first("first request, last rows pending", desk)
        self._copy_all(desk, self.rows)

    def _first(self, name: str, desk: Desk) -> None:
        """From the start of the process; it is killed at its first request, so that nothing has changed."""
        times = []
        for _ in range(_TRIES):
            seen = self._copy(desk, Wait("s3", "GetObject"))
            assert seen.first is not None, seen.err
            times.append(seen.first)
        self._keep(f"{name}.seconds", round(min(times), 2))

    def _questions(self, desk: Desk) -> None:
        for words in (("status",), ("status", "--failed")):
            tries = [desk(*words, "--json").require(0) for _ in range(_TRIES)]
            self._seen(" ".join(words), min(tries, key=lambda one: one.wall))
        seen = desk("verify", "--json", wait=Wait("azure", "ListBlobs"))
        assert seen.first is not None, seen.err
        self._keep("verify, first request.seconds", round(seen.first, 2))
        self.say("report")
        self._seen("report --objects", desk("report", "--objects", "objects.csv", "-q").require(0))
        (desk.folder / "objects.csv").unlink()

    def _size(self, desk: Desk, name: str) -> None:
        size = sum(path.stat().st_size for path in desk.folder.glob("blobmove.db*"))
        self._keep(f"{name}.bytes_per_row", round(size / self.rows, 1))


def put_pending(desk: Desk, objects: int) -> None:
    """Put the next so many pending objects into the bucket, so that a copy finds them."""
    with CheckpointReader(desk.folder / "blobmove.db") as reader:
        ids = [transfer.id for transfer in reader.pending(-1, objects)]
        times = [reader.db.execute("SELECT modified_ms FROM object_row WHERE id = ?", (one,)).fetchone() for one in ids]
    for start in range(0, len(times), _AT_ONCE):
        desk.cloud.put(BUCKET, *(Item.modified_at(when).spec() for (when,) in times[start:start + _AT_ONCE]))
