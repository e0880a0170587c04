"""TLS on the socket itself: records cut anywhere, ends with and without a farewell, keys renewed, slow readers."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import ssl
import struct
import threading
import warnings
import weakref
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from blobmove.stores import secure
from blobmove.stores.bodies import Bodies
from blobmove.stores.framing import Answer, Body, CutShort
from blobmove.stores.pool import CannotConnect, Pool
from blobmove.stores.secure import RECORD_BYTES, SLICE_BYTES, TURN_BYTES
from blobmove.stores.trust import trusted
from blobmove.stores.wire import PIECE_BYTES, Connection, room
from tests.servers.certificates import make_certificates
from tests.stores.scripted import (
    CHUNKED,
    ENDLESS,
    LOOPS,
    OK,
    SIZED,
    Peer,
    always,
    ask,
    no_complaints,
    once,
    serving,
)

pytestmark = pytest.mark.usefixtures("no_proxies")


@pytest.fixture(scope="module", params=LOOPS, ids=["uvloop", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:  # noqa: ANN401 - as anyio has it
    return request.param


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """The server's side of TLS, and the authority that vouches for it."""
    made = make_certificates(tmp_path_factory.mktemp("secure"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)
    return context, made.authority


@pytest.fixture
async def pool(papers: tuple[ssl.SSLContext, Path]) -> AsyncIterator[Pool]:
    async with no_complaints():
        made = Pool(ca_file=str(papers[1]))
        yield made
        await made.close()


def _put(body: Body) -> bytes:
    return b"PUT / HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % len(body)


def _answer(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body


@pytest.mark.parametrize("answer", [SIZED, CHUNKED])
@pytest.mark.parametrize("step", [1, 7, 64])
async def test_an_answer_in_small_records(
    pool: Pool, papers: tuple[ssl.SSLContext, Path], answer: bytes, step: int
) -> None:
    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            for at in range(0, len(answer), step):
                await peer.send(answer[at:at + step])

    async with serving(script, tls=papers[0]) as server:
        for _ in range(3):
            assert bytes((await ask(pool, server.secure)).body) == b"hello world"
        assert server.connections == 1


@pytest.mark.parametrize("size", [RECORD_BYTES - 39, RECORD_BYTES, TURN_BYTES, TURN_BYTES + 1, 3 * TURN_BYTES + 5])
async def test_a_body_of_any_length_comes_whole_and_nothing_is_left(
    pool: Pool, papers: tuple[ssl.SSLContext, Path], size: int
) -> None:
    body = (bytes(range(251)) * (size // 251 + 1))[:size]
    async with serving(always(_answer(body)), tls=papers[0]) as server:
        for _ in range(3):
            assert (await ask(pool, server.secure)).body == body
        assert server.connections == 1


@pytest.mark.parametrize("size", [1, RECORD_BYTES - 41, RECORD_BYTES, SLICE_BYTES + 1, PIECE_BYTES, 3 * PIECE_BYTES])
async def test_a_body_goes_whole_to_a_slow_reader(
    pool: Pool, papers: tuple[ssl.SSLContext, Path], size: int
) -> None:
    body = (bytes(range(251)) * (size // 251 + 1))[:size]
    came: list[bytes] = []

    async def script(peer: Peer) -> None:
        plug: socket.socket = peer.writer.get_extra_info("socket")
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        while True:
            came.append((await peer.request())[1])
            await peer.send(OK)

    async with serving(script, tls=papers[0]) as server:
        for _ in range(2):
            assert (await ask(pool, server.secure, _put(body), body)).status == 200
        assert came == [body, body]


async def test_two_answers_in_one_record_end_the_connection(pool: Pool, papers: tuple[ssl.SSLContext, Path]) -> None:
    async with serving(always(SIZED + OK), tls=papers[0]) as server:
        for _ in range(2):
            assert (await ask(pool, server.secure)).body == b"hello world"
        assert server.connections == 2


async def test_more_than_the_body_in_its_last_record_ends_the_connection(
    pool: Pool, papers: tuple[ssl.SSLContext, Path]
) -> None:
    """The rest is held by OpenSSL, where no event loop sees it."""
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(SIZED[:-5])
        await asyncio.sleep(0.05)  # so that the body is read into its own memory
        await peer.send(SIZED[-5:] + OK)
        await asyncio.Event().wait()

    async with serving(script, tls=papers[0]) as server:
        assert (await ask(pool, server.secure)).body == b"hello world"
        assert not any(one.open for one in pool._warm[server.secure])


async def test_a_body_that_ends_with_the_connection_needs_a_farewell(
    pool: Pool, papers: tuple[ssl.SSLContext, Path]
) -> None:
    """Without close_notify anybody on the way may have cut it (RFC 9112, section 9.8)."""
    async def rude(peer: Peer) -> None:
        await peer.request()
        await peer.send(ENDLESS)
        peer.writer.transport.abort()

    async with serving(once(ENDLESS), tls=papers[0]) as server:
        assert (await ask(pool, server.secure)).body == b"hello world"
    async with serving(rude, tls=papers[0]) as server:
        with pytest.raises(CutShort):
            await ask(pool, server.secure)


async def test_a_farewell_without_an_end_is_an_end(pool: Pool, papers: tuple[ssl.SSLContext, Path]) -> None:
    """close_notify comes, and the TCP connection stays open."""
    done = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(SIZED[:-1])
        peer.writer.close()  # the farewell: the event loop closes the socket when it was answered
        await done.wait()

    async with serving(script, tls=papers[0]) as server:
        with pytest.raises(CutShort, match="closed by the other side"):
            await ask(pool, server.secure)
        done.set()


async def test_a_server_that_ends_instead_of_a_handshake(pool: Pool) -> None:
    async def script(peer: Peer) -> None:
        await peer.reader.read(1)

    async with serving(script) as server:
        with pytest.raises(CannotConnect, match="TLS: the other side closed"):
            await ask(pool, server.secure)


class _Abrupt:
    """A server in a thread: when told, it sends its records and resets the connection, before the client looks."""

    def __init__(self, context: ssl.SSLContext, records: list[bytes]) -> None:
        self.asked = threading.Event()
        self._told = threading.Event()
        self._records = records
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.origin = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        plain, _ = self._listener.accept()
        with self._listener, self._context.wrap_socket(plain, server_side=True) as plug:
            plug.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # a reset takes along what has not gone yet
            plug.recv(1000)
            self.asked.set()
            self._told.wait(10)
            for record in self._records:
                plug.sendall(record)
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def tell(self) -> None:
        self._told.set()
        self._thread.join()


@pytest.mark.parametrize("records", [
    [OK], [CHUNKED[:60], CHUNKED[60:]], [_answer(bytes(range(250)) * 160)],
], ids=["at once", "in chunks", "more than a turn"])
async def test_a_reset_behind_an_answer_is_seen_after_it(
    pool: Pool, papers: tuple[ssl.SSLContext, Path], records: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """uvloop tells of a reset once, and of nothing after it: neither of what is still to read, nor of the reset."""
    monkeypatch.setattr(secure, "TURN_BYTES", 5_000)
    server = _Abrupt(papers[0], records)
    asking = asyncio.ensure_future(ask(pool, server.origin))
    await asyncio.to_thread(server.asked.wait, 10)
    server.tell()

    assert (await asyncio.wait_for(asking, 5)).status == 200
    await asyncio.sleep(0.01)
    assert not any(one.open for one in pool._warm[server.origin])


async def test_a_connection_that_cannot_be_taken_over_is_closed(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is no descriptor left, none may be lost."""
    ended = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.reader.read()
        ended.set()

    def none_left(_: int) -> int:
        raise OSError(24, "Too many open files")

    async with serving(script) as server:
        monkeypatch.setattr(os, "dup", none_left)
        with pytest.raises(CannotConnect, match="Too many open files"):
            await ask(pool, server.secure)
        await asyncio.wait_for(ended.wait(), 5)


async def test_a_reset_before_the_handshake_leaves_nothing_open(papers: tuple[ssl.SSLContext, Path]) -> None:
    loop = asyncio.get_running_loop()
    gc.collect()
    with socket.create_server(("127.0.0.1", 0)) as listener, warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        _, plain = await loop.create_connection(lambda: Connection(loop, room(), Bodies()), *listener.getsockname())
        peer, _ = listener.accept()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        with pytest.raises(ConnectionResetError):
            await secure.secure(loop, plain, Connection(loop, room(), Bodies()), trusted(str(papers[1])), "127.0.0.1")
        await asyncio.sleep(0)
        gc.collect()
    assert told == []


class _Kept(bytearray):
    """Memory that tells whether it is still there: no bytearray of Python's does."""


@pytest.fixture
def uncollected() -> Iterator[None]:
    """Whatever is in a ring stays."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize("cancelled", [True, False])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_the_memory_of_a_lost_request_is_free_at_once(
    pool: Pool, papers: tuple[ssl.SSLContext, Path], monkeypatch: pytest.MonkeyPatch, scheme: str, cancelled: bool
) -> None:
    """The budget takes it for free: it must not wait for Python to look for rings of references."""
    asking: list[asyncio.Task[Answer]] = []
    kept: list[weakref.ref[_Kept]] = []
    began = asyncio.Event()

    def memory(length: int) -> _Kept:
        made = _Kept(length)
        kept.append(weakref.ref(made))
        began.set()
        return made

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(SIZED[:-1])
        await began.wait()
        if cancelled:
            asking[0].cancel()
            await asyncio.Event().wait()
        peer.reset()

    monkeypatch.setattr(Bodies, "take", lambda _self, length: memory(length))
    body = _Kept(100_000)
    kept.append(weakref.ref(body))
    async with serving(script, tls=papers[0] if scheme == "https" else None) as server:
        asking.append(asyncio.ensure_future(ask(pool, f"{scheme}://127.0.0.1:{server.port}", _put(body), body)))
        with pytest.raises((CutShort, asyncio.CancelledError)):
            await asking[0]
        del body
        asking.clear()
        await asyncio.sleep(0)
        assert [found() is None for found in kept] == [True, True]
