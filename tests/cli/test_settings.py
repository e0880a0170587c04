"""flag > variable > blobmove.toml > default, and what may stand in the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from blobmove.cli.app import main
from blobmove.cli.wiring import body_sizes
from blobmove.core.model import Destination, Source
from blobmove.core.plan_settings import PlanSettings
from blobmove.core.settings import CopySettings
from blobmove.core.units import GIB, MIB

if TYPE_CHECKING:
    from tests.cli.fakes import FakeWiring


def write(text: str, name: str = "blobmove.toml") -> None:
    """A settings file here."""
    Path(name).write_text(text)


def copied(wiring: FakeWiring) -> CopySettings:
    """The settings the copy was called with."""
    settings = wiring.asked[-1]
    assert isinstance(settings, CopySettings)
    return settings


def test_workers_have_room_for_large_blocks_unless_told_how_much(
    wiring: FakeWiring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blobmove.stores.machine.memory", lambda: 64 * GIB)
    run = ["copy", "--resume", "--workers", "16"]
    assert main(run) == 0
    assert copied(wiring).max_memory == 4 * GIB
    assert body_sizes(copied(wiring)) == body_sizes(CopySettings()) == (32 * MIB, 32 * MIB)
    assert main([*run, "--max-memory", "384MiB"]) == 0
    assert copied(wiring).max_memory == 384 * MIB
    write('[copy]\nmax_memory = "2GiB"\n')
    assert main(run) == 0
    assert copied(wiring).max_memory == 2 * GIB


def test_a_flag_beats_a_variable_beats_the_file_beats_the_default(
    wiring: FakeWiring, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ["copy", "--resume"]
    assert main(run) == 0
    assert copied(wiring).max_memory == 384 * MIB
    write('[copy]\nmax_memory = "2GiB"\n')
    assert main(run) == 0
    assert copied(wiring).max_memory == 2 * GIB
    monkeypatch.setenv("BLOBMOVE_MAX_MEMORY", "3GiB")
    assert main(run) == 0
    assert copied(wiring).max_memory == 3 * GIB
    assert main([*run, "--max-memory", "4GiB"]) == 0
    assert copied(wiring).max_memory == 4 * GIB


def test_every_kind_of_value_can_come_from_the_file(wiring: FakeWiring) -> None:
    write("""
        checkpoint = "other.db"
        concurrency = 64
        [source]
        bucket = "uploads"
        prefix = "a/"
        inventory = "s3://inventory/daily/"
        [destination]
        account_url = "https://acme.blob.core.windows.net/"
        container = "uploads"
        create_container = true
        [database]
        services = ["amazon", "mirror"]
        [plan]
        exclude = "tmp/*"
        versions = "all"
        target_hours = 2.5
    """)
    assert main(["plan"]) == 0
    assert wiring.asked == [PlanSettings(
        checkpoint=Path("other.db"), source=Source("uploads", "a/"),
        destination=Destination("https://acme.blob.core.windows.net", "uploads"), create_container=True,
        inventory="s3://inventory/daily/", exclude=("tmp/*",), all_versions=True, service=("amazon", "mirror"),
        target_hours=2.5)]
    assert main(["copy", "--resume"]) == 0
    assert copied(wiring).concurrency == 64


def test_another_file_can_be_named(wiring: FakeWiring, monkeypatch: pytest.MonkeyPatch) -> None:
    write("block_size = 1048576", "here.toml")
    assert main(["copy", "--resume", "--config", "here.toml"]) == 0
    assert copied(wiring).block_size == MIB
    monkeypatch.setenv("BLOBMOVE_CONFIG", "here.toml")
    assert main(["copy", "--resume"]) == 0
    assert copied(wiring).block_size == MIB
    assert main(["copy", "--config", "nowhere.toml"]) == 2


@pytest.mark.parametrize(("text", "hint"), [
    ('[copy]\nbandwith = "1M"', "did you mean `copy.bandwidth`?"),
    ('sorce = "s3://b"', "did you mean `source`?"),
    ('[source]\nbukket = "b"', "did you mean `source.bucket`?"),
    ("[copi]\nresume = true", "did you mean `copy`?"),
    ("[verify]\nmax_memory = 3", "blobmove config show"),
])
def test_an_unknown_setting_is_an_error_with_a_proposal(
    text: str, hint: str, capsys: pytest.CaptureFixture[str], wiring: FakeWiring
) -> None:
    write(text)
    assert main(["copy", "--resume"]) == 2
    error = capsys.readouterr().err
    assert "unknown setting" in error
    assert "[E400-CONFIG]" in error
    assert hint in error
    assert wiring.asked == []


@pytest.mark.parametrize("text", [
    'password = "SECRETVALUE"', '[destination]\nsas_token = "SECRETVALUE"', '[destination]\nkey = "SECRETVALUE"',
    '[source]\naws_secret_access_key = "SECRETVALUE"', '[database]\nurl = "mysql2://rails:SECRETVALUE@db/acme"',
    'connection_string = "AccountKey=SECRETVALUE"', 'destination = "https://a.blob.core.windows.net/c?sig=SECRETVALUE"',
])
def test_a_secret_in_the_file_is_refused_and_not_repeated(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    write(text)
    assert main(["copy", "--resume"]) == 2
    error = capsys.readouterr().err
    assert "[E400-SECRET]" in error
    assert "SECRETVALUE" not in error
    assert "AZURE_STORAGE_SAS_TOKEN" in error


@pytest.mark.parametrize(("text", "why"), [
    ("resume = ", "cannot be read as TOML"), ('resume = "yes"', "neither true nor false"),
    ("yes = true", "is an answer"),
    ('[plan]\nexclude = [1]', "wrong kind"), ("max_memory = [1]", "wrong kind"),
    ('[destination]\ncontainer = "c"', "needs both"),
])
def test_a_file_that_makes_no_sense_is_explained(text: str, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    write(text)
    assert main(["copy", "--resume"]) == 2
    assert why in capsys.readouterr().err


def test_a_bad_value_says_where_it_came_from(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BLOBMOVE_MAX_MEMORY", "lots")
    assert main(["copy", "--resume"]) == 2
    assert "caused by: the value comes from BLOBMOVE_MAX_MEMORY" in capsys.readouterr().err
    monkeypatch.delenv("BLOBMOVE_MAX_MEMORY")
    write('[copy]\nmax_memory = "lots"')
    assert main(["copy", "--resume"]) == 2
    assert "caused by: the value comes from blobmove.toml" in capsys.readouterr().err


def test_config_show_says_where_each_value_came_from(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write('log_format = "text"\n[copy]\nmax_memory = "2GiB"\nbandwidth = "08:00,50M 19:00,off"\n')
    monkeypatch.setenv("BLOBMOVE_BLOCK_SIZE", "8MiB")
    assert main(["config", "show", "--json", "--checkpoint", "x.db"]) == 0
    document = json.loads(capsys.readouterr().out)
    found = {(line["command"], line["name"]): (line["value"], line["source"]) for line in document["settings"]}
    assert document["file"] == "blobmove.toml"
    assert found["copy", "max_memory"] == ("2GiB", "blobmove.toml")
    assert found["copy", "bandwidth"] == ("08:00,50M 19:00,off", "blobmove.toml")
    assert found["copy", "block_size"] == ("8MiB", "BLOBMOVE_BLOCK_SIZE")
    assert found["copy", "concurrency"] == ("auto", "default")
    assert found["shared", "checkpoint"] == ("x.db", "flag")
    assert found["shared", "log_format"] == ("text", "blobmove.toml")
    assert found["plan", "source"] == ("", "default")


def test_config_show_refuses_a_bad_value_and_reads_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "show"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("Settings file: none")
    assert "copy max_memory 384MiB default" in " ".join(text.split())
    write('[verify]\nsample = "most"')
    assert main(["config", "show"]) == 2
    assert "--sample" in capsys.readouterr().err
