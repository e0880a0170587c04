"""`flip-service`: what it asks for, who confirms it, and its exit code."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final, cast

import pytest

from blobmove.cli.app import main
from blobmove.core.flip_settings import FlipSettings
from blobmove.core.settings import DatabaseAuth
from blobmove.operations.flip_summary import RunFacts, summarise
from blobmove.operations.flip_walk import Tally
from tests.cli.fakes import types_in
from tests.views.examples import FLIP

if TYPE_CHECKING:
    import io
    from collections.abc import Sequence

    from blobmove.core.flip_results import FlipResult
    from blobmove.operations.flip_doors import BlobTable
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


EVERYTHING: Final = FlipSettings(
    checkpoint=Path("a b.db"), from_services=("amazon", "mirror"), to_service="azure", batch_size=50, ids=Path("ids"),
    limit=10, sleep_ratio=0.5, pause_file=Path("p"), stop_file=Path("s"), skip_verify=True, max_lag=2.5,
    replica_url_file=(Path("r1"), Path("r2")), lag_query="SELECT 'a b'", max_threads_running=40,
    critical_threads_running=80, any_server=True, allow_replica=True, database_url_file=Path("url"),
    database_auth=DatabaseAuth.ENTRA, confirmed=True,
)


def ended(settings: FlipSettings, *, undo_of: int | None = None, remaining: int = 5, stopped: str = "") -> FlipResult:
    """A run with these settings that has flipped a row."""
    facts = RunFacts(settings.from_services, settings.to_service, 1, undo_of, remaining, {}, 1.0)
    tally = Tally(flipped=1, stopped=stopped)
    return summarise(settings, cast("BlobTable", SimpleNamespace(describe=str)), facts, tally)


def next_of(settings: FlipSettings, *, undo_of: int | None = None, remaining: int = 5, stopped: str = "") -> str:
    """What a run with these settings says is to be typed next."""
    return ended(settings, undo_of=undo_of, remaining=remaining, stopped=stopped).next


def next_after(words: Sequence[str], wiring: FakeWiring, capsys: pytest.CaptureFixture[str]) -> str:
    """What the command itself says, with the variables and the settings file that are there."""
    main(["flip-service", *words, "--dry-run", "--json"])
    wiring.flip = ended(cast("FlipSettings", wiring.asked[-1]))  # of the same words, now that it is known what they are
    capsys.readouterr()
    main(["flip-service", *words, "--dry-run", "--json"])
    return str(json.loads(capsys.readouterr().out)["next"])


def unwaived(settings: FlipSettings) -> FlipSettings:
    """Without what was waived."""
    return replace(settings, skip_verify=False, any_server=False, allow_replica=False)


def typed(command: str, wiring: FakeWiring) -> FlipSettings:
    """The settings that the command leads to, once confirmed."""
    for name in ("ids", "r1", "r2", "url"):
        Path(name).write_text("1\n")
    program, *words = shlex.split(command)
    assert program == "blobmove"
    main([*words, "--confirm", "azure"])
    asked = wiring.asked[-1]
    assert isinstance(asked, FlipSettings)
    return asked


@pytest.mark.parametrize("settings", [EVERYTHING, FlipSettings(from_services=("amazon",), to_service="azure",
                                                               confirmed=True)])
def test_the_command_named_next_does_what_this_run_did(settings: FlipSettings, wiring: FakeWiring) -> None:
    """The real run after a dry one, which needs no waiver, and the rest after one that was stopped."""
    assert typed(next_of(replace(settings, dry_run=True, confirmed=False)), wiring) == unwaived(settings)
    assert typed(next_of(settings, stopped="interrupted"), wiring) == settings


def test_after_a_file_of_ids_the_other_rows_come_in_the_same_manner(wiring: FakeWiring) -> None:
    """But what was waived for a few rows is not waived for all."""
    assert typed(next_of(EVERYTHING), wiring) == unwaived(replace(EVERYTHING, ids=None))
    assert typed(next_of(replace(EVERYTHING, ids=None)), wiring) == replace(EVERYTHING, ids=None)


def test_a_file_of_ids_that_a_limit_cut_short_is_gone_on_with(wiring: FakeWiring) -> None:
    limited = replace(EVERYTHING, limit=1)
    assert typed(next_of(limited), wiring) == limited


def test_what_was_typed_over_a_settings_file_and_a_variable_is_said_outright(
    wiring: FakeWiring, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it is the default: the command is typed where the other values still are."""
    Path("blobmove.toml").write_text('sleep_ratio = 0\ndatabase_auth = "entra"\nbatch_size = 10000\n')
    monkeypatch.setenv("BLOBMOVE_CHECKPOINT", "other.db")
    command = next_after([
        "--from", "amazon", "--to", "azure", "--sleep-ratio", "1", "--batch-size", "5000",
        "--database-auth", "password", "--checkpoint", "blobmove.db"], wiring, capsys)
    assert typed(command, wiring) == FlipSettings(from_services=("amazon",), to_service="azure", confirmed=True)


