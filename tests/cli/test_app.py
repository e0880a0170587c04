"""What comes out of the program: words, codes, files."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from blobmove.cli.app import main
from blobmove.core import errors

if TYPE_CHECKING:
    from tests.cli.fakes import FakeWiring

HEAVY = ("botocore", "aiobotocore", "boto3", "azure", "sqlalchemy", "pymysql", "pyarrow", "ssl", "awscrt",
         "anyio", "asyncio", "tqdm", "jinja2", "sqlite3", "logging", "blobmove.stores", "blobmove.operations",
         "blobmove.views", "blobmove.cli.commands")


def imported_by(words: list[str]) -> set[str]:
    """The modules that a command of its own process imports; those of coverage.py, where it measures, are not ours."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    run = subprocess.run([sys.executable, "-X", "importtime", "-m", "blobmove", *words], check=False,
                         capture_output=True, text=True, env=plain)
    return {line.rsplit("|", 1)[1].strip() for line in run.stderr.splitlines() if line.startswith("import time:")}


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["copi"], []])
def test_help_version_and_mistyped_commands_import_nothing_heavy(words: list[str]) -> None:
    imported = imported_by(words)
    assert "blobmove.cli.app" in imported
    heavy = {name for name in imported if any(name == root or name.startswith(f"{root}.") for root in HEAVY)}
    assert heavy == set()


@pytest.mark.parametrize("words", [["copy", "--help"], ["config", "show"], ["plan"], ["copy", "--nope"]])
def test_usage_of_a_command_imports_no_sdk(words: list[str]) -> None:
    imported = imported_by(words)
    assert "blobmove.cli.app" in imported
    assert imported.isdisjoint({"botocore", "azure", "sqlalchemy", "pyarrow", "awscrt", "anyio", "tqdm"})


