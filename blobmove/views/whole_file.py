"""A file that appears complete or not at all: written beside its place and moved there at the end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def complete_or_nothing(path: Path) -> Iterator[Path]:
    """Yields the path to write to. What was at `path` is replaced at the end; on an error it stays as it was."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield draft
        draft.replace(path)
    finally:
        with suppress(FileNotFoundError):
            draft.unlink()
