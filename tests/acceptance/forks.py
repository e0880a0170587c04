"""Commands as forks of a process that has imported everything already: real processes, without the start-up.

Most of a short command is Python importing the SDKs. A fork has its own folder, environment, standard streams and
signals, and ends as a process ends; only `python -m blobmove` itself is not run. The tests of the contract, of
interruptions and of start-up type the whole command.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_HEAVY: Final = (
    "blobmove.cli.wiring", "blobmove.cli.doors", "blobmove.cli.planning", "blobmove.cli.flipping",
    "blobmove.operations.copy", "blobmove.operations.verify", "blobmove.engine.large", "blobmove.engine.server_large",
    "blobmove.stores.rails.database", "blobmove.stores.inventory.arrow_rows", "blobmove.views.progress",
    "aiobotocore.session", "aiobotocore.config", "aiobotocore.httpsession", "azure.storage.blob.aio", "pyarrow.orc",
    "sqlite3", "uvloop",
)  # fmt: skip


class Handle(Protocol):
    """What the tests need of a process, as subprocess.Popen has it."""

    pid: int

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, sig: int) -> None: ...
    def kill(self) -> None: ...


class Fork:
    """A command that was forked; its exit code appears in a file when it has ended."""

    def __init__(self, pid: int, code: Path) -> None:
        self.pid = pid
        self._code = code

    def poll(self) -> int | None:
        try:
            return int(self._code.read_text())
        except FileNotFoundError:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired as Popen does."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("blobmove", timeout or 0.0)
            time.sleep(0.005)
        return code

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # ended, and its code is not written yet
                os.kill(self.pid, sig)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Forks:
    """The process that forks. Use as a context manager. `more` are modules it imports beside the usual ones."""

    def __init__(self, *more: str) -> None:
        self._more = more
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Forks:
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.acceptance.forks", *self._more], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2], env=environment, start_new_session=True,
        )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.communicate()

    def start(
        self, words: Sequence[str], *, folder: Path, environment: Mapping[str, str], streams: Sequence[Path]
    ) -> Fork:
        """`blobmove WORDS` in `folder`; `streams` are the files of stdin, stdout and stderr."""
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        code = streams[1].with_suffix(".code")
        order = {"words": list(words), "folder": str(folder), "environment": dict(environment),
                 "streams": [str(path) for path in streams], "code": str(code)}
        self._process.stdin.write(f"{json.dumps(order)}\n")
        self._process.stdin.flush()
        return Fork(int(self._process.stdout.readline()), code)


def main() -> None:
    """Import everything, then fork for each order on stdin until it is closed."""
    from importlib import import_module

    for name in (*_HEAVY, *sys.argv[1:]):
        import_module(name)
    _remember_models()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        if os.fork() == 0:
            _guard(json.loads(line))


def _remember_models() -> None:
    """Read botocore's description of S3 once for all forks: a hundred milliseconds of JSON for each command else."""
    import botocore.session
    from botocore.loaders import Loader

    remembered: dict[Any, Any] = {}
    begin = Loader.__init__

    def begin_knowing(self: Any, *values: Any, **named: Any) -> None:  # noqa: ANN401
        begin(self, *values, **named)
        self._cache = remembered

    Loader.__init__ = begin_knowing
    botocore.session.get_session().create_client(
        "s3", region_name="eu-central-1", aws_access_key_id="none", aws_secret_access_key="none"
    )


def _guard(order: dict[str, Any]) -> None:
    """Fork the command, tell its pid, wait for it, and leave its exit code in a file."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        _become(order)
    os.write(1, f"{pid}\n".encode())
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    draft = Path(f"{order['code']}.draft")
    draft.write_text(str(code))
    draft.rename(order["code"])
    os._exit(0)


def _become(order: dict[str, Any]) -> None:
    from blobmove.cli.app import main as blobmove

    os.setsid()
    for number, (path, flags) in enumerate(zip(order["streams"], _STREAM_FLAGS, strict=True)):
        descriptor = os.open(path, flags)
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - the order's own input from now on
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.argv = ["blobmove", *order["words"]]
    code = blobmove()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # taking all those modules down again would cost more than the command


_STREAM_FLAGS: Final = (os.O_RDONLY, os.O_WRONLY | os.O_APPEND, os.O_WRONLY | os.O_APPEND)


if __name__ == "__main__":
    main()
