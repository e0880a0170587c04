"""The demo says in one sentence what it cannot work with, before it starts anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from blobmove.demo import run

if TYPE_CHECKING:
    from pathlib import Path


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "precious").touch()
    assert run.main(workdir=tmp_path) == 2
    assert "is not empty" in capsys.readouterr().err
    assert [entry.name for entry in tmp_path.iterdir()] == ["precious"]


def test_too_few_objects_for_a_kill_in_the_middle_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(objects=3) == 2
    assert "3 objects are too few" in capsys.readouterr().err


def test_an_unknown_inventory_format_is_refused_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(inventory_format="xml") == 2
    assert "parquet, orc, csv" in capsys.readouterr().err


def test_missing_emulators_are_named_with_what_installs_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "_NEEDED", ("boto3", "no_such_emulator"))
    assert run.main() == 2
    assert "not installed: no no_such_emulator" in (told := capsys.readouterr().err)
    assert "pip install 'blobmove[demo]'" in told
