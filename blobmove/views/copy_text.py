"""The end of a copy and where things stand, for people: outcomes that add up to the plan, and the next command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from blobmove.core.model import PROVEN_STATES, UNWELL_STATES, State
from blobmove.core.units import format_bytes, format_count, format_duration, format_percent, format_rate
from blobmove.views.layout import PLAIN, Paint, columns, listed, plural, printable, rule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from blobmove.core.crew import WorkerShown
    from blobmove.core.results import CopySummary, Failure, ReverseResult, StatusResult, Totals

_MEANING: Final = {
    State.COPIED: "every one proven by checksum",
    State.PRESENT: "were there already, proven identical",
    State.SKIPPED: "left out by the plan",
    State.REFUSED: "Azure cannot hold the name",
    State.CHANGED: "the source has moved on; the next plan adopts it",
    State.GONE: "deleted at the source since the plan",
    State.CONFLICT: "the destination holds something else",
    State.FAILED: "see blobmove status --failed",
    State.PENDING: "still to do",
}

_MEANING_BACK: Final = _MEANING | {
    State.SKIPPED: "left out",
    State.REFUSED: "S3 cannot hold the name or the metadata",
    State.CHANGED: "the blob was written anew meanwhile",
    State.GONE: "not on Azure: there is no file to copy",
    State.CONFLICT: "S3 holds something else under the key; it was left alone",
    State.FAILED: "not copied; the reasons are below",
}


def work(totals: Totals) -> tuple[int, int, int, int]:
    """Objects done and in all, bytes done and in all, without what the plan left out or refused."""
    aside = (State.SKIPPED, State.REFUSED)
    objects = sum(number for state, number in totals.objects.items() if state not in aside)
    size = sum(number for state, number in totals.bytes.items() if state not in aside)
    return (objects - totals.objects.get(State.PENDING, 0), objects,
            size - totals.bytes.get(State.PENDING, 0), size)


def share(totals: Totals) -> str:
    """`61.5 %` by bytes, or by objects where there are no bytes."""
    done, objects, done_bytes, size = work(totals)
    if done >= objects:
        return "100.0 %"
    return format_percent(done_bytes, size) if size and done_bytes < size else format_percent(done, objects)


def summary_text(summary: CopySummary, *, paint: Paint = PLAIN) -> str:
    """What `copy` prints at its end; the last line is the command to type next."""
    unwell = sum(summary.totals.objects.get(state, 0) for state in UNWELL_STATES)
    lines = [_headline(summary, paint), "", *outcome_lines(summary.totals), "", *_facts(summary)]
    if unwell:
        verb = "is" if unwell == 1 else "are"
        lines += ["", paint(f"{plural(unwell, 'object')} {verb} not well: blobmove status --failed", "bad")]
    if summary.stopped:
        lines += ["", "Nothing is half-done."]
    if summary.next:
        lines += ["", paint(f"Next: {summary.next}", "hint")]
    return "\n".join(lines)


def reverse_text(result: ReverseResult, *, paint: Paint = PLAIN) -> str:
    """What `copy --reverse` prints at its end, with the first blobs that did not end well."""
    summary = result.summary
    lines = [_headline(summary, paint), "", *outcome_lines(summary.totals, _MEANING_BACK), "", *_facts(summary)]
    if result.failures:
        lines += ["", "Not in S3", *_failures(result.failures)]
    if summary.stopped:
        lines += ["", "Nothing is half-done."]
    if summary.next:
        lines += ["", paint(f"Next: {summary.next}", "hint")]
    return "\n".join(lines)


def _headline(summary: CopySummary, paint: Paint) -> str:
    took = format_duration(summary.seconds)
    if summary.stopped:
        return paint(f"Stopped after {took}: {summary.stopped}.", "warn")
    objects = summary.totals.objects
    proven = sum(objects.get(state, 0) for state in PROVEN_STATES)
    size = sum(summary.totals.bytes.get(state, 0) for state in PROVEN_STATES)
    left = objects.get(State.PENDING, 0)
    where = "on Azure" if summary.direction == "forward" else "back in S3"
    text = f"{plural(proven, 'object')}, {format_bytes(size)}, {where} and proven; this run took {took}"
    return text + (f"; {format_count(left)} still to do." if left else ".")


def outcome_lines(totals: Totals, meaning: Mapping[State, str] = _MEANING) -> list[str]:
    """One line a state that occurs (what is to do last), a rule, and the plan they add up to."""
    rows = [
        (str(state), format_count(number), format_bytes(totals.bytes.get(state, 0)), meaning[state])
        for state in meaning if (number := totals.objects.get(state, 0))
    ]
    rows.append(("planned", format_count(totals.planned), format_bytes(totals.planned_bytes), ""))
    lines = columns(rows, "<>><")
    lines.insert(-1, rule(line[:len(lines[-1])] for line in lines))
    return lines


def _facts(summary: CopySummary) -> list[str]:
    rows = []
    if summary.proofs:
        rows.append(("proven by", listed(summary.proofs)))
    if summary.reasons:
        rows.append(("reasons", listed(summary.reasons, " × ")))
    if summary.notes:
        rows.append(("notes", listed(summary.notes, " × ")))
    moved = f"read {format_bytes(summary.bytes_read)}, wrote {format_bytes(summary.bytes_written)}"
    if summary.seconds > 0 and summary.bytes_written:
        moved += f" ({format_rate(summary.bytes_written / summary.seconds)})"
    if summary.retries:
        moved += f", {plural(summary.retries, 'retry', 'retries')}"
    rows.append(("this run", moved))
    if summary.travelled.server or summary.travelled.given_up:
        rows.append(("by Azure", _travelled(summary)))
    if summary.requests_s3:
        rows.append(("S3", listed(summary.requests_s3)))
    if summary.requests_azure:
        rows.append(("Azure", listed(summary.requests_azure)))
    return columns(rows, "<<")


def _travelled(summary: CopySummary) -> str:
    """How many objects of this run Azure pulled by itself, how many it did not, and why it was asked no more."""
    way = summary.travelled
    text = f"pulled {plural(way.server, 'object')}, {format_bytes(way.bytes_pulled)}"
    if way.stream:
        text += f"; {format_count(way.stream)} streamed"
    return f"{text}; then given up ({way.given_up})" if way.given_up else text


def question_text(summary: CopySummary, checkpoint: str) -> str:
    """What is about to be approved."""
    done, objects, done_bytes, size = work(summary.totals)
    return (f"Plan {summary.plan} · {printable(summary.source)} → {summary.destination} · {checkpoint}\n"
            f"{plural(objects - done, 'object')}, {format_bytes(size - done_bytes)} to copy. "
            "A copy can be stopped and resumed at any time.")


def dry_run_text(summary: CopySummary, *, paint: Paint = PLAIN) -> str:
    """What `copy --dry-run` prints."""
    done, objects, done_bytes, size = work(summary.totals)
    left = f"{plural(objects - done, 'object')}, {format_bytes(size - done_bytes)}"
    text = f"Would copy {left}. Nothing has been changed."
    following = "blobmove copy --resume" if summary.direction == "forward" else summary.next
    return "\n".join([text, "", *outcome_lines(summary.totals), "", paint(f"Next: {following}", "hint")])


def status_text(status: StatusResult, *, paint: Paint = PLAIN) -> str:
    """What `status` prints, with the failures where they were asked for."""
    summary = status.summary
    head = f"Plan {summary.plan} · planned {status.planned_at}"
    if status.running:
        head += f" · {status.running} running" + (f" (pid {status.pid})" if status.pid is not None else "")
    lines = [head, f"{printable(summary.source)} → {summary.destination}", "", *outcome_lines(summary.totals), ""]
    lines.append("    " + " · ".join(_pace(status)))
    lines += [f"    {line}" for line in _workers(status)]
    if status.last_verify:
        lines.append(f"    last verify: {status.last_verify}")
    if summary.reasons:
        lines.append(f"    reasons: {listed(summary.reasons, ' × ')}")
    if status.failures:
        lines += ["", "Not well", *_failures(status.failures)]
    lines += ["", paint("Next: " + ("(running)" if status.running else summary.next or "nothing left to do"), "hint")]
    return "\n".join(lines)


def _pace(status: StatusResult) -> list[str]:
    parts = [f"{share(status.summary.totals)} done"]
    if status.running and status.rate is not None:
        parts.append(format_rate(status.rate))
    if status.running and status.eta_seconds is not None:
        parts.append(f"{format_duration(status.eta_seconds)} left")
    return parts


def _workers(status: StatusResult) -> list[str]:
    """Each worker of a running copy: what it does, how fast, and its limits."""
    rows = [(one.name, one.state, f"{one.objects_per_second:,.0f} objects/s", format_rate(one.bytes_per_second),
             f"{one.in_flight} in flight", ", ".join(_limits(one))) for one in status.workers]
    return columns(rows, "<<>>><") if rows else []


def _limits(worker: WorkerShown) -> list[str]:
    limits = [f"{worker.slots} allowed"]
    if worker.bandwidth is not None:
        limits.append(f"{format_rate(worker.bandwidth)} at most")
    if worker.requests_per_second is not None:
        limits.append(f"{worker.requests_per_second:,.0f} requests/s at most")
    return limits


def _failures(failures: tuple[Failure, ...]) -> list[str]:
    rows = [(failure.state, printable(failure.key, 60), failure.reason, f"{failure.attempts} ×", failure.detail)
            for failure in failures]
    return columns(rows, "<<<><")
