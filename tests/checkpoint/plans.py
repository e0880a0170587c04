"""Small plans for the tests: versions in, an adopted checkpoint out, and a look at everything it holds."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from blobmove.checkpoint.planning import Planned, PlanStage
from blobmove.checkpoint.writer import CheckpointWriter
from blobmove.core.model import ObjectVersion, Outcome, Proof, RailsFacts, State, slot
from blobmove.core.plan_results import PlanChange
from blobmove.core.selection import Selection, decide

E1, E2, E3 = (digit * 32 for digit in "123")
EVERYTHING = Selection()
RailsRow = tuple[str, RailsFacts, bool | None]


def planned(version: ObjectVersion, selection: Selection = EVERYTHING) -> Planned:
    """The row of a plan for this version, decided as `plan` does it."""
    return Planned(version, decide(version, selection, None), Proof.ETAG_MD5, referenced=False)


def gather(stage: PlanStage, versions: Iterable[ObjectVersion], selection: Selection = EVERYTHING) -> None:
    """Add the versions and close the list."""
    stage.add([planned(version, selection) for version in versions])
    stage.close_list()


def adopt(stage: PlanStage, name: str = "plan-1") -> PlanChange | None:
    """Take the gathered rows over."""
    return stage.adopt(
        plan=name, source="s3://acme", destination="https://acme.blob.core.windows.net/files",
        planned_at="2026-11-22T03:00:00Z", settings={"region": "eu-central-1"}, sizing={"listed": 1},
    )  # fmt: skip


def plan_into(
    path: Path, versions: Sequence[ObjectVersion], name: str = "plan-1", *, selection: Selection = EVERYTHING,
    rails: Sequence[RailsRow] = (),
) -> PlanChange | None:
    """One whole `plan`."""
    hierarchical = bool(selection.hierarchical)
    with CheckpointWriter(path, "plan", create=True) as writer, PlanStage(writer, hierarchical=hierarchical) as stage:
        stage.add_rails(rails)
        gather(stage, versions, selection)
        return adopt(stage, name)


def settle(path: Path, *outcomes: Outcome) -> None:
    """Record outcomes as `copy` does it."""
    with CheckpointWriter(path, "copy") as writer:
        writer.settle(outcomes)


def copied(key: str, etag: str | None = E1, blob_etag: str = "0x8D1") -> Outcome:
    """The outcome of an object copied well; its MD5 is what a plain ETag spells."""
    return Outcome(
        slot(key), State.COPIED, size=10, proof=Proof.ETAG_MD5, md5=bytes.fromhex((etag or E1)[:32]), crc64=b"c" * 8,
        source_etag=etag, blob_etag=blob_etag, content_type="image/png", seconds=0.25,
    )  # fmt: skip


def rows(path: Path, columns: str, where: str = "true") -> list[tuple[Any, ...]]:
    """Columns of the object table, by key."""
    with closing(sqlite3.connect(path)) as db:
        return db.execute(f"SELECT {columns} FROM object WHERE {where} ORDER BY key, id").fetchall()


def row(path: Path, key: str, columns: str) -> tuple[Any, ...]:
    """Columns of the one row that stands for the current version of a key."""
    ((found),) = rows(path, columns, f"id = {slot(key)}")
    return found


def everything(path: Path) -> list[str]:
    """The whole content as SQL, to see that nothing was touched."""
    with closing(sqlite3.connect(path)) as db:
        return list(db.iterdump())


def counted(path: Path) -> tuple[dict[tuple[str, str], tuple[int, int]], dict[tuple[str, str], tuple[int, int]]]:
    """The tally as kept, and the same counted anew from the rows: (objects, bytes) by kind and name."""
    with closing(sqlite3.connect(path)) as db:
        kept = {
            (kind, name): (objects, size)
            for kind, name, objects, size in db.execute("SELECT kind, name, objects, bytes FROM tally")
            if objects or size
        }
        anew: dict[tuple[str, str], tuple[int, int]] = {}
        for size, state, reason, proof, notes in db.execute(
            "SELECT coalesce(size, 0), state, reason, proof, notes FROM object"
        ):
            names = [("state", state), ("reason", reason), ("proof", proof)]
            names += [("note", note) for note in (notes or "").split(",")]
            for kind, name in names:
                if name:
                    objects, total = anew.get((kind, name), (0, 0))
                    anew[kind, name] = (objects + 1, total + size)
    return kept, anew
