"""Results and events as JSON for scripts: the fields of the contract, only ever added to, never with a secret."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TextIO

from blobmove.core.events import Finished, FlipProgress, Logged, Note, Problem, Sample, Started, Stopping, Throttled
from blobmove.core.model import State
from blobmove.core.secrets import redact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from blobmove.checkpoint.journal import FlipRun
    from blobmove.core.crew import WorkerShown
    from blobmove.core.diagnosis import Diagnosis
    from blobmove.core.events import Event
    from blobmove.core.flip_results import BornResult, FlipResult
    from blobmove.core.plan_results import InventoryFacts, PlanResult, RailsCheck
    from blobmove.core.results import CopySummary, Failure, ReverseResult, StatusResult, Totals, VerifyResult

Document = dict[str, Any]


def doctor_document(diagnosis: Diagnosis) -> Document:
    """`doctor --json`: checks = ok + warnings + failures + not_configured."""
    from blobmove.core.diagnosis import Level  # the nouns of one command; every other needs this module as well

    return _clean({
        "format": 1,
        "command": "doctor",
        "source": diagnosis.source,
        "destination": diagnosis.destination,
        "checkpoint": diagnosis.checkpoint,
        "checks": len(diagnosis.findings),
        "ok": diagnosis.count(Level.OK),
        "warnings": diagnosis.count(Level.WARNING),
        "failures": diagnosis.count(Level.FAILURE),
        "not_configured": diagnosis.count(Level.ABSENT),
        "findings": [
            {"area": str(one.area), "check": one.check, "level": str(one.level), "text": one.text, "cause": one.cause,
             "hint": one.hint, "code": one.code, "figures": dict(one.figures)} for one in diagnosis.findings
        ],
        "seconds": round(diagnosis.seconds, 3),
        "exit_code": diagnosis.exit_code,
        "next": diagnosis.next,
    })


def plan_document(result: PlanResult) -> Document:
    """`plan --json`."""
    forecast = result.forecast
    document: Document = {
        "format": 1,
        "command": "plan",
        "plan": result.plan,
        "source": result.source,
        "destination": result.destination,
        "checkpoint": result.checkpoint,
        "inventory": _inventory(result.inventory),
        "objects": {
            "listed": result.listed,
            "to_copy": result.to_copy,
            "settled": result.settled,
            "unknown_sizes": result.unknown_sizes,
            "skipped": dict(result.skipped),
            "refused": dict(result.refused),
        },
        "bytes": {"to_copy": result.to_copy_bytes},
        "sizes": [{"up_to": size.up_to, "objects": size.objects, "bytes": size.bytes} for size in result.sizes],
        "storage_classes": dict(result.storage_classes),
        "proofs": dict(result.proofs),
        "rails": None if result.rails is None else _rails(result.rails),
        "forecast": {
            "seconds": list(forecast.seconds),
            "dollars": dict(forecast.dollars),
            "requests": dict(forecast.requests),
        },
    }
    if result.change is not None:
        change = result.change
        document["change"] = {"previous": change.previous, "new": change.new, "changed": change.changed}
    return _clean(document)


def _inventory(facts: InventoryFacts) -> Document:
    return {"format": facts.format, "created": facts.created, "files": facts.files, "rows": facts.rows,
            "outside": facts.outside, "twice": facts.twice}


def _rails(rails: RailsCheck) -> Document:
    return {
        "rows": rails.rows,
        "by_service": dict(rails.by_service),
        "matched": rails.matched,
        "missing_attached": rails.missing_attached,
        "missing_unattached": rails.missing_unattached,
        "size_differs": rails.size_differs,
        "checksum_differs": rails.checksum_differs,
        "objects_without_row": rails.objects_without_row,
    }


def summary_document(summary: CopySummary) -> Document:
    """The last line of `copy --json`: planned = sum of outcomes."""
    return _clean({
        "format": 1,
        "type": "summary",
        "direction": summary.direction,
        "plan": summary.plan,
        "source": summary.source,
        "destination": summary.destination,
        "planned": summary.totals.planned,
        "outcomes": _outcomes(summary.totals),
        "bytes": {"read": summary.bytes_read, "written": summary.bytes_written,
                  "pulled": summary.travelled.bytes_pulled, "planned": summary.totals.planned_bytes},
        "outcome_bytes": _outcome_bytes(summary.totals),
        "reasons": dict(summary.reasons),
        "proofs": dict(summary.proofs),
        "notes": dict(summary.notes),
        "requests": {"s3": dict(summary.requests_s3), "azure": dict(summary.requests_azure)},
        "transfer": {"server": summary.travelled.server, "stream": summary.travelled.stream,
                     "given_up": summary.travelled.given_up},
        "retries": summary.retries,
        "seconds": round(summary.seconds, 3),
        "stopped": summary.stopped,
        "next": summary.next,
    })


def status_document(status: StatusResult) -> Document:
    """`status --json`: the summary of `copy` and how it goes."""
    return _clean(summary_document(status.summary) | {
        "command": "status",
        "running": status.running,
        "pid": status.pid,
        "eta_seconds": status.eta_seconds,
        "rate": status.rate,
        "planned_at": status.planned_at,
        "last_verify": status.last_verify,
        "workers": [_worker(one) for one in status.workers],
        "failures": _failures(status.failures),
    })


def reverse_document(result: ReverseResult) -> Document:
    """The last line of `copy --reverse --json`: the summary, and the first blobs that did not end well."""
    return _clean(summary_document(result.summary) | {"failures": _failures(result.failures)})


def _failures(failures: Sequence[Failure]) -> list[Document]:
    return [{"key": failure.key, "state": failure.state, "reason": failure.reason, "detail": failure.detail,
             "attempts": failure.attempts} for failure in failures]


def verify_document(result: VerifyResult) -> Document:
    """`verify --json`: checked = identical + different + missing; `unreadable` ones come on top."""
    return _clean({
        "format": 1,
        "command": "verify",
        "checked": result.checked,
        "identical": result.identical,
        "different": result.different,
        "missing": result.missing,
        "unreadable": result.unreadable,
        "extra": result.extra,
        "how": result.how,
        "read_back": result.read_back,
        "examples": [{"key": key, "problem": problem} for key, problem in result.examples],
        "seconds": round(result.seconds, 3),
        "next": result.next,
    })


def flip_document(result: FlipResult) -> Document:
    """`flip-service --json`: rows = flipped + sum(refused) + remaining."""
    return _clean({
        "format": 1,
        "command": "flip-service",
        "from": list(result.from_services),
        "to": result.to_service,
        "rows": result.rows,
        "flipped": result.flipped,
        "refused": dict(result.refused),
        "remaining": result.remaining,
        "dry_run": result.dry_run,
        "run": result.run,
        "undo_of": result.undo_of,
        "by_service": dict(result.by_service),
        "proven_by_service": dict(result.proven_by_service),
        "other_services": dict(result.other_services),
        "examples": {reason: list(keys) for reason, keys in result.examples.items()},
        "batches": result.batches,
        "batch_size": result.batch_size,
        "database": result.database,
        "statement": result.statement,
        "first_id": result.first_id,
        "last_id": result.last_id,
        "born": result.born,
        "born_examples": list(result.born_examples),
        "sql": result.script or None,
        "undo_sql": result.undo_script or None,
        "outlook": _outlook(result),
        "seconds": round(result.seconds, 3),
        "stopped": result.stopped,
        "next": result.next,
    })


def _outlook(result: FlipResult) -> Document | None:
    """What only a dry run has to tell."""
    if result.outlook is None:
        return None
    outlook = result.outlook
    return {
        "seconds": [round(seconds, 1) for seconds in result.estimate_seconds],
        "log_bytes": result.log_bytes,
        "explain": list(outlook.explain),
        "session": dict(outlook.session),
        "grants": list(outlook.grants),
        "missing_grants": list(outlook.missing),
        "sample_key": result.sample_key,
    }


def born_document(result: BornResult) -> Document:
    """`flip-service --born --json`."""
    return _clean({"format": 1, "command": "flip-service", "to": result.to_service, "born": result.rows,
                   "bytes": result.bytes, "file": result.file})


def runs_document(runs: Sequence[FlipRun]) -> Document:
    """`flip-service --runs --json`."""
    return _clean({
        "format": 1,
        "command": "flip-service",
        "runs": [
            {"run": run.id, "started_at": run.started_at, "finished_at": run.finished_at, "database": run.database,
             "from": list(run.from_services), "to": run.to_service, "undo_of": run.undo_of, "host": run.host,
             "operator": run.operator, "rows": run.rows, "flipped": run.flipped, "unsettled_batches": run.unsettled}
            for run in runs
        ],
    })


def event_document(event: Event) -> Document:
    """One line of `copy --json` or of the log; `type` says what it is (a note is for the log only)."""
    match event:
        case Started():
            body = {"type": "started", "plan": event.plan, "command": event.command, "source": event.source,
                    "destination": event.destination, "checkpoint": event.checkpoint, **_totals(event.totals),
                    "concurrency": event.concurrency, "max_memory": event.max_memory, "direction": event.direction}
        case Sample():
            body = _sample(event)
        case Problem():
            body = {"type": "problem", "key": event.key, "state": event.state, "code": event.code,
                    "detail": event.detail}
        case Throttled():
            body = {"type": "throttled", "side": event.side, "code": event.code,
                    "wait_seconds": event.wait_seconds, "concurrency": event.concurrency}
        case Stopping():
            body = {"type": "stopped", "why": event.why, "in_flight": event.in_flight}
        case Note():
            body = {"type": "note", "text": event.text}
        case Logged():
            body = {"type": "log", "source": event.source, "text": event.text}
        case FlipProgress():
            body = {"type": "flip", "rows": event.rows, "flipped": event.flipped, "refused": event.refused,
                    "state": event.state, "elapsed": round(event.elapsed, 3)}
        case Finished():
            return summary_document(event.summary)
    return _clean({"format": 1} | body)


def _sample(event: Sample) -> Document:
    return {
        "type": "sample",
        "elapsed": round(event.elapsed, 3),
        **_totals(event.totals),
        "bytes_per_second": round(event.bytes_per_second, 1),
        "objects_per_second": round(event.objects_per_second, 2),
        "eta_seconds": event.eta_seconds,
        "in_flight": event.in_flight,
        "concurrency": event.concurrency,
        "retried": event.retried,
        "memory_used": event.memory_used,
        "state": event.state,
        "workers": [_worker(one) for one in event.workers],
    }


def _worker(worker: WorkerShown) -> Document:
    return {"name": worker.name, "state": worker.state, "objects_per_second": round(worker.objects_per_second, 2),
            "bytes_per_second": round(worker.bytes_per_second, 1), "in_flight": worker.in_flight,
            "concurrency": worker.slots, "bandwidth": _rounded(worker.bandwidth),
            "requests_per_second": _rounded(worker.requests_per_second)}


def _rounded(rate: float | None) -> float | None:
    return None if rate is None else round(rate, 1)


def _totals(totals: Totals) -> Document:
    return {"planned": totals.planned, "outcomes": _outcomes(totals), "outcome_bytes": _outcome_bytes(totals)}


def _outcomes(totals: Totals) -> dict[str, int]:
    """All nine, also those that are 0: a script should not need to guess."""
    order = [state for state in State if state is not State.PENDING] + [State.PENDING]
    return {str(state): totals.objects.get(state, 0) for state in order}


def _outcome_bytes(totals: Totals) -> dict[str, int]:
    return {str(state): number for state, number in totals.bytes.items() if number}


class EventLines:
    """Writes events as JSON lines. The summary is the porch's to write, as the last line; notes are for people, what
    libraries log is for the log file."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, event: Event) -> None:
        """Write one line at once, so that a pipe sees it when it happens."""
        if not isinstance(event, Finished | Note | Logged):
            self._stream.write(json.dumps(event_document(event), ensure_ascii=False) + "\n")
            self._stream.flush()


def _clean(document: Document) -> Document:
    """Every text through the last net, before it is turned into JSON."""
    return {name: _clean_value(value) for name, value in document.items()}


def _clean_value(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, str):
        return redact(value.encode("utf-8", "backslashreplace").decode())
    if isinstance(value, dict):
        return _clean(value)
    return [_clean_value(inner) for inner in value] if isinstance(value, list) else value
