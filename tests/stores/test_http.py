"""The face of the client: what a request looks like on the wire, what an answer becomes, no secret in any text."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from blobmove import __version__
from blobmove.core.errors import Kind, Side, StoreError
from blobmove.stores import http as http_module
from blobmove.stores import pool as pool_module
from blobmove.stores.http import HttpClient
from tests.stores.scripted import LOOPS, OK, Peer, Script, always, no_complaints, once, serving

SECRET = "X-Amz-Signature=0123456789abcdef"


@pytest.fixture(scope="module", params=LOOPS, ids=["uvloop", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:  # noqa: ANN401 - as anyio has it
    return request.param


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    async with no_complaints():
        client = HttpClient(Side.SOURCE)
        yield client
        await client.close()


def _noting(seen: list[tuple[bytes, bytes]], answer: bytes = OK) -> Script:
    async def script(peer: Peer) -> None:
        while True:
            seen.append(await peer.request())
            await peer.send(answer)

    return script


@pytest.mark.parametrize(("method", "body", "length"), [
    ("GET", None, ""), ("DELETE", None, ""), ("PUT", b"", "content-length: 0\r\n"),
    ("PUT", None, "content-length: 0\r\n"), ("PUT", b"abc", "content-length: 3\r\n"),
    ("PUT", memoryview(b"abc"), "content-length: 3\r\n"),
])
async def test_a_request_on_the_wire(http: HttpClient, method: str, body: bytes | None, length: str) -> None:
    seen: list[tuple[bytes, bytes]] = []
    async with serving(_noting(seen)) as server:
        await http.send(method, f"{server.origin}/a%20b?c=%2F&d", ["x-ms-version: 1", 'If-Match: "e"'], body)

    head = (f"{method} /a%20b?c=%2F&d HTTP/1.1\r\nhost: 127.0.0.1:{server.port}\r\n"
            f"user-agent: blobmove/{__version__}\r\naccept: */*\r\n{length}x-ms-version: 1\r\nIf-Match: \"e\"\r\n\r\n")
    assert seen == [(head.encode(), bytes(body or b""))]


async def test_an_answer(http: HttpClient) -> None:
    told = b"HTTP/1.1 206 X\r\nETag: \"abc\"\r\nX-A: 1\r\nx-a: K\xc3\xb6ln\r\nX-B: \xff\r\nContent-Length: 3\r\n\r\nabc"
    async with serving(always(told)) as server:
        answer = await http.send("GET", f"{server.origin}/k")

    assert (answer.status, answer.etag, bytes(answer.body), answer.unreadable) == (206, "abc", b"abc", ("x-b",))
    assert answer.headers == {"etag": '"abc"', "x-a": "1, Köln", "content-length": "3"}


async def test_the_answer_to_head(http: HttpClient) -> None:
    async with serving(always(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n")) as server:
        for _ in range(2):
            answer = await http.send("HEAD", f"{server.origin}/k")
            assert (answer.headers["content-length"], answer.body) == ("99", b"")
        assert server.connections == 1


async def test_nothing_is_followed_and_nothing_decompressed(http: HttpClient) -> None:
    told = (b"HTTP/1.1 307 X\r\nlocation: http://127.0.0.1:1/\r\ncontent-encoding: gzip\r\n"
            b"content-length: 3\r\n\r\n\x1f\x8b\x08")
    async with serving(always(told)) as server:
        answer = await http.send("GET", f"{server.origin}/k")
    assert (answer.status, answer.body) == (307, b"\x1f\x8b\x08")


async def test_a_request_without_headers_of_its_own_ends_with_one_empty_line(http: HttpClient) -> None:
    heads: list[bytes] = []

    async def script(peer: Peer) -> None:
        while True:
            heads.append(await peer.reader.readuntil(b"\r\n\r\n"))
            await peer.send(OK)

    async with serving(script) as server:
        for _ in range(2):
            await http.send("GET", f"{server.origin}/k")
        assert server.connections == 1
    assert heads[0] == heads[1]
    assert heads[0].startswith(b"GET /k HTTP/1.1\r\n")


@pytest.mark.parametrize("value", ["a\r\nx-evil: 1", "a\nb", "a\rb", "a\0b", "Köln", "\n", "\r"])
async def test_headers_that_http_cannot_carry_are_not_sent(http: HttpClient, value: str) -> None:
    seen: list[tuple[bytes, bytes]] = []
    async with serving(_noting(seen)) as server:
        with pytest.raises(StoreError) as caught:
            await http.send("PUT", f"{server.origin}/k", [f"x-ms-meta-a: {value}"], b"x")

    assert (caught.value.kind, caught.value.code, seen) == (Kind.REJECTED, "HeaderRefused", [])


@pytest.mark.parametrize("url", ["/k\r\nx-evil: 1", "/k HTTP/1.1\r\n\r\n", "/ä"])
async def test_a_url_cannot_bring_headers_along(http: HttpClient, url: str) -> None:
    with pytest.raises(StoreError) as caught:
        await http.send("GET", f"http://127.0.0.1:1{url}")
    assert caught.value.code == "HeaderRefused"


@pytest.mark.parametrize(("answer", "kind", "code"), [
    (b"", Kind.TRANSIENT, "ConnectionLost"), (b"HTTP/1.1 200", Kind.TRANSIENT, "ConnectionLost"),
    (b"nonsense\r\n\r\n", Kind.TRANSIENT, "ConnectionLost"), (OK[:-1], Kind.TRANSIENT, "BodyCutShort"),
    (b"HTTP/1.1 200 OK\r\ncontent-length: 1099511627776\r\n\r\n", Kind.CORRUPT, "BodyTooLong"),
])
async def test_what_a_lost_answer_is_called(http: HttpClient, answer: bytes, kind: Kind, code: str) -> None:
    async with serving(once(answer)) as server:
        with pytest.raises(StoreError) as caught:
            await http.send("GET", f"{server.origin}/secret-key?{SECRET}")

    assert (caught.value.side, caught.value.kind, caught.value.code) == (Side.SOURCE, kind, code)
    assert "secret" not in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_what_silence_is_called(http: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "_LOOK_SECONDS", 0.001)
    monkeypatch.setattr(pool_module, "READ_SECONDS", 0.01)

    async def script(peer: Peer) -> None:
        await peer.request()
        await asyncio.Event().wait()

    async with serving(script) as server:
        with pytest.raises(StoreError) as caught:
            await http.send("GET", f"{server.origin}/k?{SECRET}")

    assert (caught.value.kind, caught.value.code) == (Kind.TRANSIENT, "Timeout")


async def test_what_no_connection_is_called(http: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StoreError) as caught:
        await http.send("GET", f"http://127.0.0.1:1/k?{SECRET}")
    assert (caught.value.kind, caught.value.code) == (Kind.UNREACHABLE, "ConnectionFailed")
    assert SECRET not in str(caught.value)

    monkeypatch.setenv("http_proxy", "http://me:sec#ret@proxy:1")
    with pytest.raises(StoreError) as caught:
        await http.send("GET", f"http://elsewhere.example/k?{SECRET}")
    assert caught.value.kind is Kind.UNREACHABLE
    assert "sec" not in str(caught.value)


async def test_how_much_is_taken_follows_what_is_expected(http: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_module, "BODY_BYTES", 10)
    monkeypatch.setattr(http_module, "SLACK_BYTES", 5)
    async with serving(always(b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n" + b"x" * 12)) as server:
        with pytest.raises(StoreError) as caught:
            await http.send("GET", f"{server.origin}/k", expect_bytes=6)
        assert caught.value.code == "BodyTooLong"
        assert len((await http.send("GET", f"{server.origin}/k", expect_bytes=7)).body) == 12


async def test_plain_requests_name_the_whole_url_to_a_proxy(
    http: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[bytes, bytes]] = []
    async with serving(_noting(seen)) as proxy:
        monkeypatch.setenv("http_proxy", f"http://me:pw@127.0.0.1:{proxy.port}")
        await http.send("GET", "http://s3.example:9000/b/k?x=1", ["range: bytes=0-1"])

    lines = seen[0][0].decode().split("\r\n")
    assert lines[:2] == ["GET http://s3.example:9000/b/k?x=1 HTTP/1.1", "host: s3.example:9000"]
    assert "proxy-authorization: Basic bWU6cHc=" in lines
    assert "range: bytes=0-1" in lines


async def test_a_client_that_is_closed_sends_nothing(http: HttpClient) -> None:
    async with serving(always(OK)) as server:
        await http.close()
        with pytest.raises(StoreError):
            await http.send("GET", f"{server.origin}/k")
