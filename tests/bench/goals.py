"""The goals, as ratios of medians within one stage, each judged on what was measured: met, not met, or not measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from tests.bench.cases import BY_NAME
from tests.bench.results import Figure, Lane, Results

Measure = Callable[[Lane], Figure | None]


@dataclass(frozen=True, slots=True)
class Goal:
    """`measure` of `contestant` divided by that of `against` shall be at most (`most`) or at least (not) `limit`."""

    title: str
    contestant: str
    against: str
    measure: Measure
    limit: float
    most: bool = True
    cases: tuple[str, ...] = ()
    tls: bool | None = None
    latency_ms: float | None = 0.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """One goal on one stage. `ratio` None: one of the two was not measured. `plain`: the ratio to rclone as it comes,
    told beside and judged by nobody. `whole`: all objects of the case were moved: the start-up weighs little."""

    goal: Goal
    case: str
    tls: bool
    latency_ms: float
    ratio: float | None
    plain: float | None
    whole: bool

    @property
    def word(self) -> str:
        """met, not met, or why it is neither."""
        if self.ratio is None:
            return "not measured"
        if not self.whole:
            return "too few objects"
        good = self.ratio <= self.goal.limit if self.goal.most else self.ratio >= self.goal.limit
        return "met" if good else "not met"


_CPU: Final = Lane.cpu_per_object
_ANY: Final = ("4k", "64k", "1m", "64m", "1g", "mix")

GOALS: Final = (
    Goal("client CPU per object, stream", "blobmove", "rclone", _CPU, 1 / 2.5, cases=("4k",), tls=False),
    Goal("client CPU per object, stream", "blobmove", "rclone", _CPU, 1 / 2, cases=("4k",), tls=True),
    Goal("client CPU per object, server, HEAD", "blobmove-server", "rclone", _CPU, 1 / 4, cases=("4k",), tls=False),
    Goal("client CPU per object, server, Rails", "blobmove-rails", "rclone", _CPU, 1 / 4, cases=("4k",), tls=False),
    Goal("client CPU per object, server, HEAD", "blobmove-server", "rclone", _CPU, 1 / 3, cases=("4k",), tls=True),
    Goal("client CPU per object, server, Rails", "blobmove-rails", "rclone", _CPU, 1 / 3, cases=("4k",), tls=True),
    Goal("client CPU per object, stream", "blobmove", "rclone", _CPU, 1 / 2, cases=("64k", "1m")),
    Goal("MiB per CPU-second, stream with proof", "blobmove", "rclone", Lane.per_cpu_second, 2.5, most=False,
         cases=("64m", "1g")),
    Goal("wall time", "blobmove", "rclone", Lane.wall, 1 / 2, cases=("mix",), latency_ms=20.0),
    Goal("peak RSS, stream", "blobmove", "rclone", Lane.rss, 1.0, cases=_ANY, latency_ms=None),
    Goal("peak RSS, server", "blobmove-server", "rclone", Lane.rss, 1.0, cases=_ANY, latency_ms=None),
    Goal("client CPU against the bare path, stream", "blobmove", "bare", _CPU, 1.5, cases=_ANY),
    Goal("client CPU against the bare path, stream", "blobmove", "bare-pyreqwest", _CPU, 1.5, cases=_ANY),
    Goal("client CPU against the bare path, server, HEAD", "blobmove-server", "bare-server", _CPU, 1.5, cases=_ANY),
    Goal("client CPU against the bare path, server, Rails", "blobmove-rails", "bare-server", _CPU, 1.5, cases=_ANY),
)


def judge(results: Results) -> Iterator[Verdict]:
    """Every goal on every stage it speaks of."""
    for goal in GOALS:
        for case, tls, latency_ms in results.stages():
            if case not in goal.cases or goal.tls not in (None, tls) or goal.latency_ms not in (None, latency_ms):
                continue
            yield _verdict(results, goal, case, tls, latency_ms)


def _verdict(results: Results, goal: Goal, case: str, tls: bool, latency_ms: float) -> Verdict:
    mine, other = (results.lane(case, tls, latency_ms, name) for name in (goal.contestant, goal.against))
    plain = results.lane(case, tls, latency_ms, "rclone-plain") if goal.against == "rclone" else None
    whole = mine is not None and mine.objects == BY_NAME[case].objects
    return Verdict(goal, case, tls, latency_ms, ratio(goal.measure, mine, other), ratio(goal.measure, mine, plain),
                   whole)


def ratio(measure: Measure, one: Lane | None, other: Lane | None) -> float | None:
    """Of the medians; None where one of them is missing."""
    figures = [measure(lane) if lane is not None else None for lane in (one, other)]
    if figures[0] is None or figures[1] is None or not figures[1].middle:
        return None
    return figures[0].middle / figures[1].middle


REQUESTS: Final = (
    ("blobmove", "", 2.0), ("blobmove-server", "azure", 1.0), ("blobmove-rails", "azure", 1.0),
    ("blobmove-rails", "s3", 1.0),
)
"""Requests for each small object: contestant, side, how many. At S3 the one GET is Azure's own; where no row tells an
object's type, a HEAD comes before it."""


def requests_as_wished(results: Results) -> Iterator[tuple[Lane, str, float, bool]]:
    """Lane, side, requests per object and whether those are as few as wished, over all cases of small objects."""
    for lane in results.lanes:
        for contestant, side, wished in REQUESTS:
            found = lane.requests_per_object(side)
            if lane.contestant == contestant and lane.case in ("4k", "64k", "1m") and found is not None:
                yield lane, side, found, found <= wished * 1.001
