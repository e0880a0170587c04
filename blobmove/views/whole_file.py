"""A file that appears complete or not at all: written beside its place and moved there at the end."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PRIVATE = 0o600
"""The mode of a new file: what is written here names every file of a bucket."""


@contextmanager
def complete_or_nothing(path: Path) -> Iterator[Path]:
    """Yields the path to write to. What was at `path` is replaced at the end; on an error it stays as it was.

    A new file is for its owner only, one that is replaced keeps its mode; a link goes on pointing to its file. The
    bytes are on the disk before the name is. Raises OSError, which names `path`.
    """
    place = path.resolve()
    with _named(path, place):
        draft = _draft(place)
    try:
        with _named(path, draft):
            yield draft
            _sync(draft)
            draft.chmod(_mode(place))
            draft.replace(place)
    finally:
        with suppress(FileNotFoundError):
            draft.unlink()


def check_writable(path: Path) -> None:
    """Make the draft and remove it again: the only answer that holds. Raises OSError, which names `path`."""
    place = path.resolve()
    with _named(path, place):
        _draft(place).unlink()


def _draft(place: Path) -> Path:
    """A new empty file that nobody else can have made or may read."""
    handle, name = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
    os.close(handle)
    return Path(name)


def _mode(place: Path) -> int:
    try:
        return stat.S_IMODE(place.stat().st_mode)
    except FileNotFoundError:
        return PRIVATE


def _sync(draft: Path) -> None:
    handle = os.open(draft, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _named(path: Path, other: Path) -> Iterator[None]:
    """The operator has typed `path`: an error that names the draft, or another file in its folder, names that."""
    try:
        yield
    except OSError as error:
        if error.filename is not None and Path(os.fsdecode(error.filename)).parent == other.parent:
            error.filename, error.filename2 = str(path), None
        raise
