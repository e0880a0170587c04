"""`flip-service`: what it asks for, who confirms it, and its exit code."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from blobmove.cli.app import main
from blobmove.core.flip_settings import FlipSettings
from tests.cli.fakes import types_in
from tests.views.examples import FLIP

if TYPE_CHECKING:
    import io

    from tests.cli.fakes import FakeWiring


def test_a_flip_passes_on_every_flag(wiring: FakeWiring, capsys: pytest.CaptureFixture[str]) -> None:
    Path("ids").write_text("1\n")
    assert main(["flip-service"]) == 2
    assert "needs --to" in capsys.readouterr().err
    assert main([
        "flip-service", "--from", "amazon", "--from", "mirror", "--to", "azure", "--batch-size", "50", "--ids", "ids",
        "--limit", "10", "--sleep-ratio", "0.5", "--pause-file", "p", "--stop-file", "s", "--skip-verify",
        "--confirm", "azure"]) == 1
    assert wiring.asked == [FlipSettings(
        from_services=("amazon", "mirror"), to_service="azure", batch_size=50, ids=Path("ids"), limit=10,
        sleep_ratio=0.5, pause_file=Path("p"), stop_file=Path("s"), skip_verify=True, confirmed=True)]


def test_a_flip_is_not_done_without_its_name(
    wiring: FakeWiring, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["flip-service", "--to", "azure", "--yes"]) == 3
    assert "hint: add --confirm azure" in capsys.readouterr().err
    assert main(["flip-service", "--to", "azure", "--confirm", "asure"]) == 2
    assert wiring.asked == []


def test_on_a_terminal_the_name_is_typed(wiring: FakeWiring, terminal: io.StringIO) -> None:
    types_in(terminal, "yes")
    assert main(["flip-service", "--to", "azure"]) == 3
    types_in(terminal, "azure")
    wiring.flip = replace(FLIP, dry_run=False, refused={}, rows=1951)
    assert main(["flip-service", "--to", "azure"]) == 0


def test_a_dry_flip_and_statements_in_a_file_need_no_confirmation(wiring: FakeWiring) -> None:
    assert main(["flip-service", "--to", "azure", "--dry-run"]) == 1
    assert main(["flip-service", "--to", "azure", "--sql", "flip.sql"]) == 1
    assert [settings.confirmed for settings in wiring.asked if isinstance(settings, FlipSettings)] == [False, False]
    assert main(["flip-service", "--to", "azure", "--dry-run", "--sql", "flip.sql"]) == 2, "it would write no file"


def test_an_undo_is_confirmed_with_the_name_it_takes_back(
    wiring: FakeWiring, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["flip-service", "--undo"]) == 3
    assert "--confirm azure" in capsys.readouterr().err
    assert main(["flip-service", "--undo", "1", "--confirm", "azure"]) == 1
    assert wiring.asked == [FlipSettings(undo="1", confirmed=True)]
    assert main(["flip-service", "--undo", "one"]) == 2


def test_the_last_undo_takes_back_the_run_whose_name_was_confirmed(
    wiring: FakeWiring, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a way back that is itself undone, the newest run with rows left is the one before it."""
    there, _ = wiring.runs
    back = replace(there, id=3, from_services=("azure",), to_service="amazon", flipped=5, unsettled=0)
    undone = replace(there, id=4, from_services=("amazon",), to_service="azure", undo_of=3, flipped=5, unsettled=0)
    wiring.runs = (there, back)
    assert main(["flip-service", "--undo", "--to", "azure", "--confirm", "azure"]) == 2
    assert "hint: --confirm amazon" in capsys.readouterr().err
    wiring.runs = (there, back, undone)
    assert main(["flip-service", "--undo", "--confirm", "amazon"]) == 2
    assert wiring.asked == []
    main(["flip-service", "--undo", "--confirm", "azure"])
    wiring.runs = (replace(there, flipped=5, unsettled=0), replace(undone, undo_of=1))
    assert main(["flip-service", "--undo"]) == 2
    assert "E404-RUN" in capsys.readouterr().err
    assert wiring.asked == [FlipSettings(undo="1", confirmed=True)]


@pytest.mark.parametrize("run", ["01", "+1", "１", "7"])
def test_no_undo_goes_on_that_nobody_has_confirmed(run: str, wiring: FakeWiring) -> None:
    """Another spelling of a run's number, and the number of none."""
    assert main(["flip-service", "--undo", run, "--confirm", "azure", "--no-input"]) == 2
    assert wiring.asked == []


@pytest.mark.parametrize(("changes", "code"), [
    ({"refused": {}, "rows": 1951}, 0), ({"refused": {"not-copied": 0}, "rows": 1951}, 0), ({}, 1),
    ({"refused": {}, "rows": 1956, "remaining": 5}, 6), ({"refused": {}, "stopped": "stop file s"}, 6),
    ({"stopped": "interrupted"}, 130),
])
def test_a_flip_ends_with_the_code_of_what_is_left(changes: dict[str, object], code: int, wiring: FakeWiring) -> None:
    wiring.flip = replace(FLIP, **changes)  # type: ignore[arg-type]
    assert main(["flip-service", "--to", "azure", "--dry-run"]) == code


def test_the_runs_are_listed(wiring: FakeWiring, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flip-service", "--runs"]) == 0
    assert "takes back run 1" in capsys.readouterr().out
    assert main(["flip-service", "--runs", "--json"]) == 0
    assert [run["run"] for run in json.loads(capsys.readouterr().out)["runs"]] == [1, 2]
