"""The whole story of a checkpoint, a year later: what was planned, how it ended, every run and every flip."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from blobmove.checkpoint.file import explained, holder
from blobmove.checkpoint.journal import FlipJournal, FlipRun
from blobmove.checkpoint.reader import CheckpointReader, RunRow
from blobmove.core.frozen import frozen
from blobmove.core.model import UNWELL_STATES, State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from blobmove.checkpoint.values import Row, Setup
    from blobmove.core.results import Failure, Totals

LISTED: Final = 100
"""Objects named a state at most: the page is for reading, the whole list is `report --objects`."""
RUNS: Final = 200
_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9/_.-]{0,120}\Z")


class Doubt(StrEnum):
    """Why the checkpoint does not say that all that was copied is on Azure unchanged."""

    NEVER = "never"
    """No verification has come to its end."""
    DIFFERENT = "different"
    """The last that did has found a difference."""
    SAMPLE = "sample"
    """It looked at a sample."""
    UNREADABLE = "unreadable"
    """It could not read some blobs."""
    COPIED = "copied"
    """A copy came after it that settled something, or left no number."""
    UNFINISHED = "unfinished"
    """A later verification was broken off, ended with an error, or has no end yet."""


@frozen
class Story:
    """Everything the auditor's page tells. planned = sum of `totals`.

    `unwell` has at most LISTED objects of each state that is not well or gone, `runs` the newest RUNS ones of
    `run_count`, both oldest first. `verified` is the last verification that came to its end, `unfinished` the newest
    one if it did not; `doubts` are all reasons for which `verify_holds` is false. `running` and `running_flip` are the
    numbers of the run and of the flip at work now. `example` is a copied object whose key can be typed as it is: key,
    blob name, size, MD5; None where there is none.
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
    unfinished: RunRow | None
    verify_holds: bool
    doubts: tuple[Doubt, ...]
    running: int | None
    running_flip: int | None
    flips: tuple[FlipRun, ...]
    missing_files: tuple[tuple[str, str], ...]
    missing_count: int
    example: tuple[str, str, int, str | None] | None


def story(reader: CheckpointReader) -> Story:
    """Read it, all of one moment; works while another process writes. Raises UsageError before the first whole plan.

    Who holds the checkpoint is asked before that moment: a run that ends meanwhile is still told as running.
    """
    busy = holder(reader.path)
    with _one_moment(reader):
        runs, count = _runs(reader)
        flips = tuple(FlipJournal(reader.db).runs())
        return Story(
            checkpoint=str(reader.path), setup=reader.setup(), totals=reader.totals(),
            reasons=reader.tally("reason"), proofs=reader.tally("proof"), notes=reader.tally("note"),
            unwell={state: found for state in (*UNWELL_STATES, State.GONE) if (found := reader.unwell(LISTED, state))},
            runs=runs, run_count=count, **_second_look(reader), running=_running(runs, busy),
            flips=flips, running_flip=_running_flip(flips, busy), **_missing(reader), example=_example(reader),
        )


@contextmanager
def _one_moment(reader: CheckpointReader) -> Iterator[None]:
    """One snapshot of the file for all that is read within: outcomes and runs that fit each other."""
    with explained(reader.path):
        reader.db.execute("BEGIN")
        try:
            yield
        finally:
            with suppress(sqlite3.Error):
                reader.db.execute("ROLLBACK")


def _running(runs: Sequence[RunRow], busy: str | None) -> int | None:
    """The newest run, if it has no end and its process holds the checkpoint (checkpoint.file.held)."""
    if not runs or runs[-1].finished_at is not None:
        return None
    return runs[-1].id if busy == f"{runs[-1].command} (pid {runs[-1].pid})" else None


def _running_flip(flips: Sequence[FlipRun], busy: str | None) -> int | None:
    """The same of flips, which do not keep their process; one at a time holds the checkpoint."""
    if not flips or flips[-1].finished_at is not None or busy is None:
        return None
    return flips[-1].id if busy.startswith("flip-service ") else None


_RUN: Final = "SELECT id, command, started_at, finished_at, pid, exit_code, summary, host, plan FROM run"


def _runs(reader: CheckpointReader) -> tuple[tuple[RunRow, ...], int]:
    ((count,),) = reader.query("SELECT count(*) FROM run")
    rows = reader.query(f"{_RUN} ORDER BY id DESC LIMIT ?", (RUNS,))
    return tuple(_run(row) for row in reversed(rows)), count


def _second_look(reader: CheckpointReader) -> dict[str, Any]:
    """What `verify` has found, and what is to be said against it.

    Only a run that ended with 0, 1 or 5 has come to the end of what it was to look at: one that was broken off leaves
    its counts, too, with exit code 130 or 143.
    """
    whole = reader.query(f"{_RUN} WHERE command = 'verify' AND exit_code IN (0, 1, 5) ORDER BY id DESC LIMIT 1")
    newest = reader.query(f"{_RUN} WHERE command = 'verify' ORDER BY id DESC LIMIT 1")
    verified = _run(whole[0]) if whole else None
    unfinished = _run(newest[0]) if newest and newest != whole else None
    return {"verified": verified, "unfinished": unfinished, "verify_holds": reader.last_verify_passed(),
            "doubts": tuple(_doubts(reader, verified, unfinished))}


def _doubts(reader: CheckpointReader, verified: RunRow | None, unfinished: RunRow | None) -> Iterator[Doubt]:
    """By the conditions of `CheckpointReader.last_verify_passed`, each by itself."""
    if verified is None:
        yield Doubt.NEVER
    else:
        if verified.exit_code == 5:
            yield Doubt.DIFFERENT
        if verified.summary.get("unreadable", 0):
            yield Doubt.UNREADABLE
        if float(verified.summary.get("sample", 100)) < 100:
            yield Doubt.SAMPLE
        if reader.copied_after(verified.id):
            yield Doubt.COPIED
    if unfinished is not None:
        yield Doubt.UNFINISHED


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

