"""Each command: what it asks for, what it tells, and its exit code."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from blobmove.cli import approval
from blobmove.cli.app import main
from blobmove.core.crew import workers_for
from blobmove.core.errors import AccessError
from blobmove.core.flip_settings import FlipSettings
from blobmove.core.model import Destination, Source, State
from blobmove.core.plan_settings import DoctorSettings, PlanSettings
from blobmove.core.results import Totals
from blobmove.core.settings import (
    AccessTier,
    Address,
    Addressing,
    CopySettings,
    DatabaseAuth,
    How,
    IfExists,
    ReportSettings,
    StatusSettings,
    VerifySettings,
)
from blobmove.core.timetable import parse_timetable
from blobmove.core.units import MIB
from tests.views.examples import FLIP, PLAN

if TYPE_CHECKING:
    from tests.cli.fakes import FakeWiring

DESTINATION = "https://acme.blob.core.windows.net/uploads"
STARTED = Totals({State.COPIED: 5, State.PENDING: 5}, {})


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Somebody sits there; what is written into this is what they type."""
    typed = io.StringIO()
    monkeypatch.setattr(approval, "can_ask", lambda shared: not shared.no_input)
    monkeypatch.setattr("blobmove.cli.commands.copy.can_ask", lambda shared: not shared.no_input)
    monkeypatch.setattr(sys, "stdin", typed)
    return typed


def types_in(terminal: io.StringIO, text: str) -> None:
    """Type a line."""
    terminal.seek(0)
    terminal.truncate()
    terminal.write(text + "\n")
    terminal.seek(0)


def test_plan_passes_on_every_flag(wiring: FakeWiring, capsys: pytest.CaptureFixture[str]) -> None:
    Path("prices.json").write_text("{}")
    Path("url").write_text("sqlite3:x")
    assert main([
        "plan", "--source", "s3://uploads/a/", "--destination", DESTINATION, "--create-container", "--list",
        "--prefix", "a/b", "--exclude", "tmp/*", "--exclude", "*.bak", "--versions", "all", "--only-referenced",
        "--service", "amazon", "--metadata-names", "DROP", "--prices", "prices.json", "--database-url-file", "url",
        "--s3-addressing", "path", "--checkpoint", "x.db"]) == 0
    (settings,) = wiring.asked
    assert isinstance(settings, PlanSettings)
    assert settings == PlanSettings(
        checkpoint=Path("x.db"), source=Source("uploads", "a/"),
        destination=Destination("https://acme.blob.core.windows.net", "uploads"), create_container=True, listing=True,
        prefix="a/b", exclude=("tmp/*", "*.bak"), all_versions=True, only_referenced=True, service=("amazon",),
        metadata_names=type(settings.metadata_names)("drop"), prices=Path("prices.json"),
        database_url_file=Path("url"), s3_addressing=type(settings.s3_addressing)("path"))
    out, err = capsys.readouterr()
    assert out.endswith("Next: blobmove copy --resume\n")
    assert "Reading the inventory" in err


