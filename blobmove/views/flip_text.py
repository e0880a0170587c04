"""The flip of service_name, for people: rows by service, what is refused and why, how it is done."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from blobmove.core.flip_results import STOP_FILE
from blobmove.core.units import format_bytes, format_count, format_duration
from blobmove.views.layout import PLAIN, Paint, columns, plural, printable, rule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from blobmove.checkpoint.journal import FlipRun
    from blobmove.core.flip_results import BornResult, FlipResult


def flip_text(result: FlipResult, *, paint: Paint = PLAIN) -> str:
    """One run, real or dry; rows = flipped + refused + remaining, and the sum is shown."""
    sections = [_head(result), _services(result), _refused(result), _how(result), _server(result), _proof(result),
                _born(result), _verdict(result, paint)]
    return "\n\n".join("\n".join(section) for section in sections if section)


def _head(result: FlipResult) -> list[str]:
    lines = [f"active_storage_blobs in {result.database}"] if result.database else ["active_storage_blobs"]
    if result.undo_of is not None:
        lines.append(f"taking back run {result.undo_of}")
    return lines


def _services(result: FlipResult) -> list[str]:
    rows = [("service_name", "rows", "proven on Azure", "")]
    rows += [(service, format_count(number), format_count(result.proven_by_service.get(service, 0)),
              f"→ {result.to_service}") for service, number in result.by_service.items()]
    rows.append(("total", format_count(sum(result.by_service.values())),
                 format_count(sum(result.proven_by_service.values())), ""))
    lines = columns(rows, "<>><")
    lines.insert(-1, rule(lines))
    if result.other_services:
        others = ", ".join(f"{name} {format_count(number)}" for name, number in sorted(result.other_services.items()))
        lines.append(f"    not touched: {others}")
    return lines


def _refused(result: FlipResult) -> list[str]:
    if not any(result.refused.values()):
        return []
    lines = ["Refused (they keep their service)"]
    for reason, number in sorted(result.refused.items(), key=lambda item: (-item[1], item[0])):
        if number:
            examples = ", ".join(printable(key, 40) for key in result.examples.get(reason, ())[:3])
            lines.append(f"    {format_count(number)} × {reason}" + (f": {examples}" if examples else ""))
    return lines


def _how(result: FlipResult) -> list[str]:
    if not result.dry_run:
        return []
    lines = []
    if result.batches:
        lines.append(f"How: {plural(result.batches, 'batch', 'batches')} of at most "
                     f"{plural(result.batch_size, 'row')} by primary key, one transaction each.")
        kept = f"Nothing is journaled: the way back is in {result.undo_script} alone, keep it."
        lines.append(f"     {kept if result.script else 'Every old value is kept for --undo.'}")
    if result.first_id is not None:
        lines.append(f"     First id {result.first_id}, last id {result.last_id}.")
    least, most = result.estimate_seconds
    if most:
        log = f", and about {format_bytes(result.log_bytes)} in the log that replicas read" if result.log_bytes else ""
        lines.append(f"     About {format_duration(least)} to {format_duration(most)}, pauses included{log}.")
    if result.statement:
        lines += ["", *(f"    {line}" for line in result.statement.splitlines())]
    return lines


def _server(result: FlipResult) -> list[str]:
    """What the server says of it, asked without changing anything."""
    outlook = result.outlook
    if outlook is None:
        return []
    lines = ["What the server says"]
    lines += [f"    plan     {printable(step, 160)}" for step in outlook.explain]
    lines += [f"    session  {name} = {value}" for name, value in outlook.session]
    lines += [f"    grant    {printable(grant, 160)}" for grant in outlook.grants]
    lines.append("    needed   SELECT, UPDATE (service_name)" + (
        f": missing {', '.join(outlook.missing)}" if outlook.missing else ""))
    return lines


def _proof(result: FlipResult) -> list[str]:
    """The one thing that only the application knows: whether it has a service of that name."""
    if not result.dry_run or not result.sample_key or result.undo_of is not None:
        return []
    service, key = ruby_text(result.to_service), ruby_text(result.sample_key)
    ruby = f"abort unless ActiveStorage::Blob.services.fetch({service}).exist?({key})"
    return ["Before the flip, on every host that runs the application:",
            f"    bin/rails runner {shlex.quote(ruby)}"]


def ruby_text(text: str) -> str:
    """A string literal of Ruby in which nothing is interpolated."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _born(result: FlipResult) -> list[str]:
    if not result.born:
        return []
    examples = ", ".join(printable(one, 40) for one in result.born_examples[:3])
    return [f"Born on {result.to_service} (in no flip of this journal, not on S3): {plural(result.born, 'row')}",
            f"    {examples}",
            f"    all keys: blobmove flip-service --to {result.to_service} --born FILE"]


def born_text(result: BornResult) -> str:
    """`flip-service --born`."""
    return (f"{plural(result.rows, 'row')} ({format_bytes(result.bytes)}) were born on {result.to_service}: "
            f"their keys are in {result.file}.")


def _verdict(result: FlipResult, paint: Paint) -> list[str]:
    refused = sum(result.refused.values())
    sums = (f"{format_count(result.rows)} rows = {format_count(result.flipped)} "
            f"{'to flip' if result.dry_run else 'flipped'} + {format_count(refused)} refused"
            f" + {format_count(result.remaining)} left for later")
    verb = "take back" if result.undo_of is not None else "flip"
    past = "Took back" if result.undo_of is not None else "Flipped"
    if result.script:
        lines = [f"The statements for {plural(result.flipped, 'row')} are in {result.script}."
                 " Nothing has been changed."]
    elif result.dry_run:
        lines = [f"Would {verb} {plural(result.flipped, 'row')}. Nothing has been changed."]
    else:
        run = f" Run {result.run} is in the journal." if result.run is not None else ""
        lines = [f"{past} {plural(result.flipped, 'row')} in {format_duration(result.seconds)}.{run}"]
    lines.append(sums)
    if result.stopped:
        lines.append(paint(f"Stopped: {result.stopped}.", "warn"))
    if result.next:
        file = result.stopped.removeprefix(STOP_FILE)
        first = f"remove {file}, then: " if result.stopped.startswith(STOP_FILE) else ""  # else it stops at once
        lines += ["", paint(f"Next: {first}{result.next}", "hint")]
    return lines


def runs_text(runs: Sequence[FlipRun]) -> str:
    """The journal, oldest run first."""
    if not runs:
        return "No run is in the journal."
    rows = [("run", "started", "by", "from", "to", "rows", "flipped", "")]
    for run in runs:
        remark = f"takes back run {run.undo_of}" if run.undo_of is not None else ""
        if run.unsettled:
            remark = f"{plural(run.unsettled, 'batch', 'batches')} not settled: run the same command again"
        rows.append((str(run.id), run.started_at, f"{run.operator}@{run.host}", ", ".join(run.from_services),
                     run.to_service, format_count(run.rows), format_count(run.flipped), remark))
    return "\n".join(columns(rows, "><<<<>><", indent=""))
