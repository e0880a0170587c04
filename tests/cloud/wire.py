"""HTTP/1.1 on a raw asyncio protocol: parse a request, hand it to a door, write the answer. Nothing of S3 or Azure."""

from __future__ import annotations

import asyncio
import socket
import struct
from functools import lru_cache
from http import HTTPStatus
from typing import Final, Protocol, cast
from urllib.parse import unquote, unquote_plus

from tests.cloud.content import Content, Mod251

_MAX_HEAD: Final = 64 * 1024
_STATUS_LINES: Final = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}" for status in HTTPStatus if status.value >= 200
}
_LINE: Final = ": ".join
SMALL: Final = 512 * 1024
"""Bodies up to this size are written in one go; larger ones stream under back-pressure."""


class Request:
    """One request. `path` is as sent, `key` and `container` as the service decodes them; header names lower case."""

    __slots__ = ("body", "container", "headers", "key", "method", "operation", "params", "path", "query",
                 "repeated")

    def __init__(self, method: str, target: str, headers: dict[str, str]) -> None:
        path, _, query = target.partition("?")
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.repeated: tuple[str, ...] = ()
        self.params = parse_query(query)
        self.body = b""
        self.operation = ""
        self.container = ""
        self.key = ""


class Reply:
    """One answer; `length` is what Content-Length says, also where no body is sent (HEAD)."""

    __slots__ = ("body", "headers", "length", "status")

    def __init__(
        self, status: int, headers: dict[str, str], body: bytes | Content = b"", length: int | None = None
    ) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.length = length if length is not None else body_size(body)


def body_size(body: bytes | Content) -> int:
    return len(body) if isinstance(body, bytes) else body.size


def parse_query(query: str) -> dict[str, str]:
    """Query parameters decoded; the last of a name wins."""
    return dict(map(_parameter, query.split("&"))) if query else {}