def test_plan_json_is_one_document(wiring: FakeWiring, capsys: pytest.CaptureFixture[str]) -> None:
    Path("blobmove.db").touch()
    assert main(["plan", "--json", "--target-hours", "2"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["command"] == "plan"
    target = document["forecast"]["target"]
    assert target["seconds"] == 7200
    assert target["workers"] == workers_for(PLAN.to_copy, PLAN.to_copy_bytes, 2) > 0


@pytest.mark.parametrize(("words", "what"), [
    ([], "needs --source"),
    (["--source", "s3://my.bucket"], "needs --destination"),
    (["--source", "s3://uploads", "--destination", DESTINATION], "needs one of --inventory, --list and --keys"),
    (["--list", "--inventory", "x"], "exclude each other"),
    (["--source", "s3://uploads/a/", "--prefix", "b"], "does not lie within"),
])
def test_plan_refuses_what_cannot_work(
    words: list[str], what: str, wiring: FakeWiring, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", *words]) == 2
    assert what in capsys.readouterr().err
    assert wiring.asked == []


def test_a_first_plan_without_destination_is_shown_a_container_that_fits(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--source", "s3://my.bucket"]) == 2
    assert "https://ACCOUNT.blob.core.windows.net/my-bucket" in capsys.readouterr().err


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


def test_verify_ends_with_the_code_of_the_operation(wiring: FakeWiring, capsys: pytest.CaptureFixture[str]) -> None:
    wiring.code = 5
    assert main(["verify", "--how", "read", "--sample", "5"]) == 5
    assert wiring.asked == [VerifySettings(how=How.READ, sample=5.0)]
    assert "besides, 4 blobs" in capsys.readouterr().out


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


def test_status_tells_once_and_watches_until_nothing_runs(
    wiring: FakeWiring, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["status", "--failed"]) == 0
    assert wiring.asked == [StatusSettings(failed=True)]
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            wiring.running = None

    monkeypatch.setattr("blobmove.cli.commands.status.time.sleep", sleep)
    wiring.running = "copy"
    capsys.readouterr()
    assert main(["status", "--watch", "0.5", "--json"]) == 0
    assert pauses == [0.5, 0.5]
    assert [json.loads(line)["running"] for line in capsys.readouterr().out.splitlines()] == ["copy", "copy", None]
    assert main(["status", "--watch"]) == 0


def test_doctor_passes_on_every_flag_and_ends_as_its_findings_say(
    wiring: FakeWiring, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("url").write_text("sqlite3:x")
    assert main(["doctor", "--source", "s3://uploads/a/", "--destination", DESTINATION, "--inventory", "s3://i/u/d/",
                 "--service", "amazon", "--database-url-file", "url", "--database-auth", "entra", "--s3-addressing",
                 "path", "--probe", "--checkpoint", "x.db"]) == 4
    assert wiring.asked == [DoctorSettings(
        checkpoint=Path("x.db"), source=Source("uploads", "a/"),
        destination=Destination("https://acme.blob.core.windows.net", "uploads"), inventory="s3://i/u/d/",
        s3_addressing=Addressing.PATH, service=("amazon",), database_url_file=Path("url"),
        database_auth=DatabaseAuth.ENTRA, probe=True)]
    assert capsys.readouterr().out.endswith("Next: blobmove doctor\n")
    assert main(["doctor", "--json"]) == 4
    assert json.loads(capsys.readouterr().out)["exit_code"] == 4


def test_plan_writes_its_page_beside_what_it_prints(wiring: FakeWiring, capsys: pytest.CaptureFixture[str]) -> None:
    Path("blobmove.db").touch()
    assert main(["plan", "--json", "--html", "plan.html", "--target-hours", "2"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["plan"] == PLAN.plan
    assert "The page of the plan is plan.html" in err
    assert "to be done in 2 h" in Path("plan.html").read_text()


def test_plan_tells_its_result_also_where_the_page_cannot_be_written_after_all(
    wiring: FakeWiring, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "plan.html")

    Path("blobmove.db").touch()
    monkeypatch.setattr("blobmove.views.plan_page.write_plan_page", full)
    assert main(["plan", "--html", "plan.html"]) == 2
    out, err = capsys.readouterr()
    assert PLAN.plan in out
    assert "cannot use plan.html" in err


def test_one_html_for_all_commands_does_not_let_the_report_replace_the_plan(
    wiring: FakeWiring, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("blobmove.db").touch()
    Path("blobmove.toml").write_text('html = "plan.html"\n')
    assert main(["plan"]) == 0
    page = Path("plan.html").read_text()
    assert main(["report"]) == 2
    assert "[E409-PAGE]" in capsys.readouterr().err
    assert Path("plan.html").read_text() == page
    Path("blobmove.toml").write_text('[plan]\nhtml = "plan.html"\n[report]\nhtml = "report.html"\n')
    assert main(["plan"]) == 0
    assert main(["report"]) == 0


def test_report_writes_where_it_is_told(wiring: FakeWiring, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--objects", "all.parquet"]) == 0
    assert wiring.asked == [ReportSettings(objects=Path("all.parquet"))]
    assert capsys.readouterr().out == "1,200 objects written to all.parquet\n"
    assert main(["report"]) == 2
    assert main(["report", "--objects", "all.xls"]) == 2
    assert "[E400-FORMAT]" in capsys.readouterr().err


def test_quiet_says_nothing_but_the_result(wiring: FakeWiring, capsys: pytest.CaptureFixture[str]) -> None:
    Path("blobmove.db").touch()
    assert main(["plan", "-q"]) == 0
    out, err = capsys.readouterr()
    assert "Next:" in out
    assert err == ""


def test_the_log_file_and_the_log_on_stderr_are_json(wiring: FakeWiring, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["copy", "--yes", "--log-file", "log.jsonl", "--log-format", "json"]) == 0
    logged = [json.loads(line)["type"] for line in Path("log.jsonl").read_text().splitlines()]
    told = [json.loads(line)["type"] for line in capsys.readouterr().err.splitlines()]
    assert logged == told == ["sample", "summary"]


def test_the_demo_is_handed_its_wishes(monkeypatch: pytest.MonkeyPatch) -> None:
    from blobmove.demo import run

    wishes: list[dict[str, object]] = []

    def fake(**wish: object) -> int:
        wishes.append(wish)
        return 1

    monkeypatch.setattr(run, "main", fake)
    assert main(["demo", "--keep", "--objects", "300", "--inventory-format", "orc", "--workdir", "w"]) == 1
    assert wishes == [{"keep": True, "objects": 300, "workdir": Path("w"), "inventory_format": "orc"}]


def test_colour_is_only_for_who_wants_it(
    wiring: FakeWiring, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    main(["verify"])
    assert "\x1b" not in capsys.readouterr().out
    monkeypatch.setenv("FORCE_COLOR", "1")
    main(["verify"])
    assert "\x1b[31m" in capsys.readouterr().out
    main(["verify", "--no-color"])
    assert "\x1b" not in capsys.readouterr().out
