"""The plan's page for people: what is there, what will move, what will not and why, how long, how much."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from blobmove.core.crew import RUN_OBJECTS, workers_for
from blobmove.core.settings import for_checkpoint
from blobmove.core.units import format_bytes, format_count, format_duration, format_percent, format_rate
from blobmove.views.layout import PLAIN, Paint, bar, columns, listed, plural, printable

if TYPE_CHECKING:
    from blobmove.core.plan_results import Forecast, InventoryFacts, PlanResult, RailsCheck

REASONS: Final = {
    "delete-marker": "delete markers",
    "old-version": "older versions (--versions all moves them)",
    "archived": "in Glacier or Deep Archive (restore them, then `blobmove copy --retry-failed`)",
    "folder-placeholder": "folder placeholders",
    "excluded": "excluded by --exclude",
    "not-referenced": "not named by a Rails row (--only-referenced)",
    "name-empty": "refused: the name is empty",
    "name-too-long": "refused: the name is longer than 1,024 characters",
    "name-too-many-segments": "refused: the name has more segments than Azure takes (254; hierarchical namespace: 61)",
    "name-control-character": "refused: the name holds a control character",
    "name-not-a-character": "refused: the name holds a code point that is no character",
    "name-backslash": "refused: the name holds a backslash, which Azure turns into a slash",
    "name-dot-segment": "refused: the name holds a segment `.` or `..`, which Azure resolves",
    "name-trailing-dot": "refused: a segment of the name ends with a dot, which Azure cuts off",
    "name-empty-segment": "refused: the name has an empty segment (hierarchical namespace)",
    "name-is-folder": "refused: other objects lie in a folder of that name (hierarchical namespace)",
    "name-below-object": "refused: a blob is there that has the name of their folder (hierarchical namespace)",
}
PROOFS: Final = {
    "etag-md5": "have an MD5 ETag, which Azure checks while the bytes arrive",
    "crc64nvme": "carry a CRC-64 of the whole object",
    "crc32c": "carry a CRC-32C of the whole object",
    "crc32": "carry a CRC-32 of the whole object",
    "sha256": "carry a SHA-256 of the whole object",
    "sha1": "carry a SHA-1 of the whole object",
    "multipart-etag": "are multipart: their ETag is computed again from the parts",
    "composite": "carry a checksum of each part",
    "rails-md5": "are proven by the MD5 in their Rails row",
    "read-back": "have no checksum to trust: read twice from S3, and back from Azure",
}
DOLLARS: Final = {
    "s3_requests": "S3 requests",
    "s3_retrieval": "S3 retrieval",
    "egress": "egress from AWS",
    "azure_writes": "Azure writes",
    "total": "total",
    "azure_storage_per_month": "then, a month on Azure",
}


def plan_text(result: PlanResult, *, target_hours: float | None = None, paint: Paint = PLAIN) -> str:
    """The whole page; the last line is the command to type next. `target_hours`: the time the copy should take."""
    sections = [
        _head(result),
        _objects(result, paint),
        _sizes(result),
        _kinds(result),
        _rails(result.rails) if result.rails is not None else [],
        _forecast(result.forecast, result, target_hours),
        _samples(result),
        _end(result, paint),
    ]
    return "\n\n".join("\n".join(section) for section in sections if section)


def _head(result: PlanResult) -> list[str]:
    return [
        f"From    {printable(result.source, 200)}",
        f"To      {result.destination}",
        f"List    {origin(result.inventory)}",
    ]


def origin(facts: InventoryFacts) -> str:
    """`the Parquet inventory of 2026-11-21T01:00:00Z, 1,210 rows in 2 files`."""
    rows = plural(facts.rows, "row")
    if facts.format == "list":
        return f"a listing of the bucket, {rows}"
    if facts.format == "keys":
        return f"a file of keys, {rows}"
    created = f" of {facts.created}" if facts.created else ""
    return f"the {facts.format} inventory{created}, {rows} in {plural(facts.files, 'file')}"


class Summand(NamedTuple):
    """One line of the sum from what was listed to what is to be copied; `reason` is "" where it has no code."""

    sign: str
    number: int
    text: str
    reason: str = ""


def summands(result: PlanResult) -> list[Summand]:
    """A sum that adds up: from the rows of the list, or from the plan where older plans contribute, too."""
    facts = result.inventory
    whole = facts.rows == result.listed + facts.outside + facts.twice
    rows = [Summand("", facts.rows, "listed")] if whole else [Summand("", result.listed, "in the plan")]
    if whole:
        rows += [Summand("−", facts.outside, "outside the prefix"), Summand("−", facts.twice, "listed twice")]
    for reasons in (result.skipped, result.refused):
        rows += [Summand("−", number, REASONS.get(reason, reason), reason)
                 for reason, number in sorted(reasons.items())]
    return [row for row in rows if row.number or not row.sign]


def _objects(result: PlanResult, paint: Paint) -> list[str]:
    cells = [(row.sign, format_count(row.number), row.text) for row in summands(result)]
    total = ("=", format_count(result.to_copy), f"to copy, {format_bytes(result.to_copy_bytes)}")
    lines = columns([*cells, total], "<><", indent="  ")
    width = 2 + 2 + 1 + max(len(cell[1]) for cell in [*cells, total])
    lines.insert(-1, "  " + "─" * (width - 2))
    lines[-1] = paint(lines[-1], "strong")
    if result.settled:
        lines.append(f"    of these, {format_count(result.settled)} have been copied already")
    if result.unknown_sizes:
        unknown = format_count(result.unknown_sizes)
        lines.append(f"    the size of {unknown} is not known; the bytes are a lower bound")
    return ["Objects", *lines]


def _sizes(result: PlanResult) -> list[str]:
    if not any(size.objects for size in result.sizes):
        return []
    objects = sum(size.objects for size in result.sizes)
    total = sum(size.bytes for size in result.sizes)
    rows = [("size", "objects", "", "bytes", "", "")]
    below: int | None = None
    for size in result.sizes:
        rows.append((span(below, size.up_to), format_count(size.objects), format_percent(size.objects, objects),
                     format_bytes(size.bytes), format_percent(size.bytes, total),
                     bar(size.bytes / total if total else 0)))
        below = size.up_to
    return columns(rows, "<>>>><")


def span(below: int | None, up_to: int | None) -> str:
    """`64 KiB – 1 MiB`: one class of sizes, by its bounds in bytes."""
    if up_to is None:
        return "all" if below is None else f"over {format_bytes(below)}"
    return f"up to {format_bytes(up_to)}" if below is None else f"{format_bytes(below)} – {format_bytes(up_to)}"


def _kinds(result: PlanResult) -> list[str]:
    lines = []
    if result.proofs:
        ranked = sorted(result.proofs.items(), key=lambda item: (-item[1], item[0]))
        lines = ["Checksums", *columns([(format_count(n), PROOFS.get(name, name)) for name, n in ranked if n], "><")]
    if result.storage_classes:
        lines.append(f"    storage classes: {listed(result.storage_classes)}")
    return lines


def rails_rows(rails: RailsCheck) -> list[tuple[int, str, str]]:
    """Number, what it counts, and the field it stands in; what is 0 is left out."""
    rows = [
        (rails.rows, f"rows of active_storage_blobs ({listed(rails.by_service)})", "rows"),
        (rails.matched, "have their file in the plan", "matched"),
        (rails.missing_attached, "are attached, and their file is not in the bucket: broken today, and after",
         "missing_attached"),
        (rails.missing_unattached, "are attached to nothing and have no file: abandoned uploads", "missing_unattached"),
        (rails.size_differs, "have a file of another size than the row says", "size_differs"),
        (rails.checksum_differs, "have a file of another MD5 than the row says", "checksum_differs"),
        (rails.objects_without_row, "objects that no row names (--only-referenced leaves them)", "objects_without_row"),
    ]
    return [row for place, row in enumerate(rows) if row[0] or place < 2]


def _rails(rails: RailsCheck) -> list[str]:
    shown = [(format_count(number), text) for number, text, _field in rails_rows(rails)]
    return ["Rails and the bucket", *columns(shown, "><")]


def _forecast(forecast: Forecast, result: PlanResult, target_hours: float | None) -> list[str]:
    low, high = forecast.seconds
    rows = [("time", f"{format_duration(low)} – {format_duration(high)}")]
    rows += [(DOLLARS.get(item, item), f"${amount:,.2f}") for item, amount in dollars_in_order(forecast)]
    lines = ["Forecast (list prices; --prices FILE replaces them)", *columns(rows, "<>")]
    if forecast.requests:
        lines.append(f"    requests: {listed(forecast.requests)}")
    if target_hours:
        lines += [f"    {line}" for line in target_text(result, target_hours).splitlines()]
    return lines


def target_text(result: PlanResult, target_hours: float) -> str:
    """Which speed it takes to be done in that time, and whether that is more than one core gives: a line each."""
    seconds = target_hours * 3600
    rate = format_rate(result.to_copy_bytes / seconds)
    text = (f"to be done in {format_duration(seconds)}: {rate} and "
            f"{result.to_copy / seconds:,.1f} objects a second are needed")
    number = workers_for(result.to_copy, result.to_copy_bytes, target_hours)
    if number > 1:
        text += f"\nthat is work for about {number} workers of one core each (copy --workers, --scheduler)"
    if result.to_copy / seconds > RUN_OBJECTS:
        text += (f"\nbut one run moves about {RUN_OBJECTS:,.0f} objects a second at most:"
                 " so many writes an Azure account takes by default")
    return text


def dollars_in_order(forecast: Forecast) -> list[tuple[str, float]]:
    """Item and amount in the order of DOLLARS."""
    dollars = forecast.dollars
    order = [item for item in DOLLARS if item in dollars] + [item for item in dollars if item not in DOLLARS]
    return [(item, dollars[item]) for item in order]


def _samples(result: PlanResult) -> list[str]:
    if not result.samples:
        return []
    container = result.destination.rsplit("/", 1)[-1]
    rows = [(printable(key, 48), "?" if size is None else format_bytes(size), f"→ {container}/{printable(key, 48)}")
            for key, size in result.samples]
    return ["For example", *columns(rows, "<><")]


def _end(result: PlanResult, paint: Paint) -> list[str]:
    lines = []
    if result.change is not None:
        lines.append(f"Plan {result.change.previous} → {result.plan}: {format_count(result.change.new)} new, "
                     f"{format_count(result.change.changed)} changed.")
    skipped, refused = sum(result.skipped.values()), sum(result.refused.values())
    lines += [
        f"Plan {result.plan}: {format_count(result.to_copy)} to copy, {format_count(skipped)} left out, "
        f"{format_count(refused)} refused.",
        f"Saved to {result.checkpoint}. Nothing has been copied." if not result.settled
        else f"Saved to {result.checkpoint}.",
        "",
        paint(f"Next: {next_command(result)}", "hint"),
    ]
    return lines


def next_command(result: PlanResult) -> str:
    """What to type after the plan."""
    command = "copy --resume" if result.to_copy > result.settled else "verify"
    return for_checkpoint(f"blobmove {command}", Path(result.checkpoint))
