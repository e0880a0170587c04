"""Each command but `copy` and `flip-service`: what it asks for, what it tells, and its exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from blobmove.cli.app import main
from blobmove.core.crew import workers_for
from blobmove.core.model import Destination, Source
from blobmove.core.plan_settings import DoctorSettings, PlanSettings
from blobmove.core.settings import (
    Addressing,
    DatabaseAuth,
    How,
    ReportSettings,
    StatusSettings,
    VerifySettings,
)
from tests.views.examples import PLAN

if TYPE_CHECKING:
    from tests.cli.fakes import FakeWiring

DESTINATION = "https://acme.blob.core.windows.net/uploads"


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


def test_verify_ends_with_the_code_of_the_operation(wiring: FakeWiring, capsys: pytest.CaptureFixture[str]) -> None:
    wiring.code = 5
    assert main(["verify", "--how", "read", "--sample", "5"]) == 5
    assert wiring.asked == [VerifySettings(how=How.READ, sample=5.0)]
    assert "besides, 4 blobs" in capsys.readouterr().out


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
