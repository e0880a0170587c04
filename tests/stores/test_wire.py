"""One connection: the same answer however it is cut, an end to everything that is none, and nothing left behind."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blobmove.stores.bodies import Bodies
from blobmove.stores.framing import Answer, CutShort, TooLong, WireError
from blobmove.stores.wire import PIECE_BYTES, ROOM_BYTES, Connection, room
from tests.stores.scripted import ASK, CHUNKED, ENDLESS, LOOPS, MOST, OK, SIZED, no_complaints


@pytest.fixture(scope="module", params=LOOPS, ids=["uvloop", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:  # noqa: ANN401 - as anyio has it
    return request.param


class FakeTransport(asyncio.Transport):
    """Keeps what is written; `limit` bytes of it at most before it asks to wait."""

    def __init__(self, limit: int = 1 << 62) -> None:
        super().__init__()
        self.written = b""
        self.unsent = 0
        self.aborted = False
        self.limit = limit
        self.connection: Connection

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)
        if len(self.written) >= self.limit:
            self.unsent = len(data)
            self.connection.pause_writing()

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def abort(self) -> None:
        self.aborted = True


def _connection(limit: int = 1 << 62) -> tuple[Connection, FakeTransport]:
    connection, transport = Connection(asyncio.get_running_loop(), room(), Bodies()), FakeTransport(limit)
    transport.connection = connection
    connection.connection_made(transport)
    return connection, transport


def _feed(connection: Connection, data: bytes) -> None:
    """What the event loop does, also where there is more than fits at once."""
    while data and connection.open:
        buffer = connection.get_buffer(-1)
        assert len(buffer) > 0
        size = min(len(buffer), len(data))
        buffer[:size] = data[:size]
        connection.buffer_updated(size)
        data = data[size:]


async def _told(
    pieces: list[bytes], *, most: int = MOST, head_only: bool = False, eof: bool = False
) -> tuple[Answer, Connection]:
    connection, _ = _connection()
    asking = asyncio.ensure_future(connection.ask(ASK, None, head_only=head_only, most=most))
    await asyncio.sleep(0)
    for piece in pieces:
        _feed(connection, piece)
    if eof:
        connection.eof_received()
    return await asking, connection


def _cut(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(cut % len(data) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(edges)]


@given(
    st.sampled_from([b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 3]),
    st.sampled_from([CHUNKED, SIZED, ENDLESS]), st.lists(st.integers(0, 400), max_size=8), st.booleans(),
)
def test_an_answer_cut_anywhere_is_the_same(before: bytes, answer: bytes, cuts: list[int], single: bool) -> None:
    whole = before + answer
    pieces = [whole[at:at + 1] for at in range(len(whole))] if single else _cut(whole, cuts)

    reply, _ = asyncio.run(_told(pieces, eof=answer is ENDLESS))

    assert (reply.status, bytes(reply.body)) == (206 if answer is SIZED else 200, b"hello world")
    assert "link" not in reply.headers


@given(st.sampled_from([CHUNKED, SIZED]), st.integers(0, 400))
def test_an_end_anywhere_within_an_answer_is_told(answer: bytes, cut: int) -> None:
    shortened = answer[:cut % len(answer)]
    head = answer.index(b"\r\n\r\n") + 4

    with pytest.raises(CutShort if len(shortened) >= head else WireError) as caught:
        asyncio.run(_told([shortened], eof=True))
    assert isinstance(caught.value, CutShort) is (len(shortened) >= head)


@pytest.mark.parametrize("size", [
    0, 1, ROOM_BYTES - 40, ROOM_BYTES - 39, ROOM_BYTES - 1, ROOM_BYTES, ROOM_BYTES + 1, 3 * ROOM_BYTES, 5_000_001,
])
async def test_bodies_of_every_size_arrive(size: int) -> None:
    body = bytes(range(251)) * (size // 251 + 1)
    answer = f"HTTP/1.1 200 OK\r\ncontent-length: {size}\r\n\r\n".encode() + body[:size]

    reply, connection = await _told([answer])

    assert reply.body == body[:size]
    assert connection.reusable()


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
])
async def test_an_answer_without_a_body_ends_with_its_head(answer: bytes) -> None:
    reply, connection = await _told([answer])

    assert reply.body == b""
    assert connection.reusable()


async def test_the_answer_to_head_has_no_body_but_may_name_its_length() -> None:
    reply, connection = await _told([b"HTTP/1.1 200 OK\r\ncontent-length: 1099511627776\r\n\r\n"], head_only=True)

    assert (reply.body, reply.headers["content-length"]) == (b"", "1099511627776")
    assert connection.reusable()


@pytest.mark.parametrize("answer", [OK, CHUNKED, b"HTTP/1.1 204 No Content\r\n\r\n"])
@pytest.mark.parametrize("together", [True, False])
async def test_after_bytes_that_nobody_asked_for_the_connection_is_closed(answer: bytes, together: bool) -> None:
    pieces = [answer + b"HTTP/1.1 200 OK\r\n"] if together else [answer, b"H"]

    reply, connection = await _told(pieces)

    assert reply.status in (200, 204)
    assert not connection.open
    assert not connection.reusable()


async def test_bytes_on_an_idle_connection_close_it() -> None:
    _, connection = await _told([OK])
    assert connection.reusable()

    _feed(connection, b"HTTP/1.1 408 Request Timeout\r\n\r\n")

    assert not connection.open


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nfolded: a\r\n b\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 20_000, b"x" * 70_000,
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnope\r\n",
    b"220 smtp.example.com ESMTP\r\n\r\n",
])
async def test_what_is_not_plain_http_ends_the_connection(answer: bytes) -> None:
    with pytest.raises(WireError):
        await _told([answer])


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 200 OK\r\ncontent-length: 1099511627776\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 101\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffff\r\n", b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 101,
])
async def test_a_body_longer_than_asked_for_is_not_taken(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bodies, "take", lambda _self, length: pytest.fail(f"{length} bytes of memory"))
    with pytest.raises(TooLong):
        await _told([answer], most=100)


# going out


async def test_a_body_goes_out_after_its_head() -> None:
    connection, transport = _connection()
    asking = asyncio.ensure_future(connection.ask(b"head|", b"body", head_only=False, most=MOST))
    await asyncio.sleep(0)
    _feed(connection, OK)
    await asking

    assert transport.written == b"head|body"


async def test_a_large_body_waits_until_there_is_room() -> None:
    connection, transport = _connection(limit=PIECE_BYTES)
    body = bytes(3 * PIECE_BYTES)
    asking = asyncio.ensure_future(connection.ask(b"", body, head_only=False, most=MOST))
    await asyncio.sleep(0)
    assert len(transport.written) == PIECE_BYTES

    while len(transport.written) < len(body):
        connection.resume_writing()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    connection.resume_writing()
    transport.unsent = 0
    await asyncio.sleep(0)
    _feed(connection, OK)
    await asking

    assert connection.reusable()


async def test_an_answer_before_the_end_of_the_request_is_taken_and_the_connection_not_used_again() -> None:
    connection, transport = _connection(limit=PIECE_BYTES)
    asking = asyncio.ensure_future(connection.ask(b"", bytes(3 * PIECE_BYTES), head_only=False, most=MOST))
    await asyncio.sleep(0)
    _feed(connection, OK)
    transport.unsent = 0  # as with TLS, which shows only its own part
    connection.resume_writing()
    reply = await asking

    assert reply.body == b"ok"
    assert len(transport.written) == PIECE_BYTES
    assert not connection.reusable()


async def test_an_answer_while_the_request_is_still_on_its_way_is_the_last() -> None:
    connection, transport = _connection()
    asking = asyncio.ensure_future(connection.ask(b"head", b"body", head_only=False, most=MOST))
    await asyncio.sleep(0)
    transport.unsent = 3
    _feed(connection, OK)

    assert (await asking).body == b"ok"
    assert not connection.reusable()


@pytest.mark.parametrize("size", [10, 3 * PIECE_BYTES])
async def test_a_cancelled_request_closes_its_connection_and_complains_to_nobody(size: int) -> None:
    async with no_complaints():
        connection, transport = _connection(limit=PIECE_BYTES)
        asking = asyncio.ensure_future(connection.ask(b"", bytes(size), head_only=False, most=MOST))
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait([asking])

        assert asking.cancelled()
        assert transport.aborted
        del asking


async def test_a_failure_seen_by_nobody_complains_to_nobody() -> None:
    async with no_complaints():
        connection, _ = _connection(limit=PIECE_BYTES)
        asking = asyncio.ensure_future(connection.ask(b"", bytes(3 * PIECE_BYTES), head_only=False, most=MOST))
        await asyncio.sleep(0)
        connection.connection_lost(ConnectionResetError())
        asking.cancel()
        await asyncio.wait([asking])
        del asking, connection


async def test_sending_is_not_silence() -> None:
    connection, transport = _connection()
    asking = asyncio.ensure_future(connection.ask(b"x", b"x", head_only=False, most=MOST))
    await asyncio.sleep(0)
    transport.unsent = 100
    connection.look(1e9)
    assert connection.heard_at == 1e9
    connection.look(2e9)
    assert connection.heard_at == 1e9  # nothing went
    transport.unsent = 0
    connection.look(3e9)
    assert connection.heard_at == 3e9  # the silence begins when all has gone
    connection.look(4e9)
    assert connection.heard_at == 3e9
    connection.abort()
    with pytest.raises(WireError):
        await asking
