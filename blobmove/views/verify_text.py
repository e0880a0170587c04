"""The second look, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blobmove.core.units import format_count, format_duration
from blobmove.views.layout import PLAIN, Paint, columns, plural, printable

if TYPE_CHECKING:
    from blobmove.core.results import VerifyResult


def verify_text(result: VerifyResult, *, paint: Paint = PLAIN) -> str:
    """Counts that add up to what was checked, examples of what differs, the next command."""
    by = "every byte read again from Azure" if result.how == "read" else "sizes and MD5s as Azure lists them"
    rows = [
        ("=", format_count(result.identical), "identical"),
        ("*", format_count(result.different), "different"),
        ("+", format_count(result.missing), "missing on Azure"),
    ]
    if result.unreadable:
        rows.append(("?", format_count(result.unreadable), "could not be read: nothing was found out about them"))
    good = not (result.different or result.missing or result.unreadable)
    head = f"Checked {plural(result.checked, 'object')} in {format_duration(result.seconds)}: {by}."
    lines = [paint(head, "good" if good else "bad"), "", *columns(rows, "<><")]
    if result.read_back and result.how != "read":
        lines.append(f"    {format_count(result.read_back)} without an MD5 at Azure were read back")
    if result.extra:
        lines.append(f"    besides, {plural(result.extra, 'blob')} on Azure that the plan does not know")
    if result.examples:
        lines += ["", "For example", *columns([(what, printable(key, 80)) for key, what in result.examples], "<<")]
    if result.next:
        lines += ["", paint(f"Next: {result.next}", "hint")]
    return "\n".join(lines)
