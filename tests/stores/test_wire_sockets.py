"""One connection on real sockets: answers, ends, resets and refusals as they come over a wire."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import pytest

from blobmove.stores.bodies import Bodies
from blobmove.stores.framing import Answer, CutShort, WireError
from blobmove.stores.wire import Connection, room
from tests.stores.scripted import (
    ASK,
    CHUNKED,
    ENDLESS,
    LOOPS,
    MOST,
    SIZED,
    Peer,
    Script,
    always,
    no_complaints,
    once,
    serving,
)


@pytest.fixture(scope="module", params=LOOPS, ids=["uvloop", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:  # noqa: ANN401 - as anyio has it
    return request.param


@pytest.fixture
async def opened() -> AsyncIterator[Callable[[int], Any]]:
    made: list[Connection] = []

    async def open_one(port: int) -> Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: Connection(loop, room(), Bodies()), "127.0.0.1", port)
        made.append(connection)
        return connection

    async with no_complaints():
        yield open_one
        for connection in made:
            connection.abort()
        await asyncio.sleep(0)


async def _one(script: Script, opened: Callable[[int], Any], body: bytes | None = None) -> Answer:
    async with serving(script) as server:
        connection = await opened(server.port)
        head = b"PUT / HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % len(body) if body else ASK
        return cast(Answer, await connection.ask(head, body, head_only=False, most=MOST))


async def test_one_connection_carries_many_requests(opened: Callable[[int], Any]) -> None:
    async with serving(always(SIZED)) as server:
        connection = await opened(server.port)
        for _ in range(20):
            reply = await connection.ask(ASK, None, head_only=False, most=MOST)
            assert bytes(reply.body) == b"hello world"
            assert connection.reusable()

    assert server.connections == 1


async def test_a_body_that_ends_with_the_connection(opened: Callable[[int], Any]) -> None:
    assert (await _one(once(ENDLESS + b"!" * 100_000), opened)).body == b"hello world" + b"!" * 100_000


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 2", SIZED[:-1], CHUNKED[:-2]])
@pytest.mark.parametrize("reset", [True, False])
async def test_an_end_within_the_answer(answer: bytes, reset: bool, opened: Callable[[int], Any]) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer)
        if reset:
            peer.reset()

    with pytest.raises(WireError, match=r"\((closed by the other side|ConnectionResetError)\)"):
        await _one(script, opened)


async def test_a_reset_within_a_body_that_ends_with_the_connection_is_no_end(opened: Callable[[int], Any]) -> None:
    got = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(ENDLESS)
        await got.wait()
        peer.reset()

    async with serving(script) as server:
        connection = await opened(server.port)
        asking = asyncio.ensure_future(connection.ask(ASK, None, head_only=False, most=MOST))
        while connection.heard_at == 0 or connection._tail is None:  # noqa: ASYNC110 - it has come when it has come
            await asyncio.sleep(0)
        got.set()
        with pytest.raises(CutShort):
            await asking


@pytest.mark.parametrize("reset", [True, False])
async def test_a_refusal_before_the_body_was_read_is_heard(reset: bool, opened: Callable[[int], Any]) -> None:
    """S3 and Azure answer 403, 409 and 503 early and close: the answer counts, not that the rest could not go."""

    async def script(peer: Peer) -> None:
        plug: socket.socket = peer.writer.get_extra_info("socket")
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await peer.reader.readuntil(b"\r\n\r\n")
        cast(Any, peer.writer.transport).pause_reading()
        await peer.send(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 6\r\nconnection: close\r\n\r\nnot so")
        if reset:
            peer.reset()

    reply = await _one(script, opened, bytes(32 * 1024 * 1024))

    assert (reply.status, reply.body) == (403, b"not so")


async def test_a_refusal_is_heard_of_a_peer_that_takes_nothing_more(opened: Callable[[int], Any]) -> None:
    """It neither reads the rest nor closes the connection."""
    heard = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        cast(Any, peer.writer.transport).pause_reading()
        await peer.send(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 6\r\n\r\nnot so")
        await heard.wait()

    reply = await asyncio.wait_for(_one(script, opened, bytes(32 * 1024 * 1024)), 10)

    assert (reply.status, reply.body) == (403, b"not so")


async def test_a_peer_that_closes_its_side_without_an_answer_is_not_waited_for(opened: Callable[[int], Any]) -> None:
    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        cast(Any, peer.writer.transport).pause_reading()
        peer.writer.write_eof()
        await asyncio.Event().wait()

    with pytest.raises(WireError, match="closed by the other side"):
        await _one(script, opened, bytes(32 * 1024 * 1024))


async def test_a_large_body_goes_and_comes_whole(opened: Callable[[int], Any]) -> None:
    body = bytes(range(251)) * 40_000

    async def script(peer: Peer) -> None:
        _, came = await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(came) + came)

    assert (await _one(script, opened, body)).body == body
