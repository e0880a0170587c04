"""Servers that do to every connection what a test says, byte by byte, on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import re
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from blobmove.stores.framing import Answer, Body
from blobmove.stores.pool import Pool

LOOPS = [("asyncio", {"use_uvloop": True}), ("asyncio", {"use_uvloop": False})]
"""What `anyio_backend` is parametrised with: the fast event loop, and the one of Windows' kind."""

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
ASK = b"GET / HTTP/1.1\r\n\r\n"
CHUNKED = (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
           b"5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nTrailer: x\r\n\r\n")
SIZED = b"HTTP/1.1 206 Partial Content\r\nETag: \"e\"\r\nContent-Length: 11\r\n\r\nhello world"
ENDLESS = b"HTTP/1.1 200 OK\r\nX: y\r\n\r\nhello world"
MOST = 64 * 1024 * 1024
"""Bytes of a body that are taken."""


@dataclass
class Peer:
    """One connection as the server sees it; `number` counts from 1."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    number: int

    async def request(self) -> tuple[bytes, bytes]:
        """The head and the body of the next request."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        return head, await self.reader.readexactly(int(length.group(1)) if length else 0)

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        """RST instead of FIN."""
        plug = self.writer.get_extra_info("socket")
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def upgrade(self, context: ssl.SSLContext) -> None:
        """Speak TLS from here on."""
        await self.writer.start_tls(context)


Script = Callable[[Peer], Awaitable[None]]


@dataclass
class Served:
    """A running server: where, and what it has seen."""

    port: int
    connections: int = 0
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def secure(self) -> str:
        return f"https://127.0.0.1:{self.port}"


@asynccontextmanager
async def serving(
    script: Script, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[Served]:
    """Run `script` for each connection. When it returns the connection is closed."""
    served = Served(0)

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        served.tasks.add(task)
        task.add_done_callback(served.tasks.discard)
        served.connections += 1
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await script(Peer(reader, writer, served.connections))
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            writer.close()

    server = await asyncio.start_server(meet, host, 0, ssl=tls)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        server.close()
        for task in list(served.tasks):
            task.cancel()
        if served.tasks:
            await asyncio.wait(list(served.tasks))


def always(answer: bytes) -> Script:
    """Answer every request with these bytes."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(answer)

    return script


def once(answer: bytes) -> Script:
    """Answer one request with these bytes, and close."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer)

    return script


@asynccontextmanager
async def no_complaints() -> AsyncIterator[None]:
    """Nothing may reach the event loop's exception handler: no lost exception, no unclosed transport."""
    heard: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: heard.append(context))
    try:
        yield
        await asyncio.sleep(0)
        gc.collect()
        await asyncio.sleep(0)
    finally:
        loop.set_exception_handler(None)
    assert heard == [], heard


async def ask(
    pool: Pool, origin: str, head: bytes = ASK, body: Body | None = None, *, seconds: float = 60, late: bool = False
) -> Answer:
    """One request through a pool."""
    return await pool.ask(origin, head, body, seconds=seconds, head_only=False, late=late, most=MOST)
