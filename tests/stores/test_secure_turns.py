"""TLS on the socket itself, over a socket by a script: who reads, who writes, and when a turn ends."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any, cast

import pytest

from blobmove.stores.bodies import Bodies
from blobmove.stores.framing import WireError
from blobmove.stores.secure import RECORD_BYTES, TURN_BYTES, SecureTransport
from blobmove.stores.wire import Connection, room
from tests.stores.scripted import (
    ASK,
    CHUNKED,
    SIZED,
)


class _Plug:
    """A TLS socket by a script: each entry is an error to raise, or what is read or how much is written."""

    def __init__(self) -> None:
        self.reads: list[bytes | Exception] = []
        self.writes: list[Exception] = []
        self.written = b""

    def fileno(self) -> int:
        return 7

    def pending(self) -> int:
        return 0

    def getsockopt(self, level: int, name: int) -> int:
        return 0

    def recv_into(self, into: memoryview) -> int:
        found = self.reads.pop(0) if self.reads else ssl.SSLWantReadError()
        if isinstance(found, Exception):
            raise found
        into[:len(found)] = found
        return len(found)

    def send(self, data: memoryview) -> int:
        if self.writes:
            raise self.writes.pop(0)
        self.written += data
        return len(data)

    def close(self) -> None:
        pass


class _Loop:
    """Which events of the socket are watched."""

    def __init__(self) -> None:
        self.readable: Any = None
        self.writable: Any = None

    def add_reader(self, fd: int, call: Any) -> None:  # noqa: ANN401 - a callback
        self.readable = call

    def add_writer(self, fd: int, call: Any) -> None:  # noqa: ANN401 - a callback
        self.writable = call

    def remove_reader(self, fd: int) -> None:
        self.readable = None

    def remove_writer(self, fd: int) -> None:
        self.writable = None


@pytest.fixture
async def wired() -> tuple[_Plug, _Loop, Connection]:
    plug, watched = _Plug(), _Loop()
    connection = Connection(asyncio.get_running_loop(), room(), Bodies())
    connection.connection_made(SecureTransport(cast(Any, watched), cast(Any, plug), connection))
    return plug, watched, connection


async def test_reading_that_has_to_write_first_goes_on_when_there_is_room(
    wired: tuple[_Plug, _Loop, Connection]
) -> None:
    """New keys are answered by the side that reads (RFC 8446, section 4.6.3)."""
    plug, watched, connection = wired
    asking = asyncio.ensure_future(connection.ask(ASK, None, head_only=False, most=100))
    await asyncio.sleep(0)
    plug.reads = [ssl.SSLWantWriteError(), SIZED]

    watched.readable()
    assert watched.writable is not None
    watched.writable()

    assert (await asyncio.wait_for(asking, 5)).body == b"hello world"
    watched.writable()
    assert watched.writable is None, "nothing waits for room any more"


async def test_writing_that_has_to_read_first_goes_on_when_something_came(
    wired: tuple[_Plug, _Loop, Connection]
) -> None:
    plug, watched, connection = wired
    plug.writes = [ssl.SSLWantReadError()]
    asking = asyncio.ensure_future(connection.ask(ASK, None, head_only=False, most=100))
    await asyncio.sleep(0)
    assert (plug.written, watched.writable) == (b"", None)

    watched.readable()
    assert plug.written == ASK

    plug.reads = [SIZED]
    watched.readable()
    assert (await asking).body == b"hello world"


async def test_what_found_no_room_is_offered_again_as_it_was(wired: tuple[_Plug, _Loop, Connection]) -> None:
    plug, watched, connection = wired
    plug.writes = [ssl.SSLWantWriteError()]
    body = bytes(range(200)) * 1000
    asking = asyncio.ensure_future(connection.ask(ASK, body, head_only=False, most=100))
    await asyncio.sleep(0)
    assert connection.transport.get_write_buffer_size() == len(ASK) + len(body)

    watched.writable()
    assert (plug.written, connection.transport.get_write_buffer_size()) == (ASK + body, 0)
    assert watched.writable is None

    plug.reads = [SIZED]
    watched.readable()
    assert (await asking).status == 206


async def test_what_was_said_counts_although_nobody_takes_the_rest(wired: tuple[_Plug, _Loop, Connection]) -> None:
    """A refusal and its reset came between two turns of the event loop, and writing is what meets them."""
    plug, watched, connection = wired
    plug.writes = [BrokenPipeError()]
    plug.reads = [CHUNKED[:50], CHUNKED[50:], ConnectionResetError()]

    reply = await asyncio.wait_for(connection.ask(ASK, bytes(100_000), head_only=False, most=100), 5)

    assert (reply.status, reply.body) == (200, b"hello world")
    assert (connection.open, watched.readable) == (False, None)


class _Records(_Plug):
    """What comes has no end, in records of this length; OpenSSL holds what has not been taken of one."""

    def __init__(self, head: bytes, length: int) -> None:
        super().__init__()
        self.length = length
        self.held = head
        self.taken = 0

    def pending(self) -> int:
        return len(self.held) if self.taken else 0

    def recv_into(self, into: memoryview) -> int:
        self.held = self.held or bytes(self.length)
        count = min(len(self.held), len(into))
        into[:count], self.held = self.held[:count], self.held[count:]
        self.taken += count
        return count


@pytest.mark.parametrize("length", [1_400, 10_000, RECORD_BYTES])
async def test_a_turn_ends_whatever_the_length_of_the_records(length: int) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 20000000\r\n\r\n"
    plug, watched = _Records(head, length), _Loop()
    connection = Connection(asyncio.get_running_loop(), room(), Bodies())
    connection.connection_made(SecureTransport(cast(Any, watched), cast(Any, plug), connection))
    asking = asyncio.ensure_future(connection.ask(ASK, None, head_only=False, most=1 << 25))
    await asyncio.sleep(0)

    watched.readable()

    assert TURN_BYTES <= plug.taken <= len(head) + TURN_BYTES + RECORD_BYTES
    assert plug.pending() == 0, "the event loop would not know"
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_a_mistake_of_ours_is_not_swallowed(wired: tuple[_Plug, _Loop, Connection]) -> None:
    plug, watched, connection = wired
    asking = asyncio.ensure_future(connection.ask(ASK, None, head_only=False, most=100))
    await asyncio.sleep(0)
    plug.reads = [ZeroDivisionError()]

    with pytest.raises(ZeroDivisionError):
        watched.readable()

    with pytest.raises(WireError):
        await asking
    assert watched.readable is None
