"""Results: only complete runs count, and what is written can be read again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench.lanes import a_lane, a_run, some_results
from tests.bench.results import Figure, Results, read, write


def test_a_figure_is_the_median_with_its_spread() -> None:
    lane = a_lane("blobmove", a_run(3.0), a_run(9.0), a_run(4.0))

    told = lane.cpu_per_object()

    assert told is not None
    assert (told.middle, told.low, told.high) == pytest.approx((200.0, 150.0, 450.0))


def test_a_run_that_lost_something_does_not_count() -> None:
    lane = a_lane("rclone", a_run(8.0), a_run(1.0, complete=False))

    assert lane.figure(lambda run: run.cpu) == Figure(8.0, 8.0, 8.0)
    assert a_lane("rclone", a_run(1.0, complete=False)).cpu_per_object() is None


def test_requests_are_counted_by_side() -> None:
    lane = a_lane("blobmove", a_run(3.0))

    assert lane.requests_per_object() == 2.0
    assert lane.requests_per_object("s3") == 1.0


def test_one_more_object_costs_what_is_left_without_the_start() -> None:
    lane = a_lane("blobmove", a_run(3.0))
    results = Results(lanes=[a_lane("blobmove", a_run(1.001), case="start"), lane])

    assert results.marginal_cpu(lane) == pytest.approx(1.999 / 19_990 * 1e6)
    assert Results(lanes=[lane]).marginal_cpu(lane) is None


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    write(some_results(), tmp_path / "one.json")

    assert read([tmp_path / "one.json"]) == some_results()


def test_a_later_file_replaces_the_same_lane_and_keeps_the_others(tmp_path: Path) -> None:
    again = a_lane("rclone", a_run(7.0))
    write(some_results(), tmp_path / "one.json")
    write(Results({"rclone": "v2"}, [again]), tmp_path / "two.json")

    merged = read([tmp_path / "one.json", tmp_path / "two.json"])

    assert [lane.contestant for lane in merged.lanes] == ["rclone", "blobmove", "bare"]
    assert merged.lane("4k", False, 0.0, "rclone") == again
    assert merged.conditions == {"rclone": "v2"}


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text(json.dumps({"format": 0}), encoding="utf-8")

    with pytest.raises(ValueError, match="another format"):
        read([tmp_path / "old.json"])
