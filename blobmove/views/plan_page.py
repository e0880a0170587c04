"""`plan --html`: the page for whoever decides to move or to stay, with the numbers of the plan's text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from blobmove.core.settings import for_checkpoint
from blobmove.core.units import format_bytes, format_count, format_duration, format_percent, format_rate
from blobmove.views.page import now, ranked, render, write_page
from blobmove.views.plan_text import (
    DOLLARS,
    PROOFS,
    REASONS,
    dollars_in_order,
    next_command,
    origin,
    rails_rows,
    span,
    summands,
    target_text,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from blobmove.core.plan_results import Forecast, PlanResult

BAR: Final = 500
"""Width of the longest bar in the drawing's own units."""
MONTH: Final = "azure_storage_per_month"


def write_plan_page(path: Path, result: PlanResult, target_hours: float | None = None) -> None:
    """Write the page, whole or not at all. Raises OSError."""
    write_page(path, plan_page(result, target_hours=target_hours))


def plan_page(result: PlanResult, *, target_hours: float | None = None, written_at: str | None = None) -> str:
    """The page as text. `target_hours`: the time the copy should take."""
    forecast = result.forecast
    low, high = forecast.seconds
    target = target_text(result, target_hours).splitlines() if target_hours else []
    return render("plan.html", {
        "plan": result, "list": origin(result.inventory), "verdict": _verdict(result),
        "hours": f"{format_duration(low)} – {format_duration(high)}",
        "total": forecast.dollars.get("total"), "month": forecast.dollars.get(MONTH),
        "once": [(item, amount) for item, amount in dollars_in_order(forecast) if item != MONTH], "names": DOLLARS,
        "summands": summands(result), "sizes": _sizes(result),
        "sized_objects": sum(size.objects for size in result.sizes),
        "proofs": [(name, number, PROOFS.get(name, name)) for name, number in ranked(result.proofs)],
        "problems": _problems(result), "rails": _rails(result), "target": target,
        "assumptions": assumptions(forecast), "prices": sorted(forecast.prices.items()),
        "objects_command": for_checkpoint("blobmove report --objects objects.csv", Path(result.checkpoint)),
        "next": next_command(result), "written_at": written_at or now(),
    })


def _verdict(result: PlanResult) -> str:
    """What the whole page comes to, in two sentences."""
    aside, refused = sum(result.skipped.values()), sum(result.refused.values())
    first = (f"{format_count(result.to_copy)} of {format_count(result.listed)} objects can be copied, each with a "
             f"proof. Left out on purpose: {format_count(aside)}. Refused, because Azure cannot hold the name: "
             f"{format_count(refused)}.")
    missing = result.rails.missing_attached if result.rails is not None else 0
    if not missing:
        return first
    return (f"{first} Attached in Rails and not in the bucket, so broken already: "
            f"{format_count(missing)}.")


def _sizes(result: PlanResult) -> list[dict[str, Any]]:
    """The classes with their bars; widths are shares of BAR, anything above 0 is visible."""
    objects, size = sum(one.objects for one in result.sizes), sum(one.bytes for one in result.sizes)
    if not objects:
        return []
    rows, below = [], None
    for one in result.sizes:
        rows.append({
            "span": span(below, one.up_to), "objects": one.objects, "bytes": one.bytes,
            "objects_percent": format_percent(one.objects, objects), "objects_width": _width(one.objects, objects),
            "bytes_percent": format_percent(one.bytes, size), "bytes_width": _width(one.bytes, size),
        })
        below = one.up_to
    return rows


def _width(part: int, whole: int) -> float:
    return max(1.5, round(BAR * part / whole, 1)) if part and whole else 0


def _problems(result: PlanResult) -> list[dict[str, Any]]:
    """Left out and refused, the most frequent first; the sum of the numbers is that of the page's sum."""
    counts = {**result.skipped, **result.refused}
    return [{"reason": reason, "number": number, "text": REASONS.get(reason, reason),
             "examples": result.examples.get(reason, ())} for reason, number in ranked(counts)]


def _rails(result: PlanResult) -> list[dict[str, Any]]:
    if result.rails is None:
        return []
    return [{"number": number, "text": text, "examples": result.examples.get(field, ())}
            for number, text, field in rails_rows(result.rails)]


def assumptions(forecast: Forecast) -> list[str]:
    """What hours and dollars rest on, a sentence each."""
    lines = [_speed(forecast.speeds), _requests(forecast.requests)]
    prices = forecast.prices
    if prices:
        lines.append(f"The first {format_count(round(prices['egress_free_gib']))} GiB a month leave AWS free of "
                     "charge; what follows is priced by the tiers below, all of it over the internet and in one month.")
        lines.append("List prices without discounts, credits, taxes or a private line (--prices FILE replaces "
                     "them). AWS has given credits to customers who leave, on request.")
    lines.append("A copy repeated before the cut-over reads only what is new; that is not in these numbers.")
    return [line for line in lines if line]


def _speed(speeds: Sequence[Sequence[float]]) -> str:
    if len(speeds) != 2:
        return ""
    fast, slow = speeds
    return (f"Time: between {format_rate(slow[0])} with {slow[1]:,.0f} objects a second and {format_rate(fast[0])} "
            f"with {fast[1]:,.0f} objects a second; the slower of bytes and objects decides. One machine near one of "
            "the two ends; blobmove doctor --probe measures a single connection of yours.")


def _requests(requests: Mapping[str, int]) -> str:
    if not requests:
        return ""
    return (f"Requests: {format_count(requests.get('s3_get', 0))} GET to S3 and "
            f"{format_count(requests.get('azure_write', 0))} writes to Azure: one of each for a small object, one a "
            f"block of {format_bytes(32 * 1024 * 1024)} for a large one.")
