"""The process: `python -m tests.cloud.serve --s3-port 0 --azure-port 0` prints its ports as JSON and serves.

It ends when its standard input ends, so that it never outlives whoever started it; with --stay only on a signal.
With --tls both ports speak TLS, with a certificate of an authority made for this run; its file is told with the ports.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import signal
import ssl
import sys
import tempfile
from pathlib import Path
from typing import Any

import uvloop

from tests.cloud.control_api import ControlApi
from tests.cloud.side import Side
from tests.cloud.wire import Connection


def main() -> None:
    """Parse the command line and serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m tests.cloud.serve", description=__doc__)
    parser.add_argument("--s3-port", type=int, default=0, help="0: any free port")
    parser.add_argument("--azure-port", type=int, default=0, help="0: any free port")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--stay", action="store_true", help="go on when standard input ends")
    parser.add_argument("--tls", action="store_true", help="HTTPS on both ports")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="blobmove-cloud-") as folder:
        uvloop.run(serve(options, Path(folder)))


async def serve(options: argparse.Namespace, folder: Path) -> None:
    """Open both ports, print them, wait for the end. `folder` is where the certificates go."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    api = ControlApi()
    world = api.world
    told, context = _certified(folder) if options.tls else ({}, None)
    servers = [
        await loop.create_server(_factory(side), options.host, port, backlog=1024, ssl=context)
        for side, port in ((world.s3_side, options.s3_port), (world.azure_side, options.azure_port))
    ]
    world.s3_port, world.azure_port = (server.sockets[0].getsockname()[1] for server in servers)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    sys.stdout.write(json.dumps({"s3_port": world.s3_port, "azure_port": world.azure_port, **told}) + "\n")
    sys.stdout.flush()
    if not options.stay:
        loop.add_reader(sys.stdin.fileno(), _look_at_stdin, loop, ended)
    gc.freeze()
    gc.set_threshold(100_000, 20, 1000)  # thousands of blobs live on: looking through them all the time costs a third
    await ended.wait()
    for server in servers:
        server.close()


def _certified(folder: Path) -> tuple[dict[str, str], ssl.SSLContext]:
    """What to tell of the authority, and the server's side of TLS."""
    from tests.servers.certificates import make_certificates

    made = make_certificates(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)
    return {"ca_file": str(made.authority)}, context


def _factory(side: Side) -> Any:  # noqa: ANN401 - a protocol factory
    def make() -> Connection:
        side.most_connections = max(side.most_connections, len(side.connections) + 1)
        return Connection(side, side.connections)

    return make


def _look_at_stdin(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 1024):
        loop.remove_reader(sys.stdin.fileno())
        ended.set()


if __name__ == "__main__":
    main()
