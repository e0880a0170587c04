"""The journey believes no command: a wrong exit code, outcomes that do not add up, a kill too late end it."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING

import pytest

from blobmove.demo.journey import Route, travel
from blobmove.demo.narrator import Narrator, typed
from blobmove.demo.terminal import JourneyError, Terminal

if TYPE_CHECKING:
    from pathlib import Path

STAND_IN = """
import json, os, pathlib, sys, time
verb, here = sys.argv[1], pathlib.Path({folder!r})
script = json.loads((here / "script.json").read_text())
if verb == "status" and "--json" in sys.argv:
    killed = (here / "copying").exists()
    print(json.dumps(script["status"] if killed else dict(planned=0, outcomes=dict())))
if verb == "copy" and not (here / "copying").exists():
    (here / "copying").touch()
    time.sleep(script["copy_seconds"])
if verb == "report":
    (here / "report.csv").write_text(script["report"])
sys.exit(script["codes"].get(verb, 0))
"""
GOOD_STATUS = {"planned": 10, "outcomes": {"copied": 4, "refused": 1, "pending": 5}}
CODES = {"copy": 1, "flip-service": 1}


def journey(folder: Path, blobs: int = 4, **script: object) -> str:
    """Travel with a stand-in for blobmove that follows `script`; what was told to the reader."""
    script = {"status": GOOD_STATUS, "copy_seconds": 60, "codes": CODES, "report": "state\n", **script}
    (folder / "script.json").write_text(json.dumps(script))
    (folder / "blobmove.py").write_text(STAND_IN.format(folder=str(folder)))
    told = io.StringIO()
    terminal = Terminal(folder, {}, Narrator(told), (sys.executable, "-S", str(folder / "blobmove.py")))
    travel(terminal, Route("http://azure/uploads", 9, lambda: blobs))
    return told.getvalue()


def test_an_undocumented_exit_code_ends_the_journey(tmp_path: Path) -> None:
    with pytest.raises(JourneyError, match="`blobmove plan` ended with exit code 70, expected 0"):
        journey(tmp_path, codes={"plan": 70})


def test_a_copy_that_ends_before_it_is_killed_ends_the_journey(tmp_path: Path) -> None:
    with pytest.raises(JourneyError, match="not killed in the middle: it ended by itself with 1"):
        journey(tmp_path, copy_seconds=0, status={"planned": 0, "outcomes": {}})


def test_a_kill_with_nothing_left_to_do_ends_the_journey(tmp_path: Path) -> None:
    with pytest.raises(JourneyError, match="the kill was not in the middle"):
        journey(tmp_path, blobs=9)


def test_more_recorded_than_there_are_blobs_ends_the_journey(tmp_path: Path) -> None:
    with pytest.raises(JourneyError, match="the kill was not in the middle: 3 blobs on Azure"):
        journey(tmp_path, blobs=3)


def test_outcomes_that_do_not_add_up_end_the_journey(tmp_path: Path) -> None:
    status = {"planned": 11, "outcomes": GOOD_STATUS["outcomes"]}
    with pytest.raises(JourneyError, match="do not add up to 11 planned"):
        journey(tmp_path, status=status)


def test_objects_still_pending_at_the_end_end_the_journey(tmp_path: Path) -> None:
    with pytest.raises(JourneyError, match="9 objects should have arrived and one be refused"):
        journey(tmp_path)


def test_a_long_command_is_broken_before_its_options_and_quoted() -> None:
    words = ("blobmove", "plan", "--source", "s3://a b", "--inventory", "x" * 90, "--create-container")
    assert typed(words).split(" \\\n") == [
        "blobmove plan",
        "      --source 's3://a b'",
        f"      --inventory {'x' * 90}",
        "      --create-container",
    ]
    assert typed(("blobmove", "verify")) == "blobmove verify"
