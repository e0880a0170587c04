"""`status` and `report`: what the checkpoint says, without asking anybody else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from blobmove.checkpoint.file import holder
from blobmove.checkpoint.reader import RECORD_FIELDS, CheckpointReader
from blobmove.core.crew import WorkerShown
from blobmove.core.results import CopySummary, StatusResult, Travelled
from blobmove.operations.tallies import next_command

FAILURES: Final = 1000
RECENT: Final = 10
_VERIFIED: Final[dict[int | None, str]] = {0: "passed", 1: "could not read some blobs", 5: "found differences"}


def status(path: Path, *, all_failures: bool) -> StatusResult:
    """Where things stand; works while another process writes."""
    with CheckpointReader(path) as reader:
        setup, totals = reader.setup(), reader.totals()
        last = reader.last_run("copy")
        told: dict[str, Any] = last.summary if last else {}
        busy = holder(path)
        copying = busy is not None and busy.startswith("copy") and last is not None and last.finished_at is None
        summary = CopySummary(
            plan=setup.plan, source=setup.source, destination=setup.destination, totals=totals,
            reasons=reader.tally("reason"), proofs=reader.tally("proof"), notes=reader.tally("note"),
            bytes_read=told.get("bytes", {}).get("read", 0), bytes_written=told.get("bytes", {}).get("written", 0),
            requests_s3=told.get("requests", {}).get("s3", {}),
            requests_azure=told.get("requests", {}).get("azure", {}),
            retries=told.get("retries", 0), seconds=told.get("seconds", told.get("elapsed", 0.0)),
            next=_next(reader, path), stopped=told.get("stopped", ""),
            travelled=Travelled(**told.get("travelled", {})),
        )
        return StatusResult(
            summary=summary, running=busy, pid=_pid(busy),
            eta_seconds=told.get("eta_seconds") if copying else None, rate=told.get("rate") if copying else None,
            planned_at=setup.planned_at, last_verify=_last_verify(reader),
            failures=reader.unwell(FAILURES if all_failures else RECENT),
            workers=tuple(WorkerShown(**one) for one in told.get("workers", ())) if copying else (),
        )


def _next(reader: CheckpointReader, path: Path) -> str:
    """What to type next, one step further where the last verification has passed already."""
    command = next_command(reader.totals(), path)
    if command.startswith("blobmove verify") and reader.last_verify_passed():
        return command.replace("blobmove verify", "blobmove flip-service --to NAME --dry-run")
    return command


def _pid(busy: str | None) -> int | None:
    digits = (busy or "").rpartition("pid ")[2].rstrip(")")
    return int(digits) if digits.isdigit() else None


def _last_verify(reader: CheckpointReader) -> str | None:
    run = reader.last_run("verify")
    if run is None or run.finished_at is None:
        return None
    return f"{run.finished_at}: {_VERIFIED.get(run.exit_code, f'broken off with exit code {run.exit_code}')}"


def records(reader: CheckpointReader) -> Iterator[dict[str, Any]]:
    """One record a planned object, fields as cli.md names them."""
    for batch in reader.records():
        for row in batch:
            record = dict(zip(RECORD_FIELDS, row, strict=True))
            for name in ("settled_at", "source_modified"):
                record[name] = _iso(record[name])
            yield record


def _iso(milliseconds: int | None) -> str | None:
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


