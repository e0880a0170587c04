"""A company to crash on: objects of every kind on the simulated cloud, a Rails table, and somebody who types."""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final, Protocol

from tests.acceptance.app_database import AppDatabase
from tests.acceptance.commands import Run, Terminal, clean_environment
from tests.acceptance.forks import Forks
from tests.cloud.control import Cloud
from tests.cloud.facts import StoredObject
from tests.cloud.specs import ObjectSpec, Weather

BUCKET: Final = "src"
CONTAINER: Final = "dst"
BLOCK: Final = 64 * 1024
LIMIT: Final = 2 * BLOCK
"""Blocks and whole objects as small as the command line allows, so that a large object is a few hundred KiB."""

SMALL: Final = 48
CONCURRENCY: Final = 12
MOVING: Final = ("--block-size", "64KiB", "--whole-object-limit", "128KiB", "--concurrency", str(CONCURRENCY))

LONGEST_LATENCY: Final = 0.008
"""Seconds before the cloud answers, at most."""

LARGE: Final = (
    ObjectSpec(key="large/one-part", size=5 * BLOCK + 17, recipe="seeded:large-1"),
    ObjectSpec(key="large/crc64nvme", parts=(3 * BLOCK, 3 * BLOCK, 99), recipe="seeded:large-2", checksum="CRC64NVME"),
    ObjectSpec(key="large/even parts", parts=(130_000, 130_000, 130_000, 7), recipe="seeded:large-3"),
    ObjectSpec(key="large/uneven-parts", parts=(70_001, 300_000, 12_345), recipe="seeded:large-4"),
    ObjectSpec(key="large/kms-parts-sha256", parts=(200_000, 200_000), recipe="seeded:large-5",
               encryption="aws:kms", checksum="SHA256", checksum_type="COMPOSITE"),
    ObjectSpec(key="large/kms-rails", size=3 * BLOCK + 1, recipe="seeded:large-6", encryption="aws:kms"),
    ObjectSpec(key="large/kms-nothing", size=4 * BLOCK + 1, recipe="seeded:large-7", encryption="aws:kms"),
)  # fmt: skip
"""One of each way to prove a large object. The last one has nothing: it is read back."""

BY_AZURE: Final = ("--transfer", "auto")

NOT_TO_COPY: Final = (
    ObjectSpec(key="archived", size=100, storage_class="GLACIER"),
    ObjectSpec(key="no name for Azure.", size=10),
)


class Application(Protocol):
    """The company's database, as far as ActiveStorage goes; `url` is what stands in DATABASE_URL."""

    @property
    def url(self) -> str: ...

    @property
    def key_column(self) -> str: ...

    def execute(self, sql: str, *values: object) -> list[tuple[object, ...]]: ...

    def dump(self) -> list[str]: ...


class SqliteApplication:
    """A file."""

    key_column = "key"

    def __init__(self, path: Path) -> None:
        self._database = AppDatabase.create(path)
        self.url = self._database.url
        self.execute = self._database.execute
        self.dump = self._database.dump


