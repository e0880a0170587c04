"""The commands as a user types them: processes with a clean environment, whose every word is searched for secrets."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from blobmove.demo.servers import AZURITE_KEY, connection_string

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.acceptance.forks import Forks, Handle

AWS_SECRET: Final = "Zk3vQ7mN1pX9/acceptance+secret"
"""moto checks no signature: any secret will do, so this is one that is easily found where it must not be."""

SECONDS: Final = 180.0
"""After this long a command that was to end counts as stuck."""

_SIGNATURE: Final = re.compile(rb"(?:\bsig|X-Amz-Signature|X-Amz-Security-Token)(?:=|%3D)(?!REDACTED)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Run:
    """A command that has ended: its exit code and what it wrote."""

    words: tuple[str, ...]
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """stdout as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def document(self) -> dict[str, Any]:
        """The last JSON line of stdout."""
        return self.lines[-1]

    @property
    def summary(self) -> dict[str, Any]:
        """The summary of a `copy --json`, which an error may follow."""
        return next(line for line in reversed(self.lines) if line["type"] == "summary")


@dataclass(slots=True)
class Terminal:
    """Somebody in front of an empty folder. `secrets` are texts that must not turn up anywhere in it.

    With `forks` a command is forked off a process that has imported everything; else `python -m blobmove` is typed.
    """

    folder: Path
    environment: dict[str, str]
    forks: Forks | None = None
    secrets: list[str] = field(default_factory=lambda: [AWS_SECRET, AZURITE_KEY])
    _started: int = 0

    def run(
        self, *words: str, expect: int | None = 0, stdin: str = "", env: Mapping[str, str | None] | None = None,
        launcher: tuple[str, ...] = (),
    ) -> Run:
        """Type `blobmove WORDS` and wait for its end; the exit code must be `expect` (None: any).

        `env` changes the environment (None: without this variable); `launcher` is what starts Python.
        """
        process = self.start(*words, stdin=stdin, env=env, launcher=launcher)
        return process.ended(expect)

    def start(
        self, *words: str, stdin: str = "", env: Mapping[str, str | None] | None = None,
        launcher: tuple[str, ...] = (),
    ) -> Process:
        """Type `blobmove WORDS` and do not wait."""
        environment = {**self.environment, **(env or {})}
        self._started += 1
        outputs = self.folder.parent / f"{self.folder.name}-output"
        outputs.mkdir(exist_ok=True)
        files = [outputs / f"{self._started}.{name}" for name in ("in", "out", "err")]
        for path, content in zip(files, (stdin, "", ""), strict=True):
            path.write_text(content)
        around = {name: value for name, value in environment.items() if value is not None}
        if self.forks is not None and not launcher:
            handle: Handle = self.forks.start(words, folder=self.folder, environment=around, streams=files)
        else:
            handle = self._whole((*launcher, sys.executable, "-m", "blobmove", *words), around, files)
        return Process(words, handle, files[1], files[2], self)

    def _whole(self, command: tuple[str, ...], environment: Mapping[str, str], files: list[Path]) -> Handle:
        with files[0].open("rb") as given, files[1].open("wb") as out, files[2].open("wb") as err:
            return subprocess.Popen(
                command, cwd=self.folder, stdin=given, stdout=out, stderr=err, env=environment, start_new_session=True
            )

    def assert_no_secrets(self, *texts: str) -> None:
        """Neither these texts nor any file in the folder holds a secret or a traceback."""
        contents = {"output": "\n".join(texts).encode()}
        for path in self.folder.rglob("*"):
            if path.is_file() and os.access(path, os.R_OK):
                contents[str(path.relative_to(self.folder))] = path.read_bytes()
        crashes = [name for name in contents if name.startswith("blobmove-crash")]
        assert not crashes, contents[crashes[0]].decode()
        for name, content in contents.items():
            assert b"Traceback" not in content, f"a traceback in {name}:\n{content.decode(errors='replace')}"
            assert _SIGNATURE.search(content) is None, f"a signature in {name}"
            for secret in self.secrets:
                for form in (secret, quote(secret, safe="")):
                    assert form.encode() not in content, f"a secret in {name}"


@dataclass(slots=True)
class Process:
    """A command that runs."""

    words: tuple[str, ...]
    handle: Handle
    out: Path
    err: Path
    terminal: Terminal

    def signal(self, number: signal.Signals) -> None:
        self.handle.send_signal(number)

    def written(self) -> str:
        """What it has said on stderr so far."""
        return self.err.read_text(errors="replace")

    def ended(self, expect: int | None = 0) -> Run:
        """Wait for the end and check it: exit code, no secret, no traceback."""
        try:
            code = self.handle.wait(SECONDS)
        except subprocess.TimeoutExpired:
            self.handle.kill()
            self.handle.wait()
            raise AssertionError(f"blobmove {' '.join(self.words)} did not end:\n{self.written()}") from None
        run = Run(self.words, code, self.out.read_text(errors="replace"), self.written())
        told = f"blobmove {' '.join(self.words)} ended with {code}, not {expect}:\n{run.out[-3000:]}\n{run.err[-3000:]}"
        assert expect is None or code == expect, told
        self.terminal.assert_no_secrets(run.out, run.err)
        return run

    def killed(self) -> Run:
        """kill -9, and what it had said until then."""
        self.handle.kill()
        return self.ended(-signal.SIGKILL)

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until the condition holds; fails when the command ends before, or after SECONDS."""
        deadline = time.monotonic() + SECONDS
        while not condition():
            ended = self.handle.poll() is not None
            if ended or time.monotonic() > deadline:
                self.handle.kill()
                self.handle.wait()
                raise AssertionError(f"{what}: not before the command ended\n{self.written()}")
            time.sleep(0.01)


def clean_environment(folder: Path, s3_url: str, azure_url: str) -> dict[str, str]:
    """Only what is needed: where the two servers are, and how to be let in."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL_S3": s3_url,
        "AWS_ACCESS_KEY_ID": "AKIAACCEPTANCE",
        "AWS_SECRET_ACCESS_KEY": AWS_SECRET,
        "AWS_REGION": "eu-central-1",
        "AZURE_STORAGE_CONNECTION_STRING": connection_string(azure_url),
    }
