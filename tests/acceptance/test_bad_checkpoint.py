"""A checkpoint that is not ours, too new, damaged, read-only, or on a full disk: refused, and kept as it is."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.acceptance import handicap
from tests.acceptance.checkpoint_file import dump, states
from tests.acceptance.refusals import refused
from tests.acceptance.world import World, noise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.servers, pytest.mark.acceptance]

COMMANDS = {
    "plan": ("plan", "--list"),
    "copy": ("copy", "--resume"),
    "verify": ("verify",),
    "status": ("status",),
    "report": ("report", "--objects", "objects.csv"),
    "flip-service": ("flip-service", "--to", "azure", "--dry-run"),
}


@pytest.fixture(scope="module")
def planned(shared_world: World) -> World:
    """A plan of three objects, nothing copied yet, and a database."""
    keys = shared_world.put_many(3)
    app = shared_world.database()
    for key in keys:
        app.add(key, noise(key, 100))
    shared_world.plan()
    return shared_world


def handicapped(how: str) -> tuple[str, ...]:
    return (sys.executable, str(Path(handicap.__file__)), how)


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "plan"])
def test_without_a_checkpoint_every_command_says_how_to_make_one(planned: World, command: str) -> None:
    error = refused(planned, *COMMANDS[command], "--checkpoint", "other.db", code="E404-CHECKPOINT", exit_code=2)
    assert "other.db" in error["message"]
    assert "blobmove plan" in error["hint"]
    assert not (planned.desk / "other.db").exists()


def test_the_checkpoint_of_another_migration_is_refused_with_both_shown(planned: World) -> None:
    error = refused(planned, "plan", "--source", "s3://another-bucket", "--list", code="E409-CHECKPOINT", exit_code=3)
    assert planned.source in error["cause"]
    assert "s3://another-bucket" in error["cause"]
    refused(planned, "plan", "--destination", f"{planned.azure_url}/another", "--list", code="E409-CHECKPOINT",
            exit_code=3)


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")


def first_page_overwritten(path: Path) -> None:
    path.write_bytes(noise("damage", 5000) + path.read_bytes()[5000:])


def tables_overwritten(path: Path) -> None:
    """The first page is well, the rest is noise: it opens, and then does not read."""
    content = path.read_bytes()
    path.write_bytes(content[:4096] + noise("damage", len(content) - 4096))


def cut_in_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def text(path: Path) -> None:
    path.write_text("this is not a database\n" * 300)


def somebody_elses_database(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE users (id INTEGER)")


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (newer, "E426-CHECKPOINT"),
        (first_page_overwritten, "E422-CHECKPOINT"),
        (tables_overwritten, "E422-CHECKPOINT"),
        (cut_in_half, "E422-CHECKPOINT"),
        (text, "E422-CHECKPOINT"),
        (somebody_elses_database, "E422-CHECKPOINT"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_by_every_command_and_not_touched(
    planned: World, tmp_path: Path, damage: Callable[[Path], None], code: str
) -> None:
    path = tmp_path / "damaged.db"
    path.write_bytes(planned.checkpoint.read_bytes())
    damage(path)
    before = path.read_bytes()
    for words in COMMANDS.values():
        refused(planned, *words, "--checkpoint", str(path), code=code, exit_code=3)
    assert path.read_bytes() == before


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_read_only_checkpoint_is_refused_and_not_touched(planned: World, tmp_path: Path, what: str) -> None:
    folder = tmp_path / "read-only"
    folder.mkdir()
    path = folder / "blobmove.db"
    path.write_bytes(planned.checkpoint.read_bytes())
    path.chmod(0o444)
    if what == "folder":
        folder.chmod(0o555)
    before = path.read_bytes()
    for command in ("plan", "copy", "verify"):
        error = refused(planned, *COMMANDS[command], "--checkpoint", str(path), code="E403-CHECKPOINT", exit_code=2,
                        launcher=handicapped("no-override"))
        assert str(path) in error["message"]
    assert path.read_bytes() == before


def test_a_checkpoint_that_may_only_be_read_can_still_be_asked(planned: World, tmp_path: Path) -> None:
    path = tmp_path / "blobmove.db"
    path.write_bytes(planned.checkpoint.read_bytes())
    path.chmod(0o444)
    words = ("--checkpoint", str(path))
    status = planned.run("status", "--json", *words, launcher=handicapped("no-override"))
    assert status.document["outcomes"]["pending"] == 3
    planned.run("report", "--objects", "objects.csv", *words, launcher=handicapped("no-override"))


def test_a_folder_that_cannot_be_written_refuses_the_first_plan(planned: World, tmp_path: Path) -> None:
    folder = tmp_path / "read-only"
    folder.mkdir()
    folder.chmod(0o555)
    refused(planned, "plan", "--source", planned.source, "--destination", planned.destination, "--list",
            "--checkpoint", str(folder / "new.db"), code="E403-CHECKPOINT", exit_code=2,
            launcher=handicapped("no-override"))
    assert list(folder.iterdir()) == []


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one mebibyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder))
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root may mount a disk of its own; the limited file shows the same")
    yield folder
    subprocess.run(("umount", str(folder)), check=True)


def test_a_disk_that_is_full_during_a_copy_stops_it_and_nothing_recorded_is_lost(
    world: World, tiny_disk: Path
) -> None:
    keys = world.put_many(30)
    checkpoint = ("--checkpoint", str(tiny_disk / "blobmove.db"))
    world.plan(*checkpoint)
    filler = tiny_disk / "filler"
    _fill(filler)
    run = world.run("copy", "--resume", "--json", *checkpoint, expect=2)
    assert run.document["code"] == "E507-DISK"
    assert "df -h" in run.document["hint"] or "space" in run.document["hint"]
    filler.unlink()
    assert states(tiny_disk / "blobmove.db") == {"pending": 30}
    summary = world.copy(*checkpoint)
    outcomes = summary["outcomes"]
    assert outcomes["copied"] + outcomes["present"] == summary["planned"] == 30
    world.assert_moved(keys[0], keys[-1])


def test_a_disk_that_is_full_during_a_plan_keeps_the_plan_before(world: World, tiny_disk: Path) -> None:
    world.put_many(3)
    checkpoint = ("--checkpoint", str(tiny_disk / "blobmove.db"))
    world.plan(*checkpoint)
    before = dump(tiny_disk / "blobmove.db")
    many = world.desk.parent / "keys.txt"
    many.write_text("".join(f"files/that/do/not/exist/{number:09d}.pdf\n" for number in range(20_000)))
    run = world.run("plan", "--keys", str(many), "--json", *checkpoint, expect=2)
    assert run.document["code"] == "E507-DISK"
    left = {path.name for path in tiny_disk.iterdir() if path.stat().st_size > 32768}
    assert left == {"blobmove.db"}, "what was gathered no longer fills the disk"
    assert dump(tiny_disk / "blobmove.db") == before
    assert world.copy(*checkpoint)["outcomes"]["copied"] == 3


def test_a_file_that_may_not_grow_is_reported_like_a_full_disk(world: World) -> None:
    world.put_many(30)
    world.plan()
    limit = handicapped(str(world.checkpoint.stat().st_size))
    run = world.run("copy", "--resume", "--json", expect=None, launcher=limit)
    many = world.desk.parent / "keys.txt"
    many.write_text("".join(f"files/that/do/not/exist/{number:09d}.pdf\n" for number in range(3_000)))
    refused(world, "plan", "--keys", str(many), code="E507-DISK", exit_code=2, launcher=limit)
    told = world.run("status", "--json").document
    assert told["planned"] == sum(told["outcomes"].values()) == 30
    assert run.code in (0, 2), run.err
    assert run.code == 0 or run.document["code"] == "E507-DISK"


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return
