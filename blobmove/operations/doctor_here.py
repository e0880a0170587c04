"""What `doctor` looks at on this machine: the checkpoint, the disk it lies on, how many files may be open."""

from __future__ import annotations

import os
import platform
import shutil
import stat
import sys
from typing import TYPE_CHECKING

from blobmove import __version__
from blobmove.checkpoint.file import holder
from blobmove.checkpoint.reader import CheckpointReader
from blobmove.core.diagnosis import Area, Finding, Level, disk, handles
from blobmove.core.errors import BlobmoveError
from blobmove.core.model import State
from blobmove.core.units import format_bytes, format_count
from blobmove.operations.doctor import Look, Tell, tell_aside
from blobmove.stores import machine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from blobmove.core.model import Destination, Source


def looks_at(checkpoint: Path, source: Source | None, destination: Destination | None) -> list[Look]:
    """The checkpoint, and the machine around it; both may lie on a file system that hangs."""

    async def memory(tell: Tell) -> None:
        await tell_aside(lambda: examine(checkpoint, source, destination), tell)

    async def around(tell: Tell) -> None:
        await tell_aside(lambda: surroundings(checkpoint), tell)

    return [Look(Area.CHECKPOINT, "file", memory), Look(Area.MACHINE, "machine", around)]


def examine(path: Path, source: Source | None, destination: Destination | None) -> Iterator[Finding]:
    """Whose checkpoint it is and how far; raises what keeps it from being read."""
    if not path.exists():
        yield Finding(Area.CHECKPOINT, "file", Level.ABSENT, f"no {path} yet: the first plan makes it",
                      hint="blobmove plan")
        return
    yield from _mode(path)
    with CheckpointReader(path) as reader:
        setup, totals = reader.setup(), reader.totals()
        left = totals.objects[State.PENDING]
        text = (f"plan {setup.plan} of {setup.planned_at}, {setup.source} to {setup.destination}: "
                f"{format_count(totals.planned)} objects, {format_count(left)} still to do")
    yield Finding(Area.CHECKPOINT, "file", Level.OK, text, figures={"planned": totals.planned, "pending": left})
    asked = [str(end) for end in (source, destination) if end is not None and str(end) not in
             (setup.source, setup.destination)]
    if asked:
        yield Finding(Area.CHECKPOINT, "ends", Level.FAILURE, f"{path} belongs to another migration",
                      f"asked was {', '.join(asked)}", "name another file with --checkpoint", "E409-CHECKPOINT", 3)
    busy = holder(path)
    if busy:
        yield Finding(Area.CHECKPOINT, "lock", Level.WARNING, f"held by another process: {busy}",
                      "other commands that write will end with exit code 11", "blobmove status")


def _mode(path: Path) -> list[Finding]:
    """It names every file of the company: nobody else should read it."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if not mode & 0o077:
        return []
    return [Finding(Area.CHECKPOINT, "mode", Level.WARNING, f"others may open {path} ({mode:04o})",
                    "it names every file of the bucket", f"chmod 600 {path}")]


def surroundings(path: Path) -> Iterator[Finding]:
    """The machine itself, room on the disk, open files."""
    cores, memory = machine.cores(), machine.memory()
    text = f"blobmove {__version__}, Python {platform.python_version()}, {cores} core{'s' if cores > 1 else ''}"
    if memory:
        text += f", {format_bytes(memory)} of memory"
    figures = {"cores": cores, "memory_bytes": memory or 0}
    yield Finding(Area.MACHINE, "system", Level.OK, f"{text}, {sys.platform}", figures=figures)
    folder = path.resolve().parent
    if not folder.is_dir():
        yield Finding(Area.MACHINE, "disk", Level.FAILURE, f"there is no folder {folder}", hint=f"mkdir -p {folder}",
                      code="E403-CHECKPOINT", exit_code=2)
        return
    if not os.access(folder, os.W_OK):
        yield Finding(Area.MACHINE, "folder", Level.FAILURE, f"{folder} cannot be written",
                      "the checkpoint and what a plan gathers lie there",
                      "check owner and permissions, or name a file elsewhere with --checkpoint", "E403-CHECKPOINT", 2)
    yield disk(str(folder), shutil.disk_usage(folder).free, _planned(path))
    yield handles(open_files())


def _planned(path: Path) -> int:
    try:
        with CheckpointReader(path) as reader:
            return reader.totals().planned
    except BlobmoveError:  # told by the other look
        return 0


def open_files() -> int | None:
    """How many files may be open once the process has raised its own limit as far as it may; None: no limit."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return None
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if hard == resource.RLIM_INFINITY else hard
