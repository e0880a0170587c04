"""The results as Markdown: a table for each stage, the goals, and which settings rclone was given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.bench.cases import BY_NAME
from tests.bench.contestants import BY_NAME as CONTESTANTS
from tests.bench.goals import judge, ratio, requests_as_wished
from tests.bench.results import Figure, Lane, Results
from tests.bench.stage import Network

_HEADING: Final = (
    "tool", "CPU µs an object", "one more object", "with its plan", "/ rclone", "/ bare", "MiB a CPU-second",
    "objects/s", "MiB/s", "cloud busy %", "peak RSS MiB", "requests (S3 + Azure)",
)


def markdown(results: Results) -> str:
    """Everything, ready to stand in a document."""
    parts = ["\n".join(_conditions(results)), "\n".join(_goals(results)), "\n".join(_wished(results))]
    parts += ["\n".join(_stage(results, *stage)) for stage in results.stages()]
    parts.append("\n".join(_settings(results)))
    return "\n\n".join(part for part in parts if part) + "\n"


def title(case: str, tls: bool, latency_ms: float) -> str:
    known = BY_NAME.get(case)
    return f"{known.title if known else case}, {Network(tls, latency_ms).title}"


def _conditions(results: Results) -> Iterator[str]:
    yield "| condition | value |"
    yield "| --- | --- |"
    for name, value in results.conditions.items():
        yield f"| {name} | {value} |"


def _stage(results: Results, case: str, tls: bool, latency_ms: float) -> Iterator[str]:
    lanes = [one for one in results.lanes if (one.case, one.tls, one.latency_ms) == (case, tls, latency_ms)]
    yield f"### {title(case, tls, latency_ms)}"
    shortened = {one.objects for one in lanes} - {BY_NAME[case].objects}
    if shortened:
        yield f"\nShortened to {shortened.pop():,} objects."
    yield ""
    yield f"| {' | '.join(_HEADING)} |"
    yield "| --- |" + " ---: |" * (len(_HEADING) - 1)
    for lane in lanes:
        yield f"| {' | '.join(_cells(results, lane))} |"
    for lane in lanes:
        lost = [one for one in lane.runs if not one.complete]
        if lost:
            why = " ".join(lost[0].note.split())[:200]
            yield f"\n{lane.contestant}: {len(lost)} of {len(lane.runs)} runs do not count ({why})."


def _cells(results: Results, lane: Lane) -> tuple[str, ...]:
    def against(name: str) -> str:
        other = results.lane(lane.case, lane.tls, lane.latency_ms, name)
        found = ratio(Lane.cpu_per_object, lane, other)
        return f"{found:.2f}" if found is not None and other is not lane else ""

    bare = "bare-server" if lane.contestant.endswith(("-server", "-rails")) else "bare"
    more = results.marginal_cpu(lane)
    planned = any(one.plan_cpu for one in lane.good)
    return (
        CONTESTANTS[lane.contestant].title if lane.contestant in CONTESTANTS else lane.contestant,
        _spread(lane.cpu_per_object()), "" if more is None else f"{more:,.0f}",
        _plain(lane.cpu_with_plan()) if planned else "",
        against("rclone"), against(bare), _spread(lane.per_cpu_second()),
        _plain(lane.figure(lambda run: lane.objects / run.wall)),
        _plain(lane.figure(lambda run: lane.bytes / 2**20 / run.wall)),
        _plain(lane.server_busy()), _plain(lane.rss()), _requests(lane),
    )


def _requests(lane: Lane) -> str:
    s3, azure = lane.requests_per_object("s3"), lane.requests_per_object("azure")
    return f"{s3:.2f} + {azure:.2f}" if s3 is not None and azure is not None else ""


def _spread(figure: Figure | None) -> str:
    if figure is None:
        return "none"
    if figure.low == figure.high:
        return f"{figure.middle:,.0f}"
    return f"{figure.middle:,.0f} ({figure.low:,.0f}-{figure.high:,.0f})"


def _plain(figure: Figure | None) -> str:
    return "none" if figure is None else f"{figure.middle:,.0f}"


def _goals(results: Results) -> Iterator[str]:
    verdicts = [one for one in judge(results) if one.ratio is not None]
    if not verdicts:
        return
    yield "### Goals"
    yield ""
    yield "| goal | stage | limit | measured | verdict | (rclone as it comes) |"
    yield "| --- | --- | ---: | ---: | --- | ---: |"
    for one in verdicts:
        sign, measured = "≤" if one.goal.most else "≥", "" if one.ratio is None else f"{one.ratio:.2f}"
        plain = "" if one.plain is None else f"{one.plain:.2f}"
        word = f"**{one.word}**" if one.word == "not met" else one.word
        yield (f"| {one.goal.title}, / {one.goal.against} | {title(one.case, one.tls, one.latency_ms)} | "
               f"{sign} {one.goal.limit:.2f} | {measured} | {word} | {plain} |")


def _wished(results: Results) -> Iterator[str]:
    found = list(requests_as_wished(results))
    if not found:
        return
    yield "| requests for a small object | stage | counted | |"
    yield "| --- | --- | ---: | --- |"
    for lane, side, number, good in found:
        where = {"": "both sides", "s3": "at S3", "azure": "at Azure"}[side]
        yield (f"| {lane.contestant}, {where} | {title(lane.case, lane.tls, lane.latency_ms)} | {number:.3f} | "
               f"{'met' if good else '**not met**'} |")


def _settings(results: Results) -> Iterator[str]:
    lanes = [one for one in results.lanes if one.settings]
    if not lanes:
        return
    yield "### Settings"
    yield ""
    yield "| tool | stage | flags |"
    yield "| --- | --- | --- |"
    for lane in lanes:
        yield f"| {lane.contestant} | {title(lane.case, lane.tls, lane.latency_ms)} | `{' '.join(lane.settings)}` |"