@dataclass
class Company:
    """One bucket, one container, one database, one folder. `objects` are those that are to be copied, by key.

    `route`: flags of `copy` that say which way bytes go, none for through this machine.
    """

    cloud: Cloud
    terminal: Terminal
    database: Application
    objects: dict[str, StoredObject] = field(default_factory=dict)
    route: tuple[str, ...] = ()

    @classmethod
    def found(
        cls, cloud: Cloud, folder: Path, forks: Forks | None, chance: Random, database: Application | None = None,
        specs: Sequence[ObjectSpec] = (),
    ) -> Company:
        """A company of its own kind: sizes and latencies are drawn. Nothing is planned yet.

        With `specs` it owns these objects and nothing else, and has no rows.
        """
        desk = folder / "desk"
        desk.mkdir()
        cloud.reset()
        cloud.bucket(BUCKET)
        cloud.container(CONTAINER)
        if database is None:
            database = SqliteApplication(folder / "production.sqlite3")
        environment = clean_environment(desk, cloud.s3_url, cloud.azure_url)
        del environment["AZURE_STORAGE_CONNECTION_STRING"]
        environment |= cloud.environment() | {"DATABASE_URL": database.url}
        secrets = [environment["AWS_SECRET_ACCESS_KEY"]]
        company = cls(cloud, Terminal(desk, environment, forks, secrets), database)
        if specs:
            cloud.put(BUCKET, *specs)
        else:
            company._fill(chance)
        for side in ("s3", "azure"):
            seconds = chance.uniform(0, LONGEST_LATENCY / 2)
            weather = Weather(latency_ms=1000 * seconds, jitter_ms=500 * LONGEST_LATENCY, seed=chance.randrange(99))
            cloud.weather(side, weather)
        cloud.reset_counts()
        return company

    def _fill(self, chance: Random) -> None:
        specs = [
            ObjectSpec(
                key=f"small/{number:03d}", size=chance.randrange(12_000), recipe=f"seeded:{chance.random()}",
                encryption="aws:kms" if number % 8 in (3, 6) else None,
                checksum="CRC64NVME" if number % 8 in (3, 5) else None,
                headers={"Content-Type": "application/pdf"}, metadata={"made-by": "us"} if number % 5 == 0 else {},
            )
            for number in range(SMALL)
        ]  # fmt: skip
        copied = {spec.key for spec in (*specs, *LARGE)}
        self.cloud.put(BUCKET, *specs, *LARGE, *NOT_TO_COPY)
        stored = self.cloud.objects(BUCKET, digests=True)
        self.objects = {one.key: one for one in stored if one.key in copied}
        self._write_rows({one.key: one for one in stored})

    def _write_rows(self, stored: dict[str, StoredObject]) -> None:
        """Rows that can be flipped, and one for each reason why a row must stay as it is."""
        rows: list[tuple[str, str, int, str | None]] = [
            (key, "amazon", one.size, _base64(one.md5)) for key, one in stored.items() if self._has_row(key)
        ]
        first, second, third = sorted(key for key in stored if key.startswith("small/") and not self._has_row(key))[:3]
        rows += [
            (first, "amazon", stored[first].size, _base64("0" * 32)),  # says other bytes than S3 holds
            (second, "amazon", stored[second].size + 1, None),
            (third, "local", stored[third].size, _base64(stored[third].md5)),
            ("uploaded but never arrived", "amazon", 5, _base64("1" * 32)),
        ]
        marks = ", ".join(["(?, 'file', 'application/pdf', ?, ?, ?, '2026-03-01 08:00:00.000000')"] * len(rows))
        self.database.execute(
            f"INSERT INTO active_storage_blobs ({self.database.key_column}, filename, content_type, service_name,"
            f" byte_size, checksum, created_at) VALUES {marks}", *(value for row in rows for value in row)
        )  # fmt: skip

    @staticmethod
    def _has_row(key: str) -> bool:
        if key.startswith("small/"):
            return int(key[-3:]) % 4 != 1
        return key in ("large/one-part", "large/even parts", "large/kms-rails", "archived")

    def until_quiet(self) -> None:
        """Let the cloud finish what it had begun when its client died."""
        before = -1
        while before != (before := self.answers()):
            time.sleep(LONGEST_LATENCY)

    def committed(self) -> set[str]:
        """Names of the blobs that are there, not counting uncommitted blocks."""
        return {name for name, blob in self.cloud.blobs(CONTAINER).items() if blob.committed}

    def answers(self) -> int:
        """How many requests the cloud has answered."""
        counts = self.cloud.counts()
        return sum(
            times for side in (counts.s3, counts.azure) for one in side.answers.values() for times in one.values()
        )

    # What is typed.

    @property
    def checkpoint(self) -> Path:
        return self.terminal.folder / "blobmove.db"

    @property
    def plan_words(self) -> tuple[str, ...]:
        destination = self.cloud.destination(CONTAINER)
        return ("plan", "--source", f"s3://{BUCKET}", "--destination", destination, "--list", "--json")

    @property
    def copy_words(self) -> tuple[str, ...]:
        return ("copy", "--resume", "--json", *MOVING, *self.route)

    def undo_words(self, run: int) -> tuple[str, ...]:
        return ("flip-service", "--undo", str(run), "--confirm", "azure", *_IN_BATCHES)

    def plan(self) -> Run:
        return self.terminal.run(*self.plan_words)

    def copy(self) -> Run:
        """Resume until it ends by itself. 1: one name is refused."""
        return self.terminal.run(*self.copy_words, expect=1)

    def services(self) -> dict[int, tuple[str, str]]:
        """Key and service name of every row, by id."""
        found = self.database.execute(f"SELECT id, {self.database.key_column}, service_name FROM active_storage_blobs")
        return {int(str(row)): (str(key), str(name)) for row, key, name in found}

    def flipped(self) -> int:
        """How many rows name the new service: how far a flip or an undo has come."""
        query = "SELECT count(*) FROM active_storage_blobs WHERE service_name = 'azure'"
        return int(str(self.database.execute(query)[0][0]))


_IN_BATCHES: Final = ("--json", "--batch-size", "4", "--sleep-ratio", "0.2")
VERIFY: Final = ("verify", "--json")
FLIP: Final = ("flip-service", "--from", "amazon", "--to", "azure", "--confirm", "azure", *_IN_BATCHES)


def _base64(digits: str) -> str:
    return base64.b64encode(bytes.fromhex(digits)).decode()
