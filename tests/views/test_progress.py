"""Progress: a block on a terminal, few lines elsewhere, problems up to ten of a kind."""

from __future__ import annotations

import io
import os
import signal
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from blobmove.core.events import Finished, FlipProgress, Note, Problem, Started, Stopping, Throttled
from blobmove.views.pictures import picture_of_flip, picture_of_sample
from blobmove.views.progress import Progress, Style, next_line_at
from tests.views.examples import SAMPLE, SUMMARY, TOTALS

NOON = datetime(2026, 11, 22, 14, 2, 40, tzinfo=UTC)
LINE = ('copy 83.4% 2.50GiB/3GiB 713/1000 objects 64.0MiB/s eta=1min35s retried=41 unwell=3 inflight=48 '
        'state="limited by Azure (503 ServerBusy)"')


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Yes."""
        return True


def progress(stream: io.StringIO, style: Style, *, talkative: bool = False, quiet: bool = False) -> Progress:
    """With the clock at 14:02:40."""
    return Progress(stream, style, talkative=talkative, quiet=quiet, clock=lambda: NOON)


def test_lines_come_at_ten_seconds_thirty_a_minute_and_then_once_a_minute() -> None:
    stream = io.StringIO()
    shown = progress(stream, Style.LINE)
    marks = []
    for second in range(1, 200):
        before = stream.tell()
        shown(replace(SAMPLE, elapsed=float(second)))
        if stream.tell() > before:
            marks.append(second)
    assert marks == [10, 30, 60, 120, 180]


@pytest.mark.parametrize(("elapsed", "due"), [(0, 10), (10, 30), (45, 60), (60, 120), (3599, 3600), (3600, 3660)])
def test_the_next_line_is_due(elapsed: float, due: float) -> None:
    assert next_line_at(elapsed) == due


def test_a_line_says_how_far_how_fast_and_what_holds_it_back() -> None:
    stream = io.StringIO()
    progress(stream, Style.LINE)(SAMPLE)
    assert stream.getvalue() == f"2026-11-22T14:02:40Z {LINE}\n"


def test_counters_that_are_zero_are_not_shown() -> None:
    picture = picture_of_sample(replace(SAMPLE, retried=0, in_flight=0, eta_seconds=None), "copy")
    assert "retried" not in picture.line + picture.below[0]
    assert "eta" not in picture.line
    assert "left" not in picture.right


def test_the_block_is_painted_and_wiped_and_lines_scroll_above_it() -> None:
    stream = Terminal()
    with progress(stream, Style.BAR) as shown:
        shown(SAMPLE)
        painted = stream.getvalue()
        shown(Note("a note above"))
    assert "copy   83.4 % ▕" in painted
    assert "▏ 2.50 GiB / 3 GiB   64.0 MiB/s   1 min 35 s left" in painted
    assert "713 / 1,000 objects · 48 in flight · 41 retried · 3 not well · elapsed 1 min 1 s" in painted
    assert "state: limited by Azure (503 ServerBusy) · concurrency 64 · memory 700 MiB" in painted
    assert "a note above\n" in stream.getvalue()


def test_ten_problems_of_a_kind_are_shown_and_the_others_counted() -> None:
    stream = io.StringIO()
    with progress(stream, Style.LINE) as shown:
        for number in range(25):
            shown(Problem(f"key-{number}", "failed", "E403-SOURCE", "S3 403 AccessDenied"))
        shown(Problem("other", "gone", "E404-SOURCE", ""))
        shown(Finished(SUMMARY))
    lines = stream.getvalue().splitlines()
    assert lines[0] == "14:02:40 failed    key-0  S3 403 AccessDenied · E403-SOURCE"
    assert sum("AccessDenied" in line for line in lines) == 10
    assert "key-10" not in stream.getvalue()
    assert lines[-1] == "15 more failed · E403-SOURCE"
    assert any("other" in line for line in lines)


def test_all_problems_are_shown_to_who_wants_to_hear_them() -> None:
    stream = io.StringIO()
    with progress(stream, Style.NONE, talkative=True) as shown:
        for number in range(25):
            shown(Problem(f"key-{number}", "failed", "E403-SOURCE", "denied"))
        shown(Throttled("destination", "ServerBusy", 1.6, 32))
    assert len(stream.getvalue().splitlines()) == 26
    assert "destination, waiting 1.6 s, concurrency 32 · ServerBusy" in stream.getvalue()


def test_throttling_and_notes_are_not_told_to_the_quiet_but_problems_are() -> None:
    stream = io.StringIO()
    with progress(stream, Style.NONE, quiet=True) as shown:
        shown(Started("p", "copy", "s3://b", "https://a/c", "blobmove.db", TOTALS, 1, 1))
        shown(Note("reading"))
        shown(Throttled("source", "SlowDown", 1, 1))
        assert stream.getvalue() == ""
        shown(Problem("key", "failed", "E403-SOURCE", "denied"))
        shown(Stopping("interrupted", 3))
    assert [line.split()[-1] for line in stream.getvalue().splitlines()] == ["E403-SOURCE", "finishing."]


def test_keys_cannot_write_control_sequences_and_signatures_are_masked() -> None:
    stream = io.StringIO()
    progress(stream, Style.NONE)(Problem("a\x1b[2Jb", "failed", "X", "https://a/c?sig=abcdef"))
    assert "\x1b" not in stream.getvalue()
    assert "abcdef" not in stream.getvalue()


def test_sigusr1_prints_the_next_sample_once_and_the_former_handler_comes_back() -> None:
    stream, former = io.StringIO(), signal.getsignal(signal.SIGUSR1)
    with progress(stream, Style.NONE) as shown:
        shown(SAMPLE)
        assert stream.getvalue() == ""
        os.kill(os.getpid(), signal.SIGUSR1)
        shown(SAMPLE)
        shown(SAMPLE)
        assert stream.getvalue() == f"2026-11-22T14:02:40Z {LINE}\n"
    assert signal.getsignal(signal.SIGUSR1) == former


def test_the_style_follows_the_wish_and_the_terminal() -> None:
    assert Style.chosen("auto", terminal=True, quiet=False) is Style.BAR
    assert Style.chosen("auto", terminal=False, quiet=False) is Style.LINE
    assert Style.chosen("bar", terminal=False, quiet=False) is Style.LINE
    assert Style.chosen("line", terminal=True, quiet=False) is Style.LINE
    assert Style.chosen("none", terminal=True, quiet=False) is Style.NONE
    assert Style.chosen("bar", terminal=True, quiet=True) is Style.NONE


def test_a_flip_is_shown_by_its_rows() -> None:
    picture = picture_of_flip(FlipProgress(200, 98, 2, "flipping", 61.0))
    assert (picture.part, picture.percent, picture.right) == (0.5, "50.0 %", "100 / 200 rows")
    assert picture.below == ("98 flipped · 2 refused · elapsed 1 min 1 s", "state: flipping")
    stream = io.StringIO()
    progress(stream, Style.LINE)(FlipProgress(200, 98, 2, "flipping", 61.0))
    assert stream.getvalue().startswith("2026-11-22T14:02:40Z flip-service 50.0% 100/200 rows")


@pytest.mark.parametrize(("in_flight", "rest"), [
    (3, "No new object starts; 3 in flight are finishing."),
    (0, "Nothing new is begun; what is under way is finished."),
])
def test_a_stop_speaks_of_objects_only_where_some_are_in_flight(in_flight: int, rest: str) -> None:
    stream = io.StringIO()
    progress(stream, Style.LINE)(Stopping("interrupted", in_flight))
    assert f"interrupted. {rest}" in stream.getvalue()
