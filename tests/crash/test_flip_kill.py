"""The flip alone, killed at random moments, at times its database with it: the journal is true and leads back.

Each round is a table of its own kind (bigint or uuid keys, a collation that tells case apart or not) with keys that
differ by case, accent and blanks, and rows of every reason to be left alone. The command is killed a few times in the
midst of its work and run again; then every gated row is flipped and nothing else has changed; then `--undo`, killed
as well, brings back the same bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
import time
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from uuid import UUID

import pytest

from blobmove.checkpoint.file import connect
from tests.campaigns import Teller
from tests.crash.mariadb import MariaDb
from tests.servers.rails_schema import activestorage

pytestmark = [pytest.mark.database, pytest.mark.rounds("flip")]

ROOT = Path(__file__).parents[2]
COLLATIONS = ("utf8mb4_general_ci", "utf8mb4_bin", "utf8mb4_unicode_nopad_ci")
"""The last one pads no blanks and folds case and accents, as MySQL's utf8mb4_0900_ai_ci does."""
LOOK_ALIKES = ("7Dq", "7dq", "7DQ ", "7DQ", "invoice ä", "invoice a", "invoice a\u0308", "😀", "😁")
ROWS = 400
KILLS = 4
CHILD = "tests.crash.flip_child"


@dataclass
class Table:
    """One table of rows; `gated` are the ids that may flip."""

    server: MariaDb
    checkpoint: Path
    key_type: str
    gated: set[str] = field(default_factory=set)
    ids: list[str] = field(default_factory=list)

    def make(self, chance: Random, collation: str, folder: Path) -> None:
        self.server.new_database(folder)
        self.server.execute("DROP TABLE active_storage_blobs")
        for statement in activestorage("mariadb", "8.1", self.key_type, unique_key=False)[:1]:
            self.server.execute(statement)
        self.server.execute(f"ALTER TABLE active_storage_blobs CONVERT TO CHARACTER SET utf8mb4 COLLATE {collation}")
        keys = [*LOOK_ALIKES, *(f"file-{number}" for number in range(ROWS - len(LOOK_ALIKES)))]
        chance.shuffle(keys)
        proven: list[tuple[str, int]] = []
        values: list[object] = []
        for number, key in enumerate(keys, start=1):
            row_id = str(number) if self.key_type == "bigint" else str(UUID(int=chance.getrandbits(128)))
            kind = chance.choices(("good", "composed", "unknown", "size", "other"), (80, 5, 5, 5, 5))[0]
            size = len(key.encode())
            checksum = None if kind == "composed" else b64encode(hashlib.md5(key.encode()).digest()).decode()
            values += [row_id, key, "local" if kind == "other" else "amazon", size + (kind == "size"), checksum]
            if kind != "unknown":
                proven.append((key, size))
            if kind in ("good", "composed"):
                self.gated.add(row_id)
        marks = ", ".join(["(?, ?, 'f', ?, ?, ?, '2026-11-01')"] * len(keys))
        self.server.execute(
            "INSERT INTO active_storage_blobs (id, `key`, filename, service_name, byte_size, checksum, created_at)"
            f" VALUES {marks}", *values
        )  # fmt: skip
        self.checkpoint.with_suffix(".proven").write_text("\n".join(key for key, _size in proven), encoding="utf-8")
        connect(self.checkpoint, write=True, create=True).close()

    def rows(self) -> list[tuple[object, ...]]:
        return self.server.execute("SELECT * FROM active_storage_blobs ORDER BY id")

    def named(self, service: str) -> set[str]:
        found = self.server.execute("SELECT id FROM active_storage_blobs WHERE service_name = ?", service)
        return {str(row[0]) for row in found}

    def journaled(self, *, maybe: bool = False) -> set[str]:
        """Ids that the journal says are flipped and not put back (with `maybe`: or may be)."""
        unknown = " OR f.flipped IS NULL" if maybe else ""
        with contextlib.closing(connect(self.checkpoint, write=False)) as file:
            there = file.execute("SELECT f.id FROM flip_row f JOIN flip_run r ON r.id = f.run WHERE r.undo_of IS NULL"
                                 f" AND (f.flipped = 1{unknown})").fetchall()
            back = file.execute("SELECT f.id FROM flip_row f JOIN flip_run r ON r.id = f.run"
                                " WHERE r.undo_of IS NOT NULL AND f.flipped = 1").fetchall()
        return {str(row[0]) for row in there} - {str(row[0]) for row in back}

    def runs(self) -> list[int]:
        with contextlib.closing(connect(self.checkpoint, write=False)) as file:
            return [row[0] for row in file.execute("SELECT id FROM flip_run WHERE undo_of IS NULL ORDER BY id DESC")]

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", CHILD, self.server.url, str(self.checkpoint), *words]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                env={**os.environ, "PYTHONPATH": str(ROOT)})

    def finish(self, *words: str) -> None:
        process = self.start(*words)
        out, err = process.communicate(timeout=100)
        assert process.returncode == 0, (out + err).decode()[-3000:]


def test_a_flip_killed_at_any_moment_ends_as_one_that_was_not(
    seed: int, server: MariaDb, tmp_path: Path, tell: Teller
) -> None:
    chance = Random(seed)
    key_type, collation = chance.choice(("bigint", "uuid")), chance.choice(COLLATIONS)
    table = Table(server, tmp_path / "blobmove.db", key_type)
    table.make(chance, collation, tmp_path)
    before = table.rows()
    log: list[str] = []
    try:
        for _ in range(KILLS):
            log.append(killed(table, server, chance))
            assert table.named("azure") <= table.gated
            assert table.named("azure") <= table.journaled(maybe=True)
        table.finish("flip")
        assert table.named("azure") == table.gated == table.journaled()
        changed = [tuple("amazon" if value == "azure" else value for value in row) for row in table.rows()]
        assert changed == before
        for run in table.runs():
            log.append(killed(table, server, chance, "undo", str(run)))
            assert table.named("azure") <= table.journaled(maybe=True)
            table.finish("undo", str(run))
    finally:
        tell(f"flip --seed {seed}: {key_type} {collation} {', '.join(log)}")
    assert table.rows() == before
    assert table.journaled() == set()


def killed(table: Table, server: MariaDb, chance: Random, *words: str) -> str:
    """Start, kill when the child has said so many words; one time in four the database dies as well."""
    process, said, seconds = table.start(*(words or ("flip",))), chance.randrange(0, 60), chance.random() * 0.01
    assert process.stdout is not None
    heard = 0
    while heard < said and process.stdout.readline():
        heard += 1
    time.sleep(seconds)
    with_server = chance.random() < 0.25
    if with_server:
        server.kill()
    process.kill()
    process.communicate()
    if with_server:
        server.start()
    return f"{words[0] if words else 'flip'}#{heard}" + " with the database" * with_server
