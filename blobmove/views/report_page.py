"""`report --html`: the auditor's page: what was planned, how it ended, how that is known, and where to look closer."""

from __future__ import annotations

import shlex
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from blobmove.core.model import PROVEN_STATES, State
from blobmove.core.plan_results import InventoryFacts, PlanResult
from blobmove.core.settings import for_checkpoint
from blobmove.core.units import format_bytes, format_count, format_duration
from blobmove.views.page import now, ranked, render, write_page
from blobmove.views.plan_text import origin, summands
from blobmove.views.report_words import MEANING, NO_END, NOTES, PROVEN_BY, RUNNING, doubt_text, reason_text

if TYPE_CHECKING:
    from blobmove.checkpoint.journal import FlipRun
    from blobmove.checkpoint.reader import RunRow
    from blobmove.checkpoint.story import Story

BAR: Final = 720
"""Width of the bar of outcomes in the drawing's own units."""


def write_report_page(path: Path, story: Story) -> None:
    """Write the page, whole or not at all. Raises OSError."""
    write_page(path, report_page(story))


def report_page(story: Story, *, written_at: str | None = None) -> str:
    """The page as text."""
    totals = story.totals
    mood, verdict = _verdict(story)
    checkpoint = Path(story.checkpoint)
    return render("report.html", {
        "setup": story.setup, "planned_at": moment(story.setup.planned_at), "mood": mood, "verdict": verdict,
        "checkpoint": story.checkpoint,
        "outcomes": [{"state": str(state), "objects": totals.objects[state], "bytes": totals.bytes.get(state, 0),
                      "text": MEANING[state]} for state in MEANING if totals.objects.get(state)],
        "bar": _bar(story), "planned": totals.planned, "planned_bytes": totals.planned_bytes,
        "plan": _planned(story), "proofs": _proofs(story),
        "proven": sum(totals.objects.get(state, 0) for state in PROVEN_STATES), "notes": _notes(story),
        "verified": _verified(story), "doubts": [doubt_text(story, doubt) for doubt in story.doubts],
        "reasons": _reasons(story),
        "unwell": [{"state": str(state), "total": totals.objects[state], "objects": objects}
                   for state, objects in story.unwell.items()],
        "missing_files": story.missing_files, "missing_count": story.missing_count,
        "missing_command": _sql(checkpoint, "SELECT key, service_name FROM rails_alone WHERE attached IS NOT 0"),
        "flips": [_flip(one, story.running_flip) for one in story.flips],
        "journal_command": _sql(checkpoint, "SELECT id, old_service, new_service, flipped FROM flip_row"),
        "runs": [_run(one, story.running) for one in story.runs], "run_count": story.run_count, "check": _check(story),
        "objects_command": for_checkpoint("blobmove report --objects objects.csv", checkpoint),
        "written_at": written_at or now(),
    })


def _verdict(story: Story) -> tuple[str, str]:
    """The answer to the page's question, as far as it can be given now."""
    objects = dict.fromkeys(State, 0) | story.totals.objects
    proven = sum(objects[state] for state in PROVEN_STATES)
    left, planned = objects[State.PENDING], story.totals.planned
    unwell = sum(objects[state] for state in (State.REFUSED, State.CHANGED, State.CONFLICT, State.FAILED))
    aside = f"left out on purpose: {format_count(objects[State.SKIPPED])}"
    if objects[State.GONE]:
        aside += f", deleted from S3 before they were read: {format_count(objects[State.GONE])}"
    if left:
        return "bad", (f"Not yet: of {format_count(planned)} planned objects {format_count(proven)} are on Azure and "
                       f"proven, {format_count(left)} are still to be copied.")
    look = ("A later, independent look at Azure found all of them unchanged." if story.verify_holds
            else "No later look at Azure (verify) has confirmed it yet.")
    text = f"Of {format_count(planned)} planned objects {format_count(proven)} are on Azure and proven; {aside}"
    if unwell:
        return "bad", f"{text}. Did not arrive, with the reasons below: {format_count(unwell)}. {look}"
    return ("good" if story.verify_holds else ""), f"{text}. Nothing failed. {look}"


def _bar(story: Story) -> list[dict[str, Any]]:
    """Segments in the order of MEANING that fill the whole width; whatever occurs is visible."""
    counts = {state: number for state in MEANING if (number := story.totals.objects.get(state, 0))}
    least = 3.0
    free = BAR - least * len(counts)
    whole, x, parts = max(1, sum(counts.values())), 0.0, []
    for state, number in counts.items():
        width = least + free * number / whole
        parts.append({"state": str(state), "x": round(x, 2), "width": round(width, 2)})
        x += width
    return parts


def _planned(story: Story) -> dict[str, Any] | None:
    """The plan's own sum, from the numbers it left in the checkpoint."""
    told = story.setup.sizing
    try:
        result = PlanResult(**{**told, "inventory": InventoryFacts(**told["inventory"])})
    except (KeyError, TypeError):  # of another version, or none
        return None
    return {"list": f"From {origin(result.inventory)}.", "summands": summands(result), "to_copy": result.to_copy,
            "to_copy_bytes": result.to_copy_bytes}


def _proofs(story: Story) -> list[tuple[str, int, str]]:
    return [(name, number, PROVEN_BY.get(name, "")) for name, number in ranked(story.proofs)]


