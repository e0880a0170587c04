"""A cluster on this machine: the scheduler in this process, each worker in one of its own that is started again."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import anyio
from anyio.abc import Process
from distributed import Scheduler, Security

from blobmove.core.events import Listener, Note

THREADS: Final = 2
"""Batches at once in a worker: while the last objects of one end, the next has begun."""

_AGAIN_SECONDS: Final = 1.0
_STARTING_SECONDS: Final = 60.0
_ENDING_SECONDS: Final = 3.0


@dataclass(slots=True)
class LocalCluster:
    """`address` and `security` are what a client needs."""

    number: int
    listener: Listener
    security: Security = field(default_factory=Security.temporary)
    address: str = ""
    _scheduler: Scheduler | None = None
    _folder: str = ""
    _ending: bool = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[LocalCluster]:
        """The scheduler and its workers, until the end of the body. TLS with keys of its own: other users stay out."""
        with tempfile.TemporaryDirectory(prefix="blobmove-workers-", ignore_cleanup_errors=True) as self._folder:
            async with Scheduler(
                host="127.0.0.1", port=0, protocol="tls", security=self.security, dashboard=False,
                dashboard_address="127.0.0.1:0",
            ) as self._scheduler:
                self.address = self._scheduler.address
                async with anyio.create_task_group() as tasks:
                    for number in range(self.number):
                        tasks.start_soon(self._keep, number)
                    try:
                        yield self
                    finally:
                        self._ending = True
                        tasks.cancel_scope.cancel()

    async def _keep(self, number: int) -> None:
        """Keep one worker running: who dies is started again."""
        pause = _AGAIN_SECONDS
        while not self._ending:
            code = await self._one(f"worker-{number + 1}")
            self.listener(Note(f"worker-{number + 1} has ended ({_word(code)}); another one is started"))
            await anyio.sleep(pause)
            pause = min(30.0, 2 * pause)

    async def _one(self, name: str) -> int | None:
        async with await anyio.open_process(
            [sys.executable, "-m", "blobmove.cluster.process"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        ) as process:
            try:
                if process.stdin is not None:
                    with suppress(anyio.BrokenResourceError):
                        await process.stdin.send(self._told(name))
                return await self._until_ended(process, name)
            finally:
                with anyio.CancelScope(shield=True):
                    await _end(process)

    async def _until_ended(self, process: Process, name: str) -> int | None:
        """Wait for its end; one that the scheduler has given up, or never saw, is killed: it may be stopped."""
        seen, missing = False, 0.0
        while process.returncode is None:
            with anyio.move_on_after(1.0):
                await process.wait()
            there = self._scheduler is not None and name in self._scheduler.aliases
            seen = seen or there
            missing = 0.0 if there else missing + 1.0
            if missing > (5.0 if seen else _STARTING_SECONDS):
                process.kill()
        return process.returncode

    def _told(self, name: str) -> bytes:
        keys = self.security
        told: dict[str, Any] = {
            "scheduler": self.address, "threads": THREADS, "name": name, "folder": self._folder,
            "security": {"require_encryption": True, "tls_ca_file": keys.tls_ca_file,
                         "tls_worker_cert": keys.tls_worker_cert, "tls_worker_key": keys.tls_worker_key},
        }
        return json.dumps(told).encode() + b"\n"


async def _end(process: Process) -> None:
    """Its standard input ends, and so does it; who does not is killed."""
    if process.stdin is not None:
        await process.stdin.aclose()
    with anyio.move_on_after(_ENDING_SECONDS):
        await process.wait()
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _word(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
