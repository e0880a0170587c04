"""Where the files of a report lie: the little that reading one needs, and the local folder that offers it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Protocol

from anyio import to_thread

from blobmove.core.errors import UsageError
from blobmove.core.frozen import frozen


class ReportFiles(Protocol):
    """Where a report lies. Keys are those of the destination bucket, or paths below a local folder."""

    async def list_folders(self, prefix: str) -> list[str]:
        """The folders directly under `prefix` ("" or ending in `/`), each as its whole prefix ending in `/`."""

    async def fetch(self, key: str, path: Path) -> None:
        """Make the content of `key` readable at `path`. Raises FileNotFoundError where there is no such key."""


@frozen
class FolderFiles:
    """ReportFiles of a local folder: keys are paths below `root`."""

    root: Path

    async def list_folders(self, prefix: str) -> list[str]:
        return await to_thread.run_sync(self.folders, prefix)

    async def fetch(self, key: str, path: Path) -> None:
        """Leaves a symbolic link (a copy where there are none): `path` may be deleted, the report stays."""
        await to_thread.run_sync(self._link, key, path)

    def folders(self, prefix: str) -> list[str]:
        """`list_folders`, for who has a thread of his own: it blocks for as long as the file system does."""
        try:
            with os.scandir(self.root / prefix) as entries:
                names = sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
        except OSError:  # not there, or not ours to read: nothing to be found in it
            return []
        return [f"{prefix}{name}/" for name in names]

    def content(self, key: str) -> bytes:
        """The content of `key`, likewise. Raises FileNotFoundError, UsageError E403-INVENTORY if it may not be read."""
        return Path(self._readable(key)).read_bytes()

    def _link(self, key: str, path: Path) -> None:
        source = self._readable(key)
        try:
            path.symlink_to(source)
        except (OSError, NotImplementedError):
            shutil.copyfile(source, path)

    def _readable(self, key: str) -> str:
        root = os.path.abspath(self.root)
        source = os.path.normpath(os.path.join(root, key))
        # A manifest is somebody else's text: its keys must not lead out of the folder.
        if not source.startswith(root.rstrip(os.sep) + os.sep) or not os.path.isfile(source):
            raise FileNotFoundError(source)
        if not os.access(source, os.R_OK):
            raise UsageError("E403-INVENTORY", f"{source} cannot be read", hint=f"chmod u+r {source}")
        return source
