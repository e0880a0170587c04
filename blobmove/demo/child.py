"""A server as a child process: started, asked whether it is ready, stopped with everything it started."""

from __future__ import annotations

import atexit
import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from blobmove.demo.problems import DemoError

if TYPE_CHECKING:
    from collections.abc import Mapping

_LEASH = Path(__file__).with_name("leash.py")
_LOOK_AGAIN_SECONDS = 0.05


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(slots=True, eq=False)
class Server:
    """One server on one loopback port; `kill` and `start` again give an outage on the same address.

    `url` is where clients find it, `port` where it listens, `ready_path` what is asked for until any HTTP answer
    comes. `patience` in seconds. Nothing outlives this process: an atexit hook stops the whole process group, and on
    Linux the kernel ends the server when this process is killed (only if the main thread started it, because
    the kernel watches the starting thread).
    """

    name: str
    url: str
    port: int
    command: tuple[str, ...]
    log: Path
    ready_path: str = "/"
    environment: Mapping[str, str] = field(default_factory=dict)
    patience: float = 60.0
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server and return when it answers a request; raises DemoError if it never does."""
        if self.alive:
            return
        self._refuse_taken_port()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                _leashed(self.command),
                cwd=self.log.parent,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in the terminal is for the demo, not for its servers
            )
        atexit.register(self.stop)
        self._wait_until_ready()

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self.alive else None

    def kill(self) -> None:
        """SIGKILL, as when the machine behind it is gone; what a server kept in memory is lost."""
        self._end(signal.SIGKILL, grace=10.0)

    def stop(self) -> None:
        """SIGTERM to the process group, SIGKILL after five seconds; harmless when it is down already."""
        self._end(signal.SIGTERM, grace=5.0)

    def _end(self, how: signal.Signals, grace: float) -> None:
        process, self._process = self._process, None
        atexit.unregister(self.stop)
        if process is None:
            return
        _signal_group(process.pid, how)
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            _signal_group(process.pid, signal.SIGKILL)
            process.wait()
        _signal_group(process.pid, signal.SIGKILL)  # whatever it started and left behind

    def _refuse_taken_port(self) -> None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", self.port))
            except OSError as error:
                message = f"{self.name} cannot listen on 127.0.0.1:{self.port}: {error.strerror}"
                raise DemoError(message, "give another port, or stop the program that holds this one") from None

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + self.patience
        while not self._answers():
            if not self.alive:
                self._process = None
                raise DemoError(f"{self.name} ended while starting: {self._last_words()}", f"see {self.log}")
            if time.monotonic() > deadline:
                self.stop()
                raise DemoError(f"{self.name} gave no answer for {self.patience:.0f} s", f"see {self.log}")
            time.sleep(_LOOK_AGAIN_SECONDS)

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", self.ready_path)
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        return True

    def _last_words(self) -> str:
        lines = [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        return lines[-1].strip() if lines else "no output"


def _signal_group(pid: int, how: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, how)


def _leashed(command: tuple[str, ...]) -> tuple[str, ...]:
    """The command behind leash.py. The kernel watches the thread that starts it, so only the main one may ask."""
    if threading.current_thread() is not threading.main_thread():
        return command
    return (sys.executable, "-I", "-S", str(_LEASH), str(os.getpid()), *command)
