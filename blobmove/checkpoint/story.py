"""The whole story of a checkpoint, a year later: what was planned, how it ended, every run and every flip."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from blobmove.checkpoint.journal import FlipJournal, FlipRun
from blobmove.checkpoint.reader import CheckpointReader, RunRow
from blobmove.core.model import UNWELL_STATES, State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from blobmove.checkpoint.values import Row, Setup
    from blobmove.core.results import Failure, Totals

LISTED: Final = 100
"""Objects named a state at most: the page is for reading, the whole list is `report --objects`."""
RUNS: Final = 200
_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9/_.-]{0,120}\Z")


@dataclass(frozen=True, slots=True)
class Story:
    """Everything the auditor's page tells. planned = sum of `totals`.

    `unwell` has at most LISTED objects of each state that is not well or gone, `runs` the newest RUNS ones of
    `run_count`, both oldest first; `verified` is the last verification that came to its end. `example` is a copied
    object whose key can be typed as it is: key, blob name, size, MD5; None where there is none.
    """

    checkpoint: str
    setup: Setup
    totals: Totals
    reasons: Mapping[str, int]
    proofs: Mapping[str, int]
    notes: Mapping[str, int]
    unwell: Mapping[State, tuple[Failure, ...]]
    runs: tuple[RunRow, ...]
    run_count: int
    verified: RunRow | None
    verify_holds: bool
    flips: tuple[FlipRun, ...]
    missing_files: tuple[tuple[str, str], ...]
    missing_count: int
    example: tuple[str, str, int, str | None] | None


def story(reader: CheckpointReader) -> Story:
    """Read it; works while another process writes. Raises UsageError before the first complete plan."""
    runs, count = _runs(reader)
    return Story(
        checkpoint=str(reader.path), setup=reader.setup(), totals=reader.totals(),
        reasons=reader.tally("reason"), proofs=reader.tally("proof"), notes=reader.tally("note"),
        unwell={state: found for state in (*UNWELL_STATES, State.GONE) if (found := reader.unwell(LISTED, state))},
        runs=runs, run_count=count, verified=_verified(reader), verify_holds=reader.last_verify_passed(),
        flips=tuple(FlipJournal(reader.db).runs()), **_missing(reader), example=_example(reader),
    )


_RUN: Final = "SELECT id, command, started_at, finished_at, pid, exit_code, summary, host, plan FROM run"


def _runs(reader: CheckpointReader) -> tuple[tuple[RunRow, ...], int]:
    ((count,),) = reader.query("SELECT count(*) FROM run")
    rows = reader.query(f"{_RUN} ORDER BY id DESC LIMIT ?", (RUNS,))
    return tuple(_run(row) for row in reversed(rows)), count


def _verified(reader: CheckpointReader) -> RunRow | None:
    rows = reader.query(f"{_RUN} WHERE command = 'verify' AND json_extract(summary, '$.identical') IS NOT NULL"
                        " ORDER BY id DESC LIMIT 1")
    return _run(rows[0]) if rows else None


def _run(row: Row) -> RunRow:
    number, command, started, finished, pid, code, summary, host, plan = row
    return RunRow(number, command, started, finished, pid, code, json.loads(summary or "{}"), host, plan)


def _missing(reader: CheckpointReader) -> dict[str, Any]:
    """Rows that are attached (or may be) and whose file was not in the bucket: key and service."""
    where = "FROM rails_alone WHERE attached IS NOT 0"
    ((count,),) = reader.query(f"SELECT count(*) {where}")
    rows = reader.query(f"SELECT key, service_name {where} ORDER BY key LIMIT ?", (LISTED,))
    return {"missing_files": tuple(rows), "missing_count": count}


def _example(reader: CheckpointReader) -> tuple[str, str, int, str | None] | None:
    """The first copied object whose key needs no care in a shell, among the first two thousand."""
    for copy in reader.proven_page(-1, 2000):
        if _PLAIN.match(copy.blob_name):
            rows = reader.query("SELECT key FROM object_row WHERE id = ?", (copy.id,))
            return rows[0][0], copy.blob_name, copy.size, copy.md5.hex() if copy.md5 else None
    return None