def test_what_a_settings_file_and_variables_said_is_said_without_them(
    wiring: FakeWiring, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("blobmove.toml").write_text("sleep_ratio = 0\nmax_lag = 0\n")
    with monkeypatch.context() as around:
        around.setenv("BLOBMOVE_BATCH_SIZE", "50")
        around.setenv("BLOBMOVE_MAX_THREADS_RUNNING", "40")
        command = next_after(["--from", "amazon", "--to", "azure"], wiring, capsys)
    Path("blobmove.toml").unlink()
    assert typed(command, wiring) == FlipSettings(
        from_services=("amazon",), to_service="azure", sleep_ratio=0.0, max_lag=0.0, batch_size=50,
        max_threads_running=40, confirmed=True)


def test_after_a_stop_file_it_is_said_to_remove_it_first(
    wiring: FakeWiring, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else the command would stop at once. In JSON `next` is the command alone, and `stopped` names the file."""
    for stopped, first in (("stop file a b", "remove a b, then: "), ("interrupted", "")):
        wiring.flip = ended(replace(EVERYTHING, stop_file=Path("a b")), stopped=stopped)
        main(["flip-service", "--to", "azure", "--confirm", "azure"])
        assert f"Next: {first}blobmove flip-service " in capsys.readouterr().out
        assert wiring.flip.next.startswith("blobmove flip-service ")


def test_an_undo_goes_on_in_its_manner_too(wiring: FakeWiring) -> None:
    undo = replace(EVERYTHING, from_services=(), to_service="", ids=None, undo="1")
    assert typed(next_of(undo, undo_of=1), wiring) == undo
    assert typed(next_of(replace(undo, dry_run=True, confirmed=False), undo_of=1), wiring) == unwaived(undo)


def test_no_setting_is_forgotten_in_the_command_named_next() -> None:
    """A new one must be set in EVERYTHING, so that the tests above see it, or be named here."""
    apart = {"dry_run", "undo", "sql", "born"}
    same = {field.name for field in fields(FlipSettings) if getattr(EVERYTHING, field.name) == field.default}
    assert same == apart


def test_the_command_named_next_holds_no_secret(
    wiring: FakeWiring, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The URLs are in variables and in files, and stay there."""
    monkeypatch.setenv("DATABASE_URL", "mysql2://app:hunter2@db/acme")
    monkeypatch.setenv("BLOBMOVE_REPLICA_URLS", "mysql2://app:hunter2@replica/acme")
    for name in ("url", "r1"):
        Path(name).write_text("mysql2://app:hunter2@db/acme\n")
    for files in ([], ["--replica-url-file", "r1"], ["--database-url-file", "url"]):
        command = next_after(["--from", "amazon", "--to", "azure", *files], wiring, capsys)
        assert shlex.join(files) in command
        assert "hunter2" not in command


def test_the_command_named_next_writes_over_no_statements() -> None:
    command = next_of(replace(EVERYTHING, sql=Path("flip.sql")))
    assert command.endswith("--checkpoint 'a b.db'")
    assert "--sql FILE" in command


def test_where_nothing_is_left_the_refused_rows_are_looked_at() -> None:
    assert next_of(EVERYTHING, remaining=0) == ""
    facts = RunFacts(("amazon",), "azure", 1, None, 0, {}, 1.0)
    table = cast("BlobTable", SimpleNamespace(describe=str))
    for reason, words in (("renamed", "status --failed"), ("not-in-plan", "plan")):
        tally = Tally(refused=Counter({reason: 2}), kept=2)
        assert summarise(EVERYTHING, table, facts, tally).next == f"blobmove {words} --checkpoint 'a b.db'"
        assert summarise(FlipSettings(), table, facts, tally).next == f"blobmove {words} --checkpoint blobmove.db"