@lru_cache(maxsize=4096)
def _parameter(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return unquote_plus(name), unquote_plus(value)


def decode_path(path: str) -> str:
    return unquote(path) if "%" in path else path


def parse_head(head: bytes) -> Request:
    """Raises ValueError for what is not HTTP/1.1."""
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, version = first.split(" ")
    if version != "HTTP/1.1":
        raise ValueError(version)
    headers = dict(map(_header, lines))
    request = Request(method, target, headers)
    if len(headers) < len(lines):
        _join_repeated(request, lines)
    return request


def _join_repeated(request: Request, lines: list[str]) -> None:
    """A header that came several times is one, its values joined by commas."""
    headers: dict[str, str] = {}
    for name, value in map(_header, lines):
        if name in headers:
            request.repeated += (name,)
            value = f"{headers[name]},{value}"
        headers[name] = value
    request.headers = headers


@lru_cache(maxsize=4096)
def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon:
        raise ValueError(line)
    return name.lower(), value.strip()


def render_head(reply: Reply) -> bytes:
    """Status line and headers; values outside ASCII go out as UTF-8, as S3 sends them."""
    lines = map(_LINE, reply.headers.items())
    return "\r\n".join((_STATUS_LINES[reply.status], *lines, f"Content-Length: {reply.length}\r\n\r\n")).encode()


class Door(Protocol):
    """What a connection needs of a side: `Plan` is the side's own note about the request between the two calls."""

    def arrived(self, request: Request) -> object | None: ...

    def refuses_to_read(self, plan: object | None) -> bool: ...

    def at_once(self, request: Request, plan: object | None) -> Reply | None: ...

    async def in_time(self, request: Request, plan: object | None, channel: Connection) -> None: ...


class Connection(asyncio.Protocol):
    """One client connection, one request at a time."""

    def __init__(self, door: Door, connections: set[Connection]) -> None:
        self._door = door
        self._connections = connections
        self._buffer = b""
        self._request: Request | None = None
        self._plan: object | None = None
        self._needed = 0
        self._pieces: list[bytes] = []
        self._gathered = 0
        self._task: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        # A request that has arrived is done also when nobody waits for its answer any more, as at the real services.
        self._connections.discard(self)
        self._writable.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        if self._request is not None:
            self._pieces.append(data)  # a body is joined once, not grown
            self._gathered += len(data)
            if self._gathered < self._needed:
                return
            self._buffer = b"".join(self._pieces)
            self._pieces.clear()
        else:
            self._buffer = self._buffer + data if self._buffer else data
        if self._task is None:
            self._advance()

    def _advance(self) -> None:
        while self._task is None and not self._transport.is_closing():
            if self._request is None and not self._read_head():
                return
            if len(self._buffer) < self._needed:
                self._pieces, self._gathered, self._buffer = [self._buffer], len(self._buffer), b""
                return
            self._answer()

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > _MAX_HEAD:
                self.close()
            return False
        try:
            request = parse_head(self._buffer[:end])
            self._needed = int(request.headers.get("content-length", "0"))
        except ValueError:
            self.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            self.close()
            return False
        self._buffer = self._buffer[end + 4 :]
        self._plan = self._door.arrived(request)
        if self._plan is not None and self._door.refuses_to_read(self._plan):
            self.reset()
            return False
        self._request = request
        if "expect" in request.headers and len(self._buffer) < self._needed:
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    def _answer(self) -> None:
        request, plan = self._request, self._plan
        assert request is not None
        self._request = self._plan = None
        if len(self._buffer) == self._needed:
            request.body, self._buffer = self._buffer, b""
        else:
            request.body, self._buffer = self._buffer[: self._needed], self._buffer[self._needed :]
        reply = self._door.at_once(request, plan)
        if reply is None or reply.length > SMALL:
            self._task = asyncio.get_running_loop().create_task(self._take_time(request, plan, reply))
            return
        self.write(whole(reply, request.method))

    async def _take_time(self, request: Request, plan: object | None, reply: Reply | None) -> None:
        try:
            if reply is None:
                await self._door.in_time(request, plan, self)
            else:
                await self.send(reply, request.method)
        except ConnectionError:
            self.close()
        except Exception:
            self.reset()  # a bug of the cloud: it is logged, and the client does not wait for ever
            raise
        self._task = None
        self._advance()

    async def send(self, reply: Reply, method: str) -> None:
        """The whole answer, a large body in strides as the client takes them."""
        if reply.length <= SMALL or method == "HEAD":
            self.write(whole(reply, method))
            return
        self.write(render_head(reply))
        offset, body = 0, reply.body
        while offset < body_size(body):
            take = min(SMALL, body_size(body) - offset)
            self.write(_stretch(body, offset, take))
            offset += take
            await self.drain()

    def write(self, data: bytes | memoryview) -> None:
        """Raises ConnectionError when the client has gone."""
        if self._transport.is_closing():
            raise ConnectionResetError
        self._transport.write(data)

    async def drain(self) -> None:
        """Wait until the client takes more. Raises ConnectionError when it has gone."""
        await self._writable.wait()
        if self._transport.is_closing():
            raise ConnectionResetError

    def close(self) -> None:
        """FIN after everything written."""
        self._transport.close()

    def reset(self) -> None:
        """RST now: what is written and not sent is lost."""
        if self._transport.is_closing():
            return
        plug = self._transport.get_extra_info("socket")
        if plug is not None:
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()


def _stretch(body: bytes | Content, offset: int, length: int) -> bytes | memoryview:
    if isinstance(body, bytes):
        return body[offset : offset + length]
    return body.view(offset, length) if isinstance(body, Mod251) else body.read(offset, length)


def whole(reply: Reply, method: str) -> bytes:
    """The answer as bytes; HEAD has no body."""
    head = render_head(reply)
    if method == "HEAD" or not reply.length:
        return head
    return head + (reply.body if isinstance(reply.body, bytes) else reply.body.read(0, reply.body.size))
