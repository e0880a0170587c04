"""What `doctor` finds on this machine: whose checkpoint it is, who may read and who holds it, and what it stands on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from blobmove.checkpoint.writer import CheckpointWriter
from blobmove.core.diagnosis import ROOM_AN_OBJECT, Finding, Level
from blobmove.core.errors import RefusedError
from blobmove.core.model import Destination, ObjectVersion, Source
from blobmove.operations.doctor_here import examine, open_files, surroundings
from tests.checkpoint.plans import E1, copied, plan_into, settle

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

OURS = Source("acme"), Destination("https://acme.blob.core.windows.net", "files")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "blobmove.db"
    plan_into(path, [ObjectVersion("a", 10, E1), ObjectVersion("b", 10, E1)])
    settle(path, copied("a"))
    return path


def by_check(findings: Iterable[Finding]) -> dict[str, Finding]:
    return {finding.check: finding for finding in findings}


def test_a_checkpoint_says_whose_it_is_and_how_far(path: Path) -> None:
    found = by_check(examine(path, *OURS))
    assert list(found) == ["file"]
    assert found["file"].figures == {"planned": 2, "pending": 1}
    assert "s3://acme to https://acme.blob.core.windows.net/files" in found["file"].text


def test_one_that_is_not_there_yet_is_no_fault(tmp_path: Path) -> None:
    (found,) = examine(tmp_path / "none.db", *OURS)
    assert found.level is Level.ABSENT


def test_one_of_another_migration_and_one_that_others_may_read_are_told(path: Path) -> None:
    path.chmod(0o640)
    found = by_check(examine(path, Source("acme", "other/"), OURS[1]))
    assert found["ends"].cause == "asked was s3://acme/other/"
    assert (found["mode"].level, found["mode"].hint) == (Level.WARNING, f"chmod 600 {path}")


def test_whoever_holds_it_is_named(path: Path) -> None:
    with CheckpointWriter(path, "copy"):
        found = by_check(examine(path, None, None))
    assert f"copy (pid {os.getpid()})" in found["lock"].text


def test_a_file_that_is_no_checkpoint_is_an_error_of_the_look(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("milk, bread, butter, and whatever else is needed " * 40)
    path.chmod(0o600)
    with pytest.raises(RefusedError):
        list(examine(path, None, None))
    assert by_check(surroundings(path))["disk"].figures["needed_bytes"] > 0, "the machine is looked at all the same"


def test_the_room_that_is_needed_is_that_of_the_plan(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blobmove.core.diagnosis.ROOM_AT_LEAST", 0)
    assert by_check(surroundings(path))["disk"].figures["needed_bytes"] == 2 * ROOM_AN_OBJECT


def test_a_folder_that_is_not_there_is_told_with_the_command_that_makes_it(tmp_path: Path) -> None:
    found = by_check(surroundings(tmp_path / "night" / "blobmove.db"))
    assert (found["disk"].level, found["disk"].hint) == (Level.FAILURE, f"mkdir -p {tmp_path / 'night'}")


@pytest.mark.parametrize(("cores", "memory", "text"), [
    (2, 1 << 20, "2 cores, 1 MiB of memory,"), (1, None, "1 core,"),
])
def test_the_machine_is_what_may_be_used_of_it(
    cores: int, memory: int | None, text: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blobmove.stores.machine.cores", lambda: cores)
    monkeypatch.setattr("blobmove.stores.machine.memory", lambda: memory)
    found = by_check(surroundings(path))["system"]
    assert found.figures == {"cores": cores, "memory_bytes": memory or 0}
    assert text in found.text


def test_what_is_told_of_a_file_that_is_no_checkpoint_is_told_before_the_error(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("milk, bread, butter, and whatever else is needed " * 40)
    path.chmod(0o644)
    told: list[Finding] = []
    with pytest.raises(RefusedError):
        told.extend(examine(path, None, None))
    assert [finding.check for finding in told] == ["mode"]


def test_open_files_are_counted_up_to_the_hard_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (256, 4096))
    assert open_files() == 4096
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (256, resource.RLIM_INFINITY))
    assert open_files() is None
