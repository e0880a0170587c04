"""The connections of one side: made, used again, watched, closed."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import warnings
from typing import Any

import pytest

from blobmove.stores import pool as pool_module
from blobmove.stores.framing import Silence, WireError
from blobmove.stores.pool import CannotConnect, Pool
from tests.stores.scripted import LOOPS, OK, Peer, always, ask, once, serving

pytestmark = pytest.mark.usefixtures("no_proxies")


@pytest.fixture(scope="module", params=LOOPS, ids=["uvloop", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:  # noqa: ANN401 - as anyio has it
    return request.param


async def never(peer: Peer) -> None:
    """Read, and say nothing."""
    while await peer.reader.read(65536):
        pass


async def until_open(pool: Pool) -> None:
    while not pool._busy:  # noqa: ASYNC110 - it is when it is
        await asyncio.sleep(0)


# used again


async def test_a_connection_is_used_again(pool: Pool) -> None:
    async with serving(always(OK)) as server:
        for _ in range(5):
            assert (await ask(pool, server.origin)).body == b"ok"
        assert server.connections == 1

        await asyncio.gather(*(ask(pool, server.origin) for _ in range(4)))
        assert server.connections <= 4


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
    b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
    OK + b"HTTP/1.1 408 Timeout\r\n\r\n",
])
async def test_a_connection_that_ends_is_not_used_again(pool: Pool, answer: bytes) -> None:
    async with serving(always(answer)) as server:
        for _ in range(3):
            assert (await ask(pool, server.origin)).body == b"ok"
        assert server.connections == 3


async def test_a_connection_that_the_server_closed_meanwhile_is_not_used_again(pool: Pool) -> None:
    async with serving(once(OK)) as server:
        for number in range(3):
            assert (await ask(pool, server.origin)).body == b"ok"
            while any(connection.open for connection in pool._warm[server.origin]):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0)
            assert server.connections == number + 1


async def test_an_idle_connection_is_closed(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "IDLE_SECONDS", 0.0)
    monkeypatch.setattr(pool_module, "_LOOK_SECONDS", 0.001)
    closed = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        with contextlib.suppress(ConnectionError):
            await peer.reader.read()
        closed.set()

    async with serving(script) as server:
        await ask(pool, server.origin)
        await asyncio.wait_for(closed.wait(), 5)
        assert not pool._warm[server.origin]
        assert pool._watch is None  # nothing is left to watch


async def test_a_pool_is_for_one_event_loop() -> None:
    pool = Pool()
    async with serving(always(OK)) as server:
        await ask(pool, server.origin)

        def elsewhere() -> None:
            asyncio.run(ask(pool, server.origin))

        with pytest.raises(RuntimeError, match="one event loop"):
            await asyncio.to_thread(elsewhere)
        await pool.close()


# watched


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "_LOOK_SECONDS", 0.001)
    monkeypatch.setattr(pool_module, "READ_SECONDS", 0.05)


@pytest.mark.usefixtures("impatient")
async def test_silence_ends_a_request(pool: Pool) -> None:
    async with serving(never) as server:
        with pytest.raises(Silence, match="nothing came"):
            await ask(pool, server.origin)
        assert not pool._busy


@pytest.mark.usefixtures("impatient")
async def test_silence_within_a_body_ends_a_request(pool: Pool) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK[:-1])
        await never(peer)

    async with serving(script) as server:
        with pytest.raises(Silence, match="nothing came"):
            await ask(pool, server.origin)


@pytest.mark.usefixtures("impatient")
async def test_a_peer_that_takes_nothing_more_is_silent(pool: Pool) -> None:
    async def script(peer: Peer) -> None:
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.Event().wait()

    async with serving(script) as server:
        with pytest.raises(Silence, match="nothing came"):
            await ask(pool, server.origin, b"PUT / HTTP/1.1\r\ncontent-length: 67108864\r\n\r\n", bytes(1 << 26))


@pytest.mark.usefixtures("impatient")
async def test_the_deadline_ends_a_request_that_may_be_late(pool: Pool) -> None:
    async with serving(never) as server:
        with pytest.raises(Silence, match="took too long"):
            await ask(pool, server.origin, seconds=0.2, late=True)


async def test_closing_ends_what_is_on_its_way(pool: Pool) -> None:
    async with serving(never) as server:
        asking = asyncio.ensure_future(ask(pool, server.origin))
        await until_open(pool)
        await pool.close()

        with pytest.raises(WireError):
            await asking
        with pytest.raises(WireError):
            await ask(pool, server.origin)
        assert pool._watch is None


async def test_a_cancelled_request_closes_its_connection(pool: Pool) -> None:
    gone = asyncio.Event()

    async def script(peer: Peer) -> None:
        with contextlib.suppress(ConnectionError):
            await never(peer)
        gone.set()

    async with serving(script) as server:
        asking = asyncio.ensure_future(ask(pool, server.origin))
        await until_open(pool)
        asking.cancel()
        await asyncio.wait_for(gone.wait(), 30)
        assert not pool._busy
        assert not pool._warm[server.origin]


def test_nothing_is_left_behind() -> None:
    async def use() -> None:
        async with serving(always(OK)) as server:
            pool = Pool()
            await asyncio.gather(*(ask(pool, server.origin) for _ in range(8)))
            await pool.close()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(use())
        gc.collect()


# made


async def test_a_port_nobody_listens_at(pool: Pool) -> None:
    with socket.socket() as plug:
        plug.bind(("127.0.0.1", 0))
        with pytest.raises(CannotConnect, match=r"refused|Connect call failed"):
            await ask(pool, f"http://127.0.0.1:{plug.getsockname()[1]}")


@pytest.mark.parametrize("origin", ["http://a..b", f"http://{'x' * 70}.example", "http://x:99999", "http://x:port"])
async def test_addresses_that_are_none(pool: Pool, origin: str) -> None:
    with pytest.raises(CannotConnect):
        await ask(pool, origin)


async def test_a_connection_that_is_not_made_in_time(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "CONNECT_SECONDS", 0.05)
    async with serving(never) as server:  # TLS: no handshake comes
        with pytest.raises(CannotConnect, match="no connection within"):
            await ask(pool, server.secure)


async def test_an_ipv6_host(pool: Pool) -> None:
    try:
        server = serving(always(OK), host="::1")
        async with server as served:
            assert (await ask(pool, f"http://[::1]:{served.port}")).body == b"ok"
    except OSError:
        pytest.skip("no IPv6 here")
