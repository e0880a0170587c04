"""Goals: judged on medians, and only where both were measured with all objects."""

from __future__ import annotations

from tests.bench.goals import Verdict, judge, requests_as_wished
from tests.bench.lanes import a_lane, a_run, some_results
from tests.bench.results import Results


def _verdict(results: Results, contestant: str, against: str, title: str) -> Verdict:
    found = [one for one in judge(results)
             if (one.goal.contestant, one.goal.against) == (contestant, against) and title in one.goal.title]
    assert len(found) == 1
    return found[0]


def test_a_ratio_below_its_limit_is_met() -> None:
    told = _verdict(some_results(), "blobmove", "rclone", "CPU")

    assert told.ratio == 150 / 400
    assert told.word == "met"


def test_a_ratio_above_its_limit_is_not_met() -> None:
    slow = Results(lanes=[a_lane("rclone", a_run(8.0)), a_lane("blobmove", a_run(3.3))])

    assert _verdict(slow, "blobmove", "rclone", "CPU").word == "not met"


def test_speed_has_to_be_above_its_limit() -> None:
    lanes = [a_lane("rclone", a_run(8.0), case="64m"), a_lane("blobmove", a_run(4.0), case="64m")]

    told = _verdict(Results(lanes=lanes), "blobmove", "rclone", "MiB")

    assert (told.ratio, told.word) == (2.0, "not met")


def test_another_limit_holds_over_tls() -> None:
    lanes = [a_lane("rclone", a_run(8.0), tls=True), a_lane("blobmove", a_run(3.6), tls=True)]

    told = _verdict(Results(lanes=lanes), "blobmove", "rclone", "CPU")

    assert (told.goal.limit, told.word) == (0.5, "met")


def test_few_objects_are_not_judged() -> None:
    lanes = [a_lane("rclone", a_run(8.0), objects=200), a_lane("blobmove", a_run(1.0), objects=200)]

    assert _verdict(Results(lanes=lanes), "blobmove", "rclone", "CPU").word == "too few objects"


def test_without_a_complete_run_nothing_is_judged() -> None:
    lanes = [a_lane("rclone", a_run(8.0)), a_lane("blobmove", a_run(1.0, complete=False))]

    assert _verdict(Results(lanes=lanes), "blobmove", "rclone", "CPU").word == "not measured"


def test_rclone_as_it_comes_is_told_beside_and_not_judged() -> None:
    results = some_results()
    results.lanes.append(a_lane("rclone-plain", a_run(4.0)))

    told = _verdict(results, "blobmove", "rclone", "CPU")

    assert (told.plain, told.word) == (0.75, "met")


def test_two_requests_for_a_small_object_are_as_wished_and_three_are_not() -> None:
    results = some_results()
    many = a_run(3.0)
    many.requests["azure.GetBlobProperties"] = 20_000
    results.lanes.append(a_lane("blobmove", many, case="64k"))

    assert [(lane.case, good) for lane, _, _, good in requests_as_wished(results)] == [("4k", True), ("64k", False)]
