"""The operator at the terminal: types a command, sees what it prints, looks at its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from blobmove.demo.narrator import Narrator

PROGRAM: Final = (sys.executable, "-m", "blobmove")
_FOREIGN: Final = ("AWS_", "AZURE_", "BLOBMOVE_", "DATABASE_URL")
_COMMAND_SECONDS: Final = 600


class JourneyError(Exception):
    """Raised when a command did not end as its documentation says, so that going on would prove nothing."""


@dataclass(frozen=True, slots=True)
class Terminal:
    """A shell in `workdir` with `exports` set. `program` is what `blobmove` stands for."""

    workdir: Path
    exports: Mapping[str, str]
    narrator: Narrator
    program: tuple[str, ...] = PROGRAM

    def run(self, words: tuple[str, ...], expected: Mapping[int, str]) -> int:
        """Run `blobmove WORDS` before the eyes of the reader; raises JourneyError on a code not in `expected`.

        `expected` maps an exit code to why it is the right one here.
        """
        process = self.start(words)
        try:
            code = process.wait(_COMMAND_SECONDS)
        except BaseException:
            process.kill()
            process.wait()
            raise
        if code not in expected:
            wanted = " or ".join(map(str, expected))
            raise JourneyError(f"`blobmove {words[0]}` ended with exit code {code}, expected {wanted}")
        self.narrator.remark(f"exit code {code}: {expected[code]}")
        return code

    def start(self, words: tuple[str, ...]) -> subprocess.Popen[bytes]:
        """Print the command and start it on this terminal."""
        self.narrator.command(("blobmove", *words))
        return subprocess.Popen([*self.program, *words], cwd=self.workdir, env=self._environment())

    def ask(self, *words: str) -> dict[str, Any] | None:
        """The JSON document a command prints, not shown; None if it could not answer."""
        done = subprocess.run(
            [*self.program, *words, "--json"], cwd=self.workdir, env=self._environment(), capture_output=True,
            timeout=_COMMAND_SECONDS, check=False,
        )
        try:
            document = json.loads(done.stdout)
        except ValueError:
            return None
        return document if isinstance(document, dict) else None

    def _environment(self) -> dict[str, str]:
        """The exports, and nothing that this machine's owner has set for real clouds."""
        mine = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        nowhere = str(self.workdir / "no-such-file")
        return {
            **mine,
            "AWS_CONFIG_FILE": nowhere,
            "AWS_SHARED_CREDENTIALS_FILE": nowhere,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
            "PYTHONUNBUFFERED": "1",
            **self.exports,
        }
