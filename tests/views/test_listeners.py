"""The fan-out and the log."""

from __future__ import annotations

import io
import json
import logging
from typing import TYPE_CHECKING

from blobmove.core.events import Event, Note, Problem
from blobmove.views.listeners import FanOut
from blobmove.views.logfile import LogFile
from blobmove.views.redacting import RedactingFilter
from tests.views.examples import SAMPLE

if TYPE_CHECKING:
    from pathlib import Path


class Broken:
    """A face whose stream has gone."""

    def __call__(self, _event: Event) -> None:
        """Never works."""
        raise BrokenPipeError(32, "Broken pipe")


def test_every_face_hears_every_event() -> None:
    first: list[Event] = []
    second: list[Event] = []
    fan = FanOut()
    fan.add(first.append)
    fan.add(second.append)
    fan(SAMPLE)
    assert first == second == [SAMPLE]


def test_a_face_that_breaks_is_dropped_and_the_others_are_told_once() -> None:
    heard: list[Event] = []
    fan = FanOut()
    fan.add(Broken())
    fan.add(heard.append)
    fan(SAMPLE)
    fan(SAMPLE)
    note = Note("Broken cannot be written any more (Broken pipe); the work goes on without it")
    assert heard == [SAMPLE, note, SAMPLE]


def test_the_log_has_one_json_line_an_event_with_its_time(tmp_path: Path) -> None:
    path = tmp_path / "blobmove.log"
    with LogFile.open(path) as log:
        log(SAMPLE)
        log(Problem("key", "failed", "E403-SOURCE", "https://a/c?sig=abcdef"))
    sample, problem = (json.loads(line) for line in path.read_text().splitlines())
    assert (sample["level"], sample["type"]) == ("info", "sample")
    assert (problem["level"], problem["detail"]) == ("warning", "https://a/c?sig=REDACTED")
    assert sample["time"].endswith("Z")


def test_the_log_is_appended_to(tmp_path: Path) -> None:
    for _ in range(2):
        with LogFile.open(tmp_path / "log") as log:
            log(Note("again"))
    assert len((tmp_path / "log").read_text().splitlines()) == 2


def test_a_log_that_cannot_be_written_does_not_stop_the_others() -> None:
    stream = io.StringIO()
    heard: list[Event] = []
    fan = FanOut()
    fan.add(LogFile(FullDisk(stream)))
    fan.add(heard.append)
    fan(SAMPLE)
    assert heard[0] == SAMPLE
    assert isinstance(heard[1], Note)
    assert "No space left" in heard[1].text


class FullDisk(logging.StreamHandler[io.StringIO]):
    """A handler on a disk that is full."""

    def emit(self, record: logging.LogRecord) -> None:
        """Never works."""
        raise OSError(28, "No space left on device")


def test_what_the_libraries_log_is_masked() -> None:
    record = logging.LogRecord("urllib", 10, "f", 1, "GET %s", ("https://a/c?sig=abcdef",), None)
    assert RedactingFilter().filter(record)
    assert record.getMessage() == "GET https://a/c?sig=REDACTED"
