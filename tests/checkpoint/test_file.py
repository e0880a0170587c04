"""Opening the checkpoint: the right file, the right version, one writer, and every failure in plain words."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from blobmove.checkpoint.file import connect, explained, held, holder
from blobmove.checkpoint.reader import CheckpointReader
from blobmove.checkpoint.schema import APPLICATION_ID, VERSION
from blobmove.checkpoint.writer import CheckpointWriter
from blobmove.core.errors import BlobmoveError, HeldError, RefusedError, UsageError
from blobmove.core.model import ObjectVersion, State
from tests.checkpoint.plans import copied, plan_into, settle

HOLDER = """
import sys
from pathlib import Path
from blobmove.checkpoint.writer import CheckpointWriter
with CheckpointWriter(Path(sys.argv[1]), "copy"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "blobmove.db"


@contextmanager
def another_process(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the checkpoint until it is told to end."""
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        yield child
    finally:
        child.kill()
        child.communicate()


def refused(path: Path, *, write: bool, create: bool = False) -> BlobmoveError:
    with pytest.raises(BlobmoveError) as caught:
        connect(path, write=write, create=create)
    assert caught.value.message
    return caught.value


def test_a_new_checkpoint_is_named_versioned_and_private(path: Path) -> None:
    with closing(connect(path, write=True, create=True)) as db:
        assert db.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert db.execute("PRAGMA user_version").fetchone() == (VERSION,)
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_files_beside_it_are_private_too(path: Path) -> None:
    with CheckpointWriter(path, "plan", create=True) as writer:
        writer.begin_run("p")
        modes = {name.name: stat.S_IMODE(name.stat().st_mode) for name in path.parent.iterdir()}
    assert set(modes) == {"blobmove.db", "blobmove.db-wal", "blobmove.db-shm", "blobmove.db-lock"}
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize("write", [False, True])
def test_a_missing_file_is_not_made_by_looking_for_it(path: Path, write: bool) -> None:
    error = refused(path, write=write)
    assert isinstance(error, UsageError)
    assert error.code == "E404-CHECKPOINT"
    assert "blobmove plan" in (error.hint or "")
    assert not path.exists()


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize("content", [b"A letter, no database at all." * 40, b"SQLite format 3\x00" + b"\xff" * 4096])
def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path, content: bytes, write: bool) -> None:
    path.write_bytes(content)
    error = refused(path, write=write, create=write)
    assert isinstance(error, RefusedError)
    assert error.code == "E422-CHECKPOINT"
    assert path.read_bytes() == content


@pytest.mark.parametrize("write", [False, True])
def test_another_applications_database_is_refused_and_left_alone(path: Path, write: bool) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE customer (name TEXT)")
    before = path.read_bytes()
    error = refused(path, write=write, create=write)
    assert isinstance(error, RefusedError)
    assert error.code == "E422-CHECKPOINT"
    assert path.read_bytes() == before
    assert [name.name for name in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("write", [False, True])
def test_a_newer_version_is_refused_and_left_alone(path: Path, write: bool) -> None:
    connect(path, write=True, create=True).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    before = path.read_bytes()
    error = refused(path, write=write, create=write)
    assert isinstance(error, RefusedError)
    assert error.code == "E426-CHECKPOINT"
    assert f"format {VERSION + 1}" in error.message
    assert path.read_bytes() == before


MAKER = """
import os, signal, sys
from pathlib import Path
from blobmove.checkpoint import file
create = file._create
statements = int(sys.argv[2])
def count(sql):
    global statements
    statements -= 1
    if statements == 0:
        os.kill(os.getpid(), signal.SIGKILL)
def killed_in_the_midst(connection):
    connection.set_trace_callback(count)
    create(connection)
file._create = killed_in_the_midst
file.connect(Path(sys.argv[1]), write=True, create=True).close()
"""


@pytest.mark.parametrize("statement", [1, 2, 8, 14])
def test_a_plan_killed_while_it_makes_the_checkpoint_leaves_a_whole_one_or_none(path: Path, statement: int) -> None:
    done = subprocess.run([sys.executable, "-c", MAKER, str(path), str(statement)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert not path.exists()
    with closing(connect(path, write=True, create=True)) as db:
        assert db.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    assert [left.name for left in path.parent.iterdir() if "-new" in left.name] == []


def test_a_file_of_no_bytes_is_taken_for_a_new_one(path: Path) -> None:
    path.touch()
    with closing(connect(path, write=True, create=True)) as db:
        assert db.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)


def test_a_file_of_no_bytes_is_no_checkpoint_for_a_reader(path: Path) -> None:
    path.touch()
    assert refused(path, write=False).code == "E404-PLAN"


def test_a_damaged_checkpoint_is_told_when_it_is_read(path: Path) -> None:
    plan_into(path, [ObjectVersion(f"key-{number}", number) for number in range(2000)])
    content = bytearray(path.read_bytes())
    content[8192:-4096] = b"\xa5" * (len(content) - 12288)
    path.write_bytes(content)
    with pytest.raises(RefusedError) as caught, CheckpointReader(path) as reader:
        reader.pending(-1, 5000)
    assert caught.value.code == "E422-CHECKPOINT"


def test_a_read_only_file_can_be_read_but_not_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(path, write=True, create=True).close()
    path.chmod(0o400)
    # Root may write everything, so the question to the system is answered here.
    monkeypatch.setattr(os, "access", lambda _path, mode: not mode & os.W_OK)
    assert refused(path, write=True).code == "E403-CHECKPOINT"
    connect(path, write=False).close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o500)
    with pytest.raises(UsageError) as caught, CheckpointWriter(folder / "blobmove.db", "plan", create=True):
        pass
    assert caught.value.code == "E403-CHECKPOINT"


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught, held(tmp_path / "none" / "blobmove.db", "plan"):
        pass
    assert caught.value.code == "E403-CHECKPOINT"
    assert refused(tmp_path / "none" / "blobmove.db", write=True, create=True).code == "E500-CHECKPOINT"


def test_a_folder_in_place_of_the_file_is_told(tmp_path: Path) -> None:
    assert refused(tmp_path, write=False).code == "E403-CHECKPOINT"


@pytest.mark.parametrize(("name", "code", "kind"), [
    ("SQLITE_FULL", "E507-DISK", UsageError),
    ("SQLITE_IOERR_WRITE", "E507-DISK", UsageError),
    ("SQLITE_BUSY", "E423-CHECKPOINT", HeldError),
    ("SQLITE_LOCKED", "E423-CHECKPOINT", HeldError),
    ("SQLITE_READONLY_DIRECTORY", "E403-CHECKPOINT", UsageError),
    ("SQLITE_CORRUPT_INDEX", "E422-CHECKPOINT", RefusedError),
])
def test_each_trouble_of_sqlite_has_a_code(path: Path, name: str, code: str, kind: type[BlobmoveError]) -> None:
    error = sqlite3.OperationalError("some words of SQLite")
    error.sqlite_errorname = name
    with pytest.raises(kind) as caught, explained(path):
        raise error
    assert caught.value.code == code
    assert caught.value.cause == f"{name}: some words of SQLite"


def test_a_mistake_of_ours_is_not_dressed_up(path: Path) -> None:
    db = connect(path, write=True, create=True)
    with closing(db), pytest.raises(sqlite3.OperationalError), explained(path):
        db.execute("SELECT nonsense FROM nowhere")


def test_a_full_disk_is_told_and_nothing_recorded_is_lost(path: Path) -> None:
    plan_into(path, [ObjectVersion("a", 10)])
    with CheckpointWriter(path, "copy") as writer:
        (pages,) = writer.db.execute("PRAGMA page_count").fetchone()
        writer.db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(UsageError) as caught, writer.transaction() as db:
            db.execute("UPDATE object_row SET detail = ?", ("x" * 100_000,))
        assert caught.value.code == "E507-DISK"
        writer.settle([copied("a")])
    with CheckpointReader(path) as reader:
        assert reader.totals().objects[State.COPIED] == 1


def test_a_reader_works_while_another_writes(path: Path) -> None:
    plan_into(path, [ObjectVersion("a", 10), ObjectVersion("b", 10)])
    with CheckpointWriter(path, "copy") as writer, CheckpointReader(path) as reader:
        with writer.transaction() as db:
            db.execute("DELETE FROM object_row")
            assert len(reader.pending(-1, 10)) == 2
            db.execute("ROLLBACK")
            db.execute("BEGIN")
        writer.settle([copied("a")])
        assert reader.totals().objects[State.COPIED] == 1


def test_a_reader_cannot_write(path: Path) -> None:
    plan_into(path, [ObjectVersion("a", 10)])
    with CheckpointReader(path) as reader, pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.db.execute("DELETE FROM object_row")


def test_a_second_writer_is_told_who_holds_the_checkpoint(path: Path) -> None:
    connect(path, write=True, create=True).close()
    assert holder(path) is None
    with another_process(path) as child:
        with pytest.raises(HeldError) as caught, CheckpointWriter(path, "flip-service"):
            pass
        assert caught.value.exit_code == 11
        assert caught.value.cause == f"copy (pid {child.pid})" == holder(path)
        assert "blobmove status" in (caught.value.hint or "")


def test_a_killed_holder_holds_nothing(path: Path) -> None:
    connect(path, write=True, create=True).close()
    with another_process(path) as child:
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert holder(path) is None
        with CheckpointWriter(path, "copy"):
            assert holder(path) == f"copy (pid {os.getpid()})"
    assert holder(path) is None


def test_a_checkpoint_that_was_never_held_has_no_holder(path: Path) -> None:
    assert holder(path) is None


def test_a_failed_opening_frees_the_checkpoint(path: Path) -> None:
    path.write_bytes(b"no database" * 100)
    with pytest.raises(RefusedError), CheckpointWriter(path, "copy"):
        pass
    with held(path, "copy"):
        pass


def test_a_transaction_that_fails_leaves_nothing(path: Path) -> None:
    plan_into(path, [ObjectVersion("a", 10)])
    with CheckpointWriter(path, "copy") as writer:
        with contextlib.suppress(KeyboardInterrupt), writer.transaction() as db:
            db.execute("DELETE FROM object_row")
            raise KeyboardInterrupt
        assert writer.db.execute("SELECT count(*) FROM object").fetchone() == (1,)
    settle(path, copied("a"))
