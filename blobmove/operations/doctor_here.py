"""What `doctor` looks at on this machine: the checkpoint, the disk it lies on, how many files may be open."""

from __future__ import annotations

import os
import platform
import shutil
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from blobmove import __version__
from blobmove.checkpoint.file import holder
from blobmove.checkpoint.reader import CheckpointReader
from blobmove.core.diagnosis import Area, Finding, Level, disk, handles
from blobmove.core.errors import BlobmoveError
from blobmove.core.model import State
from blobmove.core.units import format_bytes, format_count
from blobmove.operations.doctor import Look, Tell, aside

if TYPE_CHECKING:
    from blobmove.core.model import Destination, Source

CONTAINER_MEMORY: Final = Path("/sys/fs/cgroup/memory.max")


def looks_at(checkpoint: Path, source: Source | None, destination: Destination | None) -> list[Look]:
    """The checkpoint, and the machine around it; both may lie on a file system that hangs."""

    async def memory(tell: Tell) -> None:
        for finding in await aside(lambda: examine(checkpoint, source, destination)):
            tell(finding)

    async def machine(tell: Tell) -> None:
        for finding in await aside(lambda: surroundings(checkpoint)):
            tell(finding)

    return [Look(Area.CHECKPOINT, "file", memory), Look(Area.MACHINE, "machine", machine)]


def examine(path: Path, source: Source | None, destination: Destination | None) -> list[Finding]:
    """Whose checkpoint it is and how far; raises what keeps it from being read."""
    if not path.exists():
        return [Finding(Area.CHECKPOINT, "file", Level.ABSENT, f"no {path} yet: the first plan makes it",
                        hint="blobmove plan")]
    found = [*_mode(path)]
    with CheckpointReader(path) as reader:
        setup, totals = reader.setup(), reader.totals()
        left = totals.objects[State.PENDING]
        text = (f"plan {setup.plan} of {setup.planned_at}, {setup.source} to {setup.destination}: "
                f"{format_count(totals.planned)} objects, {format_count(left)} still to do")
        found.insert(0, Finding(Area.CHECKPOINT, "file", Level.OK, text,
                                figures={"planned": totals.planned, "pending": left}))
    asked = [str(end) for end in (source, destination) if end is not None and str(end) not in
             (setup.source, setup.destination)]
    if asked:
        found.append(Finding(Area.CHECKPOINT, "ends", Level.FAILURE, f"{path} belongs to another migration",
                             f"asked was {', '.join(asked)}", "name another file with --checkpoint",
                             "E409-CHECKPOINT", 3))
    busy = holder(path)
    if busy:
        found.append(Finding(Area.CHECKPOINT, "lock", Level.WARNING, f"held by another process: {busy}",
                             "other commands that write will end with exit code 11", "blobmove status"))
    return found


def _mode(path: Path) -> list[Finding]:
    """It names every file of the company: nobody else should read it."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if not mode & 0o077:
        return []
    return [Finding(Area.CHECKPOINT, "mode", Level.WARNING, f"others may open {path} ({mode:04o})",
                    "it names every file of the bucket", f"chmod 600 {path}")]


def surroundings(path: Path) -> list[Finding]:
    """The machine itself, room on the disk, open files."""
    folder = path.resolve().parent
    cores, memory = os.cpu_count() or 1, _memory()
    text = f"blobmove {__version__}, Python {platform.python_version()}, {cores} core{'s' if cores > 1 else ''}"
    if memory:
        text += f", {format_bytes(memory)} of memory"
    figures = {"cores": cores, "memory_bytes": memory}
    found = [Finding(Area.MACHINE, "system", Level.OK, f"{text}, {sys.platform}", figures=figures)]
    if not folder.is_dir():
        return [*found, Finding(Area.MACHINE, "disk", Level.FAILURE, f"there is no folder {folder}",
                                hint=f"mkdir -p {folder}", code="E403-CHECKPOINT", exit_code=2)]
    if not os.access(folder, os.W_OK):
        found.append(Finding(Area.MACHINE, "folder", Level.FAILURE, f"{folder} cannot be written",
                             "the checkpoint and what a plan gathers lie there",
                             "check owner and permissions, or name a file elsewhere with --checkpoint",
                             "E403-CHECKPOINT", 2))
    return [*found, disk(str(folder), shutil.disk_usage(folder).free, _planned(path)), handles(open_files())]


def _planned(path: Path) -> int:
    try:
        with CheckpointReader(path) as reader:
            return reader.totals().planned
    except BlobmoveError:  # told by the other look
        return 0


def _memory() -> int:
    """Bytes of the machine, or of the container where that has less; 0 where it cannot be told."""
    try:
        whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError, AttributeError):
        return 0
    try:
        limit = CONTAINER_MEMORY.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return whole
    return min(whole, int(limit)) if limit.isdecimal() else whole


def open_files() -> int | None:
    """How many files may be open once the process has raised its own limit as far as it may; None: no limit."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return None
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if hard == resource.RLIM_INFINITY else hard
