"""One local worker: `python -m blobmove.cluster.process`, told by a line of JSON; it ends when its standard input does.

The keys of the run's own TLS come on standard input, never as arguments or files. A session of its own keeps the
terminal's Ctrl-C away: the coordinator drains its workers itself.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

import anyio


def main() -> None:
    """Read the line and work until the end."""
    told = json.loads(sys.stdin.readline())
    anyio.run(_work, told, backend_options={"use_uvloop": os.name == "posix"})


async def _work(told: dict[str, Any]) -> None:
    import logging

    from distributed import Security, Worker

    from blobmove.cluster.dask_settings import require_dask

    require_dask()
    for name in ("distributed", "tornado"):
        logging.getLogger(name).handlers = [logging.NullHandler()]
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin.fileno(), _look_at_stdin)
    worker = Worker(
        told["scheduler"], nthreads=told["threads"], name=told["name"], memory_limit=0, host="127.0.0.1",
        security=Security(**told["security"]), dashboard=False, dashboard_address="127.0.0.1:0",
        local_directory=told["folder"],
    )
    async with worker:
        await worker.finished()


def _look_at_stdin() -> None:
    """The coordinator has ended, or been killed: nothing that is under way can be recorded any more."""
    if not os.read(sys.stdin.fileno(), 1024):
        os._exit(0)


if __name__ == "__main__":
    main()
