"""Opening the checkpoint file: the right file, the right version, one writing process, errors in plain words."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from blobmove.checkpoint.schema import APPLICATION_ID, SCHEMA, VERSION
from blobmove.core.errors import HeldError, RefusedError, UsageError

_CACHE_KIB: Final = {True: 32 * 1024, False: 16 * 1024}
"""Pages kept in memory by who writes and who reads. Both walk in the order of the rows: more would not be used."""
_LOG_BYTES: Final = 64 * 1024 * 1024
"""To this size the write-ahead log is cut once it was larger (a plan is one transaction) and is begun anew."""


def connect(path: Path, *, write: bool, create: bool = False) -> sqlite3.Connection:
    """Open the checkpoint, autocommit, WAL, every commit synced to the disk.

    Readers get a read-only connection and may work while another process writes. Raises UsageError (no file, no
    permission, full disk) and RefusedError (not a checkpoint, damaged, or written by a newer blobmove).
    """
    if not path.exists() and not create:
        raise UsageError("E404-CHECKPOINT", f"there is no checkpoint {path}",
                         hint="make one with `blobmove plan`, or name the right file with --checkpoint")
    if write and path.exists() and not os.access(path, os.W_OK):
        raise UsageError("E403-CHECKPOINT", f"the checkpoint {path} cannot be written",
                         hint="check its owner and permissions, or work on a copy with --checkpoint")
    if path.is_dir():
        raise UsageError("E403-CHECKPOINT", f"{path} is a folder, not a checkpoint",
                         hint="name a file in it with --checkpoint")
    with explained(path):
        return _opened(path, write, create)


def _opened(path: Path, write: bool, create: bool) -> sqlite3.Connection:
    if create and not path.exists():
        _make(path)
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode={'rw' if write else 'ro'}",
        uri=True, isolation_level=None, timeout=30, check_same_thread=False,
    )
    try:
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB[write]}")
        if create and _is_empty(connection):
            _create(connection)
        _check(connection, path)
        if write:  # not before the check: the journal mode is written into the file, whosever it is
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
            connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def _make(path: Path) -> None:
    """A checkpoint without a plan, made under another name: whoever is killed meanwhile leaves a whole one or none.

    On a full disk nothing is left either: half a file would be taken for somebody else's.
    """
    draft = path.with_name(f"{path.name}-new")
    _remove_draft(draft)
    try:
        draft.touch(mode=0o600)
        with contextlib.closing(sqlite3.connect(draft, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = FULL")
            _create(connection)
        draft.rename(path)
    finally:
        _remove_draft(draft)


def _remove_draft(draft: Path) -> None:
    for ending in ("", "-journal"):
        draft.with_name(draft.name + ending).unlink(missing_ok=True)


def _is_empty(connection: sqlite3.Connection) -> bool:
    """Whether this is a file of no bytes, which somebody has put there."""
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    return bool(tables == 0 and application == 0)


def _create(connection: sqlite3.Connection) -> None:
    connection.executescript(
        f"BEGIN; {SCHEMA}; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}; COMMIT;"
    )


def _check(connection: sqlite3.Connection, path: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application == 0 and _is_empty(connection):
        raise UsageError("E404-PLAN", f"{path} holds no complete plan", hint="run `blobmove plan`")
    if application != APPLICATION_ID:
        raise RefusedError("E422-CHECKPOINT", f"{path} is not a checkpoint of blobmove",
                           hint="name another file with --checkpoint")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise RefusedError("E426-CHECKPOINT", f"{path} was written by a newer blobmove (format {version})",
                           cause=f"this one reads formats up to {VERSION}", hint="use the newer version to go on")


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn SQLite's and the system's errors into the operator's words."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise in_words(error, path) from None
    except OSError as error:
        raise UsageError("E500-CHECKPOINT", f"the checkpoint {path} cannot be used", cause=error.strerror,
                         hint="check the disk and the folder it lies in") from None


def in_words(error: sqlite3.DatabaseError, path: Path) -> Exception:
    """What SQLite complains about, in the operator's words; the error itself where it is a bug of ours."""
    name = getattr(error, "sqlite_errorname", "")
    cause = f"{name}: {error}" if name else str(error)
    if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
        return RefusedError("E422-CHECKPOINT", f"the checkpoint {path} is damaged or not one", cause=cause,
                            hint="keep a copy of it; then plan again into another file with --checkpoint")
    if name.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
        return UsageError("E507-DISK", f"the disk with {path} is full or failing", cause=cause,
                          hint="free some space, then run the same command again: nothing recorded is lost")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return HeldError("E423-CHECKPOINT", f"the checkpoint {path} is held by another process", cause=cause)
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return UsageError("E403-CHECKPOINT", f"the checkpoint {path} cannot be opened", cause=cause,
                          hint="check its owner and permissions, and those of its folder")
    return error


@contextlib.contextmanager
def held(path: Path, command: str) -> Iterator[None]:
    """Hold the checkpoint for one writing command; the system frees it when the process ends, however it ends.

    Raises HeldError (exit 11) naming the process that holds it.
    """
    handle = _open_lock(path)
    try:
        while (locked := _locked(handle)) and not _is_there(handle, lock_path(path)):
            os.close(handle)  # who held it before has removed the file: this lock would be on nothing
            handle = _open_lock(path)
        if not locked:
            holder = os.pread(handle, 200, 0).decode("utf-8", "replace").strip()
            raise HeldError("E423-CHECKPOINT", f"another process holds {path}", cause=holder or None,
                            hint="wait for it or stop it; `blobmove status` shows how far it is")
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{command} (pid {os.getpid()})".encode(), 0)
        yield
    finally:
        os.close(handle)


def _open_lock(path: Path) -> int:
    try:
        return os.open(lock_path(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UsageError("E403-CHECKPOINT", f"the folder of {path} cannot be written", cause=error.strerror,
                         hint="check the folder's owner and permissions, or name another with --checkpoint") from None


def _is_there(handle: int, lock: Path) -> bool:
    """Whether the open file is the one that the name stands for now."""
    try:
        return os.path.samestat(os.fstat(handle), lock.stat())
    except FileNotFoundError:
        return False


def _locked(handle: int) -> bool:
    """Lock it, with a few short tries: `status` touches the lock for a moment to see whether it is held."""
    for attempt in range(5):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.02 * attempt)
        else:
            return True
    return False


def holder(path: Path) -> str | None:
    """The command and pid that hold the checkpoint now, or None."""
    try:
        handle = os.open(lock_path(path), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(handle, 200, 0).decode("utf-8", "replace").strip() or "unknown"
    else:
        return None
    finally:
        os.close(handle)


def lock_path(path: Path) -> Path:
    return path.with_name(path.name + "-lock")
