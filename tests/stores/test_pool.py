"""The connections of one side: made, used again, watched, closed; TLS and proxies on the way."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime
import gc
import socket
import ssl
import warnings
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from blobmove.core.errors import UsageError
from blobmove.stores import pool as pool_module
from blobmove.stores.framing import Reply, Silence, WireError
from blobmove.stores.pool import CannotConnect, Place, Pool, Proxy, find_place, trusted
from blobmove.stores.wire import PIECE_BYTES
from tests.servers.certificates import Certificates, make_certificates
from tests.stores.scripted import LOOPS, OK, Peer, Script, always, no_complaints, once, serving

MOST = 64 * 1024 * 1024
ASK = b"GET / HTTP/1.1\r\n\r\n"


@pytest.fixture(scope="module", params=LOOPS, ids=["uvloop", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:  # noqa: ANN401 - as anyio has it
    return request.param


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    async with no_complaints():
        made = Pool()
        yield made
        await made.close()


async def ask(
    pool: Pool, origin: str, head: bytes = ASK, body: bytes | None = None, *, seconds: float = 60, late: bool = False
) -> Reply:
    return await pool.ask(origin, head, body, seconds=seconds, head_only=False, late=late, most=MOST)


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
        await asyncio.wait_for(gone.wait(), 5)
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


# TLS


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("tls"))


def _server_side(papers: Certificates) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(papers.certificate, papers.key)
    return context


@pytest.fixture
async def believing(papers: Certificates) -> AsyncIterator[Pool]:
    async with no_complaints():
        made = Pool(ca_file=str(papers.authority))
        yield made
        await made.close()


async def _echo(peer: Peer) -> None:
    while True:
        _, body = await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)


def _put(body: bytes) -> bytes:
    return b"PUT / HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % len(body)


@pytest.mark.parametrize("size", [10, PIECE_BYTES + 1, 9_000_000])
async def test_bodies_go_and_come_over_tls(believing: Pool, papers: Certificates, size: int) -> None:
    body = (bytes(range(251)) * (size // 251 + 1))[:size]
    async with serving(_echo, tls=_server_side(papers)) as server:
        for _ in range(2):
            assert (await ask(believing, server.secure, _put(body), body)).body == body
        assert server.connections == 1


async def test_a_certificate_that_nobody_knows(pool: Pool, papers: Certificates) -> None:
    async with serving(always(OK), tls=_server_side(papers)) as server:
        with pytest.raises(CannotConnect, match=r"unable to get local issuer.*AWS_CA_BUNDLE"):
            await ask(pool, server.secure)


@pytest.mark.parametrize(("address", "hours", "reason"), [
    ("127.0.0.2", 1.0, "IP address mismatch"), ("127.0.0.1", -0.5, "certificate has expired$"),
])
async def test_certificates_that_are_wrong(tmp_path: Path, address: str, hours: float, reason: str) -> None:
    papers = make_certificates(tmp_path, address=address, lifetime=datetime.timedelta(hours=hours))
    pool = Pool(ca_file=str(papers.authority))
    async with serving(always(OK), tls=_server_side(papers)) as server:
        with pytest.raises(CannotConnect, match=reason):
            await ask(pool, server.secure)
    await pool.close()


async def test_a_server_that_does_not_speak_tls(believing: Pool) -> None:
    async def script(peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with serving(script) as server:
        with pytest.raises(CannotConnect, match="TLS"):
            await ask(believing, server.secure)


async def test_the_name_of_the_host_is_told_to_the_server(papers: Certificates) -> None:
    told: list[str | None] = []
    context = _server_side(papers)
    context.sni_callback = lambda _, name, __: told.append(name)
    pool = Pool(ca_file=str(papers.authority))
    async with serving(always(OK), tls=context) as server:
        with pytest.raises(CannotConnect, match="Hostname mismatch"):
            await ask(pool, f"https://localhost:{server.port}")
    await pool.close()

    assert told == ["localhost"]


async def test_an_end_without_a_farewell_within_a_body_is_told(believing: Pool, papers: Certificates) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK[:-1])
        peer.writer.transport.abort()

    async with serving(script, tls=_server_side(papers)) as server:
        with pytest.raises(WireError):
            await ask(believing, server.secure)


async def test_a_refusal_before_the_body_was_read_is_heard_over_tls(believing: Pool, papers: Certificates) -> None:
    heard = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(b"HTTP/1.1 409 Conflict\r\ncontent-length: 2\r\n\r\nno")
        await heard.wait()

    async with serving(script, tls=_server_side(papers)) as server:
        reply = await ask(believing, server.secure, _put(bytes(1 << 25)), bytes(1 << 25))
        assert (reply.status, believing._warm[server.secure]) == (409, [])
        heard.set()


def test_what_is_believed(papers: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = trusted(None)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.options & ssl.OP_NO_RENEGOTIATION
    before = context.cert_store_stats()["x509_ca"]
    assert trusted(str(papers.authority)).cert_store_stats()["x509_ca"] == before + 1

    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert trusted(None).cert_store_stats()["x509_ca"] > 50  # certifi's, where the system has none
    (tmp_path / "0123abcd.0").touch()
    assert trusted(None).cert_store_stats()["x509_ca"] == 0  # a folder that is looked into at need


def test_a_file_of_certificates_that_is_none(tmp_path: Path) -> None:
    for name in ("missing", "text"):
        (tmp_path / "text").write_text("no certificate")
        with pytest.raises(UsageError) as caught:
            Pool(ca_file=str(tmp_path / name))
        assert caught.value.code == "E400-CA"


# proxies


def _proxied(monkeypatch: pytest.MonkeyPatch, port: int, user: str = "") -> None:
    monkeypatch.setenv("https_proxy", f"http://{user}127.0.0.1:{port}")
    monkeypatch.setenv("http_proxy", f"http://{user}127.0.0.1:{port}")


def _tunnel(papers: Certificates, heads: list[bytes], answer: bytes) -> Script:
    async def script(peer: Peer) -> None:
        heads.append((await peer.request())[0])
        await peer.send(answer)
        if answer.startswith((b"HTTP/1.1 200", b"HTTP/1.0 200")):
            await peer.upgrade(_server_side(papers))
            await _echo(peer)

    return script


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 200 Connection established\r\n\r\n", b"HTTP/1.0 200 Connection established\r\nProxy-Agent: x\r\n\r\n",
])
async def test_https_goes_through_a_tunnel(
    believing: Pool, papers: Certificates, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    heads: list[bytes] = []
    async with serving(_tunnel(papers, heads, answer)) as proxy:
        _proxied(monkeypatch, proxy.port, "me%40home:p%3Aw@")
        for body in (b"small", bytes(range(251)) * 20_000):
            assert (await ask(believing, "https://127.0.0.1:8443", _put(body), body)).body == body

    word = base64.b64encode(b"me@home:p:w").decode()
    assert heads == [(f"CONNECT 127.0.0.1:8443 HTTP/1.1\r\nhost: 127.0.0.1:8443\r\n"
                      f"proxy-authorization: Basic {word}\r\n\r\n").encode()]


@pytest.mark.parametrize(("answer", "reason"), [
    (b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 3\r\n\r\nwho", "the proxy answered 407"),
    (b"HTTP/1.1 200 OK\r\n\r\nhello", "the proxy said more"), (b"", "the proxy: the connection was lost"),
    (b"SSH-2.0\r\n\r\n", "the proxy: the answer is not HTTP"),
])
async def test_a_proxy_that_does_not_let_through(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, answer: bytes, reason: str
) -> None:
    async with serving(once(answer)) as proxy:
        _proxied(monkeypatch, proxy.port, "me:secret@")
        with pytest.raises(CannotConnect, match=reason):
            await ask(pool, "https://example.com")


async def test_a_tunnel_to_the_wrong_host_is_not_believed(
    pool: Pool, papers: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(_tunnel(papers, [], b"HTTP/1.1 200 OK\r\n\r\n")) as proxy:
        _proxied(monkeypatch, proxy.port)
        with pytest.raises(CannotConnect, match="certificate verify failed"):
            await ask(pool, "https://example.com")


async def test_a_proxy_that_is_not_there(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as plug:
        plug.bind(("127.0.0.1", 0))
        _proxied(monkeypatch, plug.getsockname()[1], "me:secret@")
        with pytest.raises(CannotConnect) as caught:
            await ask(pool, "https://example.com")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("origin", "exempt", "by_proxy"), [
    ("https://a.blob.core.windows.net", "", True),
    ("https://a.blob.core.windows.net", ".blob.core.windows.net", False),
    ("https://a.blob.core.windows.net", "*", False), ("http://10.0.0.1:9000", "10.0.0.1", False),
    ("http://[::1]:9000", "::1", False), ("http://b.example", "a.example", True),
])
def test_who_is_asked_without_the_proxy(
    monkeypatch: pytest.MonkeyPatch, origin: str, exempt: str, by_proxy: bool
) -> None:
    _proxied(monkeypatch, 3128)
    monkeypatch.setenv("no_proxy", exempt)
    assert (find_place(origin).proxy is not None) is by_proxy


def test_the_proxy_of_a_place_keeps_its_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "me:secret@proxy.example:3128")
    place = find_place("https://example.com")

    allowed = "proxy-authorization: Basic bWU6c2VjcmV0\r\n"
    assert place == Place("example.com", 443, True, Proxy("proxy.example", 3128, allowed))
    assert "secret" not in repr(place)
    assert base64.b64encode(b"me:secret").decode() not in repr(place)


@pytest.mark.parametrize("named", [
    "socks5://me:secret@h:1", "https://me:secret@h:1", "http://me:sec#ret@h:1", "http://me:sec/ret@h:1",
    "http://h:secret", "http://", "http://[secret",
])
def test_a_proxy_nobody_can_use_is_told_without_its_secret(monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    monkeypatch.setenv("https_proxy", named)
    with pytest.raises(CannotConnect) as caught:
        find_place("https://example.com")
    assert "sec" not in str(caught.value)
