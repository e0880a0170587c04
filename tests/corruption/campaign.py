"""Waves of objects through the real commands while bits flip on the wire; afterwards every byte is compared."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any, Final, Literal

import pytest

from blobmove.cli.app import main
from tests.acceptance.app_database import AppDatabase
from tests.cloud.control import Cloud
from tests.cloud.specs import ObjectSpec, Rule, SideName
from tests.corruption.objects import BY_NAME, MOVING, proof_of

BUCKET: Final = "src"
CONTAINER: Final = "dst"
PROVEN: Final = ("copied", "present")


class Unnoticed(AssertionError):
    """Raised when a wrong bit lies in a committed blob; `keys` are the objects it happened to."""

    def __init__(self, keys: Sequence[str]) -> None:
        super().__init__(f"{len(keys)} blobs hold wrong bytes: {', '.join(keys[:10])}")
        self.keys = frozenset(keys)


@dataclass(slots=True)
class Campaign:
    """One company whose wires are bad.

    `flips` counts wrong bits by (proof, operation), `ends` objects by state; `noticed` are objects that failed and
    left a wrong blob behind all the same.
    """

    cloud: Cloud
    folder: Path
    patch: pytest.MonkeyPatch
    flips: Counter[tuple[str, str]] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    noticed: set[str] = field(default_factory=set)
    waves: int = 0

    def wave(self, specs: Sequence[ObjectSpec], rules: Sequence[Rule]) -> None:
        """Copy these objects under these rules. Raises Unnoticed, and AssertionError for anything else amiss."""
        self.waves += 1
        self._prepare(specs)
        numbers = [self.cloud.rule(rule) for rule in rules]
        self._type("copy", "--resume", "--json", *MOVING, codes=(0, 1))
        self._count_flips(numbers)
        self._nothing_wrong_is_committed()
        self._in_fair_weather(numbers, len(specs))

    def _prepare(self, specs: Sequence[ObjectSpec]) -> None:
        desk = self.folder / f"wave-{self.waves}"
        desk.mkdir()
        self.patch.chdir(desk)
        self.cloud.reset()
        self.cloud.bucket(BUCKET)
        self.cloud.container(CONTAINER)
        for start in range(0, len(specs), 500):
            self.cloud.put(BUCKET, *specs[start:start + 500])
        database = AppDatabase.create(desk / "production.sqlite3")
        self.patch.setenv("DATABASE_URL", database.url)
        self._write_rows(database)
        self._type("plan", "--source", f"s3://{BUCKET}", "--destination", self.cloud.destination(CONTAINER), "--list",
                   "--json", codes=(0,))

    def _write_rows(self, database: AppDatabase) -> None:
        rows = [
            (one.key, one.size, base64.b64encode(bytes.fromhex(one.md5)).decode())
            for one in self.cloud.objects(BUCKET, digests=True) if BY_NAME[one.key.split("/")[0]].row
        ]  # fmt: skip
        with closing(sqlite3.connect(database.path)) as connection, connection:
            connection.executemany(
                "INSERT INTO active_storage_blobs (key, filename, service_name, byte_size, checksum, created_at)"
                " VALUES (?, 'file', 'amazon', ?, ?, '2026-03-01 08:00:00.000000')", rows
            )

    def _count_flips(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            for operation, key, what in self.cloud.fired(number).log:
                self.flips[proof_of(key), operation] += what.startswith("bit ")

    def _nothing_wrong_is_committed(self) -> None:
        compared = self.cloud.compare(BUCKET, CONTAINER)
        states = self._states()
        self.ends.update(states.values())
        wrong = {*compared.different, *compared.wrong_md5}
        proven = {key for key, state in states.items() if state in PROVEN}
        if wrong & proven:
            raise Unnoticed(sorted(wrong & proven))
        self.noticed |= wrong
        assert not proven & set(compared.missing)
        others = {key: state for key, state in states.items() if state not in (*PROVEN, "failed")}
        assert others == {}, "an object ends well or failed"

    def _in_fair_weather(self, numbers: Sequence[int], objects: int) -> None:
        """Whatever failed arrives when the wires are good again, proven as expected."""
        for number in numbers:
            self.cloud.drop_rule(number)
        self._type("copy", "--resume", "--retry-failed", "--json", *MOVING, codes=(0,))
        compared = self.cloud.compare(BUCKET, CONTAINER)
        assert (compared.identical, compared.wrong_md5) == (objects, [])
        for key, proof in self._ask("SELECT key, proof FROM object"):
            assert proof == proof_of(key), key

    def _states(self) -> dict[str, str]:
        return dict(self._ask("SELECT key, state FROM object"))

    @staticmethod
    def _ask(sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect("blobmove.db")) as connection:
            return connection.execute(sql).fetchall()

    @staticmethod
    def _type(*words: str, codes: tuple[int, ...]) -> dict[str, Any]:
        """In this process, through the same doors as from a shell."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            code = main(words)
        assert code in codes, out.getvalue()[-3000:]
        told: dict[str, Any] = json.loads(out.getvalue().splitlines()[-1])
        return told

    def report(self) -> list[str]:
        """A table of what was flipped where."""
        operations = sorted({operation for _, operation in self.flips})
        proofs = sorted({proof for proof, _ in self.flips})
        lines = [f"{'proof':16}" + "".join(f"{name:>14}" for name in operations)]
        lines += [f"{proof:16}" + "".join(f"{self.flips[proof, name]:>14}" for name in operations) for proof in proofs]
        return [*lines, f"objects: {dict(self.ends)} in {self.waves} waves"]


def by_chance(chance: Random, operation: str, probability: float, key: str = "*") -> Rule:
    """Each such request has one wrong bit with this probability."""
    side, leg = _WHERE[operation]
    return Rule(side=side, do="flip", operation=operation, key=key, leg=leg, probability=probability,
                seed=chance.randrange(1 << 30))


def each(operation: str) -> Rule:
    """Every such request has one wrong bit."""
    side, leg = _WHERE[operation]
    return Rule(side=side, do="flip", operation=operation, leg=leg)


def the_first(operation: str) -> Rule:
    """The first such request of each key has one wrong bit."""
    return replace(each(operation), nth=(1,), per_key=True)


_WHERE: Final[dict[str, tuple[SideName, Literal["in", "out"]]]] = {
    "GetObject": ("s3", "out"), "GetBlob": ("azure", "out"), "PutBlob": ("azure", "in"), "PutBlock": ("azure", "in"),
    "PutBlockList": ("azure", "in"),
}  # fmt: skip
"""Whose request it is, and whether its body goes in or comes out."""
