"""The ways of a pool's connections: TLS, whom it believes, and proxies."""

from __future__ import annotations

import asyncio
import base64
import datetime
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import blobmove.stores.pool as pool_module
from blobmove.core.errors import UsageError
from blobmove.stores.framing import WireError
from blobmove.stores.pool import CannotConnect, Place, Pool, Proxy, find_place
from blobmove.stores.trust import trusted
from blobmove.stores.wire import PIECE_BYTES
from tests.servers.certificates import Certificates, make_certificates
from tests.stores.scripted import LOOPS, OK, Peer, Script, always, ask, no_complaints, once, serving

pytestmark = pytest.mark.usefixtures("no_proxies")


@pytest.fixture(scope="module", params=LOOPS, ids=["uvloop", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:  # noqa: ANN401 - as anyio has it
    return request.param


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


@pytest.mark.parametrize("watches", [True, False], ids=["own", "event loop's"])
@pytest.mark.parametrize("size", [10, PIECE_BYTES + 1, 9_000_000])
async def test_bodies_go_and_come_over_tls(
    believing: Pool, papers: Certificates, size: int, watches: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "WATCHES", watches)
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


async def test_a_certificate_that_newer_pythons_want_complete(tmp_path: Path) -> None:
    papers = make_certificates(tmp_path, complete=False)
    pool = Pool(ca_file=str(papers.authority))
    pool._trusted().verify_flags |= ssl.VERIFY_X509_STRICT  # as it is from 3.13 on
    async with serving(always(OK), tls=_server_side(papers)) as server:
        with pytest.raises(CannotConnect, match=r"Missing Authority Key Identifier; Python 3\.13"):
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