def test_the_version_and_the_list_of_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == "blobmove 0.1.0\n"
    assert main(["-h"]) == 0
    commands = [line.split()[0] for line in capsys.readouterr().out.split("Commands:\n")[1].splitlines()]
    assert commands == ["doctor", "plan", "copy", "verify", "flip-service", "status", "report", "config", "demo"]
    assert main([]) == 2
    assert "Commands:" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "proposal"), [
    (["copi"], "`copy`"), (["flip-servise"], "`flip-service`"), (["statsu"], "`status`"),
    (["config", "shw"], "`show`"), (["copy", "--resum"], "`--resume`"), (["plan", "--inventry", "x"], "`--inventory`"),
])
def test_a_misspelt_word_is_answered_with_the_right_one(
    words: list[str], proposal: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert f"hint: did you mean {proposal}" in capsys.readouterr().err


@pytest.mark.parametrize(("kind", "code"), [
    (errors.UsageError, 2), (errors.RefusedError, 3), (errors.AccessError, 4), (errors.DifferenceError, 5),
    (errors.LimitReached, 6), (errors.HeldError, 11), (errors.BlobmoveError, 1),
])
def test_every_kind_of_error_has_its_exit_code(
    kind: type[errors.BlobmoveError], code: int, wiring: FakeWiring, capsys: pytest.CaptureFixture[str]
) -> None:
    wiring.error = kind("E404-BUCKET", "the bucket `uplaods` does not exist", cause="404 NoSuchBucket\nRequestId 7",
                        hint="blobmove plan --source s3://uploads")
    assert main(["verify"]) == code
    out, err = capsys.readouterr()
    assert err == ("error: the bucket `uplaods` does not exist [E404-BUCKET]\n"
                   "  caused by: 404 NoSuchBucket\n    RequestId 7\n"
                   "hint: blobmove plan --source s3://uploads\n")
    assert out == ""


def test_with_json_the_last_line_is_the_error(wiring: FakeWiring, capsys: pytest.CaptureFixture[str]) -> None:
    wiring.error = errors.AccessError("E403-SOURCE", "no access", cause="https://b/k?X-Amz-Signature=abcdef")
    assert main(["copy", "--resume", "--json"]) == 4
    out, err = capsys.readouterr()
    assert json.loads(out.splitlines()[-1]) == {
        "format": 1, "type": "error", "code": "E403-SOURCE", "message": "no access",
        "cause": "https://b/k?X-Amz-Signature=REDACTED", "hint": None}
    assert "abcdef" not in out + err
    assert main(["copy", "--jsn", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["code"] == "E400-USAGE"


def test_the_gravest_error_of_a_group_is_told(wiring: FakeWiring, capsys: pytest.CaptureFixture[str]) -> None:
    inner = errors.AccessError("E403-SOURCE", "no access")
    wiring.error = ExceptionGroup("tasks", [ValueError("a consequence"), ExceptionGroup("more", [inner])])
    assert main(["verify"]) == 4
    assert "[E403-SOURCE]" in capsys.readouterr().err


def test_an_interruption_is_130(wiring: FakeWiring, capsys: pytest.CaptureFixture[str]) -> None:
    wiring.error = KeyboardInterrupt()
    assert main(["verify"]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_a_full_disk_is_told_whoever_meets_it(
    wiring: FakeWiring, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    wiring.error = OSError(28, "No space left on device", "blobmove.db")
    assert main(["verify"]) == 2
    assert "[E507-DISK]" in capsys.readouterr().err
    wiring.error = full_database(tmp_path)
    assert main(["verify"]) == 2
    assert "[E507-DISK]" in capsys.readouterr().err
    assert list(tmp_path.glob("blobmove-crash-*")) == []


def full_database(folder: Path) -> sqlite3.OperationalError:
    """The real error of a SQLite file that may not grow."""
    connection = sqlite3.connect(folder / "full.db")
    connection.execute("PRAGMA max_page_count = 2")
    try:
        connection.execute("CREATE TABLE t (x)")
        connection.execute("INSERT INTO t VALUES (zeroblob(100000))")
    except sqlite3.OperationalError as error:
        return error
    finally:
        connection.close()
    raise AssertionError("the database did not fill up")


def test_a_file_that_cannot_be_used_is_no_bug(capsys: pytest.CaptureFixture[str], wiring: FakeWiring) -> None:
    assert main(["verify", "--log-file", "no/such/folder/log"]) == 2
    assert "[E400-FILE]" in capsys.readouterr().err
    assert wiring.asked == []


def test_a_bug_leaves_a_crash_file_without_secrets(
    wiring: FakeWiring, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMIsecret")
    monkeypatch.setenv("DATABASE_URL", "mysql2://rails:hunter22@db/acme")
    wiring.error = ZeroDivisionError("at https://a/c?sig=abcdef with wJalrXUtnFEMIsecret and mysql2://rails:hunter22@db/acme")
    assert main(["verify", "--sample", "5"]) == 70
    out, err = capsys.readouterr()
    (path,) = tmp_path.glob("blobmove-crash-*.txt")
    assert str(path) in err
    assert "Traceback" not in err + out
    text = path.read_text()
    assert "Traceback" in text
    assert "command: blobmove verify --sample 5" in text
    assert "sample = 5.0" in text
    assert "  AWS_SECRET_ACCESS_KEY" in text
    assert "click 8" in text
    for secret in ("wJalrXUtnFEMIsecret", "hunter22", "abcdef"):
        assert secret not in text + err
    assert path.stat().st_mode & 0o077 == 0


def test_a_bug_with_json_is_told_as_json_too(wiring: FakeWiring, capsys: pytest.CaptureFixture[str]) -> None:
    wiring.error = AssertionError("impossible")
    assert main(["verify", "--json"]) == 70
    assert json.loads(capsys.readouterr().out)["code"] == "E500-BUG"


def test_a_pipe_that_broke_elsewhere_is_not_taken_for_ours(wiring: FakeWiring) -> None:
    wiring.error = BrokenPipeError(32, "Broken pipe")
    assert main(["verify"]) == 70


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_closed_pipe_ends_without_a_word(unbuffered: str) -> None:
    with subprocess.Popen([sys.executable, "-m", "blobmove", "--help"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env={"PYTHONUNBUFFERED": unbuffered}) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_a_letter_that_the_encoding_lacks_is_escaped() -> None:
    run = subprocess.run([sys.executable, "-m", "blobmove", "config", "show"], check=False, capture_output=True,
                         env={"PYTHONIOENCODING": "latin-1", "BLOBMOVE_PREFIX": "ж"})
    assert run.returncode == 0
    assert b"\\u0436" in run.stdout
