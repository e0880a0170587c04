"""The front door of a cloud that can be killed without the data behind it: `python -m tests.crash.relay PORT:TO ...`.

The simulated cloud keeps everything in memory, as moto does; a service whose front ends die does not lose its data.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

_ROOT = Path(__file__).resolve().parents[2]


class Relay:
    """Passes connections on from ports of its own, which stay the same when it is killed and started again."""

    def __init__(self, *targets: int) -> None:
        self._targets = targets
        self.ports: tuple[int, ...] = tuple(0 for _ in targets)
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Listen; returns when it does."""
        pairs = [f"{port}:{target}" for port, target in zip(self.ports, self._targets, strict=True)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.relay", *pairs], cwd=_ROOT, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        self.ports = tuple(int(word) for word in self._process.stdout.readline().split())
        assert len(self.ports) == len(self._targets), "the relay did not start"

    def kill(self) -> None:
        """kill -9: every connection breaks, new ones are refused."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


async def _serve(pairs: list[tuple[int, int]]) -> None:
    servers = [await asyncio.start_server(_passer(target), "127.0.0.1", port) for port, target in pairs]
    sys.stdout.write(" ".join(str(server.sockets[0].getsockname()[1]) for server in servers) + "\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)  # ends with whoever started it


def _passer(target: int) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection("127.0.0.1", target)
        with contextlib.suppress(OSError):
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_copy(reader, forth))
                tasks.create_task(_copy(back, writer))

    return pass_on


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


if __name__ == "__main__":
    uvloop.run(_serve([(int(a), int(b)) for a, _, b in (word.partition(":") for word in sys.argv[1:])]))
