"""`copy`: what it asks for, who approves it, what it tells, and its exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from blobmove.cli.app import main
from blobmove.core.errors import AccessError
from blobmove.core.model import State
from blobmove.core.results import Totals
from blobmove.core.settings import AccessTier, Address, CopySettings, IfExists, StatusSettings
from blobmove.core.timetable import parse_timetable
from blobmove.core.units import MIB
from tests.cli.fakes import types_in

if TYPE_CHECKING:
    import io

    import pytest

    from tests.cli.fakes import FakeWiring

STARTED = Totals({State.COPIED: 5, State.PENDING: 5}, {})


def test_copy_passes_on_every_flag(wiring: FakeWiring, capsys: pytest.CaptureFixture[str]) -> None:
    wiring.code = 1
    assert main([
        "copy", "--resume", "--retry-failed", "--concurrency", "32", "--max-memory", "128MiB", "--bandwidth",
        "08:00,50M 19:00,off", "--block-size", "4MiB", "--whole-object-limit", "1MiB", "--if-exists", "fail",
        "--access-tier", "cool", "--max-duration", "2h", "--max-errors", "0", "--throttle-file", "slow",
        "--metrics-addr", "127.0.0.1:0"]) == 1
    assert wiring.asked == [CopySettings(
        resume=True, retry_failed=True, concurrency=32, max_memory=128 * MIB,
        bandwidth=parse_timetable("08:00,50M 19:00,off"), block_size=4 * MIB, whole_object_limit=MIB,
        if_exists=IfExists.FAIL, access_tier=AccessTier.COOL, max_duration=7200.0, max_errors=None,
        throttle_file=Path("slow"), metrics_addr=Address("127.0.0.1", 0))]
    out, err = capsys.readouterr()
    assert "metrics at http://127.0.0.1:" in err
    assert out.startswith("Stopped after 2 min 8 s")
    assert out.endswith("Next: blobmove copy --resume\n")


def test_copy_json_writes_events_and_the_summary_last(wiring: FakeWiring, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["copy", "--yes", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["type"] for line in lines] == ["sample", "summary"]
    assert lines[-1]["planned"] == sum(lines[-1]["outcomes"].values())


def test_without_a_terminal_yes_or_resume_is_needed(wiring: FakeWiring, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["copy"]) == 3
    assert "hint: blobmove copy --yes" in capsys.readouterr().err
    assert not any(isinstance(asked, CopySettings) for asked in wiring.asked)
    assert main(["copy", "--yes"]) == 0
    assert main(["copy", "--resume"]) == 0


def test_on_a_terminal_only_yes_is_accepted(
    wiring: FakeWiring, terminal: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    types_in(terminal, "y")
    assert main(["copy", "--resume"]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert "10 objects, 1,000 B to copy" in err
    assert "Only 'yes' will be accepted" in err
    types_in(terminal, "yes")
    assert main(["copy"]) == 0


def test_a_started_copy_is_resumed_without_being_asked_again(wiring: FakeWiring, terminal: io.StringIO) -> None:
    wiring.totals = STARTED
    assert main(["copy", "--resume"]) == 0
    assert terminal.tell() == 0


def test_no_input_fails_instead_of_asking(wiring: FakeWiring, terminal: io.StringIO) -> None:
    types_in(terminal, "yes")
    assert main(["copy", "--no-input"]) == 3
    assert main(["copy", "--no-input", "--resume"]) == 0


def test_a_dry_copy_copies_nothing(wiring: FakeWiring, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["copy", "--dry-run"]) == 0
    assert wiring.asked == [StatusSettings()]
    assert capsys.readouterr().out.startswith("Would copy 10 objects, 1,000 B. Nothing has been changed.")
    assert main(["copy", "-n", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["dry_run"] is True


def test_a_copy_that_ends_with_an_error_tells_what_it_did_and_then_the_error(
    wiring: FakeWiring, capsys: pytest.CaptureFixture[str]
) -> None:
    wiring.late_error = AccessError("E403-DESTINATION", "Azure refuses to write")
    assert main(["copy", "--yes"]) == 4
    out, err = capsys.readouterr()
    assert "planned  1,200" in out
    assert err.endswith("error: Azure refuses to write [E403-DESTINATION]\n")
    assert main(["copy", "--yes", "--json"]) == 4
    assert [json.loads(line)["type"] for line in capsys.readouterr().out.splitlines()] == ["sample", "summary", "error"]