def _notes(story: Story) -> list[tuple[str, int, str]]:
    """A row may carry several notes, joined by commas: each is counted by itself."""
    counts: dict[str, int] = {}
    for names, number in story.notes.items():
        for name in names.split(","):
            counts[name] = counts.get(name, 0) + number
    return [(name, number, NOTES.get(name, "")) for name, number in ranked(counts)]


def _reasons(story: Story) -> list[tuple[str, int, str]]:
    return [(name, number, reason_text(name)) for name, number in ranked(story.reasons)]


def _verified(story: Story) -> dict[str, Any] | None:
    run = story.verified
    if run is None:
        return None
    told = run.summary
    how = {"listing": "sizes and MD5s as Azure lists them",
           "read": "every byte was read again"}.get(str(told.get("how")), str(told.get("how")))
    sample = float(told.get("sample", 100))
    share = "of every copied object" if sample >= 100 else f"of a sample of {sample:g} percent"
    names = (("identical", "identical"), ("different", "different"), ("missing", "missing on Azure"),
             ("unreadable", "could not be read"), ("extra", "on Azure, and not copied by this plan"))
    return {"text": f"Run {run.id}, ended {moment(run.finished_at or '')} UTC: {how}, {share}.",
            "rows": [(name, int(told.get(field, 0))) for field, name in names]}


def _run(run: RunRow, running: int | None) -> dict[str, Any]:
    end = RUNNING if run.id == running else NO_END
    return {
        "id": run.id, "command": run.command, "started_at": moment(run.started_at),
        "took": _took(run.started_at, run.finished_at),
        "exit": end if run.exit_code is None else str(run.exit_code), "what": _did(run),
        "who": f"{run.summary.get('version', 'unknown')}, {run.host}",
    }


def _took(started_at: str, finished_at: str | None) -> str:
    if finished_at is None:
        return ""
    return format_duration((datetime.fromisoformat(finished_at) - datetime.fromisoformat(started_at)).total_seconds())


def moment(iso: str) -> str:
    """`2026-11-28 00:34:54`: a time of the checkpoint, which keeps UTC."""
    return iso[:19].replace("T", " ")


def _did(run: RunRow) -> str:
    """What its last words say, by the kind of run."""
    told = run.summary
    if "to_copy" in told:
        return f"listed {format_count(told['listed'])}, {format_count(told['to_copy'])} to copy"
    if "settled" in told:
        moved = told.get("bytes", {})
        text = f"settled {format_count(told['settled'])} objects, read {format_bytes(moved.get('read', 0))}, wrote " \
               f"{format_bytes(moved.get('written', 0))}"
        return text + (f"; stopped: {told['stopped']}" if told.get("stopped") else "")
    if "identical" in told:
        text = (f"{format_count(told['identical'])} identical, {format_count(told['different'])} different, "
                f"{format_count(told['missing'])} missing")
        unread = told.get("unreadable", 0)
        return text + (f", {format_count(unread)} not readable" if unread else "")
    return f"stopped: {told['stopped']}" if told.get("stopped") else ""


def _flip(run: FlipRun, running: int | None) -> dict[str, Any]:
    what = f"{', '.join(run.from_services)} → {run.to_service}"
    if run.undo_of is not None:
        what = f"undo of run {run.undo_of}: {what}"
    if run.unsettled:
        what += f" ({run.unsettled} batches of unknown fate: the next flip asks the rows)"
    told = run.summary or {}
    if end := told.get("error") or told.get("stopped"):
        what += f"; stopped: {end}"
    version = told.get("version", "")
    who = f"{run.database}, {run.operator}@{run.host}" + (f", blobmove {version}" if version else "")
    took = _took(run.started_at, run.finished_at) or (RUNNING if run.id == running else NO_END)
    return {"id": run.id, "started_at": moment(run.started_at), "took": took,
            "what": what, "flipped": run.flipped, "where": who}


def _sql(checkpoint: Path, question: str) -> str:
    return f'sqlite3 -readonly {shlex.quote(str(checkpoint))} "{question}"'


def _check(story: Story) -> dict[str, Any] | None:
    """What an auditor types to compare one object on both sides without blobmove."""
    if story.example is None:
        return None
    key, name, size, md5 = story.example
    source, destination = story.setup.source.removeprefix("s3://"), story.setup.destination
    account_url, _, container = destination.rpartition("/")
    bucket = source.partition("/")[0]
    where_key = key.replace("'", "''")
    steps = [
        ("What the checkpoint has recorded of it:",
         _sql(Path(story.checkpoint), "SELECT state, proof, hex(md5), size, blob_etag FROM object\n"
                                      f"    WHERE key = '{where_key}'")),
        ("What S3 holds, byte for byte, and what it has stored of it, as long as the bucket is there:",
         f"aws s3 cp {shlex.quote(f's3://{bucket}/{key}')} - | md5sum\n"
         f"aws s3api head-object --bucket {shlex.quote(bucket)} --key {shlex.quote(key)} \\\n"
         "    --checksum-mode ENABLED"),
        ("What Azure holds, byte for byte:",
         f"az storage blob download --auth-mode login --no-progress \\\n    --blob-url "
         f"{shlex.quote(f'{destination}/{name}')} | md5sum"),
    ]
    told = f"{key}, {format_bytes(size)}" + (f", MD5 {md5}" if md5 else "")
    return {"text": f"For example {told}, in {account_url}, container {container}. All sums must be the same.",
            "steps": [{"text": text, "command": command} for text, command in steps]}
