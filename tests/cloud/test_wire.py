"""How requests come out of a stream of bytes, however it is cut, and how answers go in; without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.cloud.wire import SMALL, Connection, Reply, Request, parse_head, parse_query, render_head

_PUT = b"PUT /c/one?a=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nhello world"
_GET = b"GET /c/two HTTP/1.1\r\nHost: x\r\n\r\n"


class _Line(asyncio.Transport):
    """Keeps what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


class _Register:
    """A door that answers 200 at once and keeps every request."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, bytes]] = []

    def arrived(self, request: Request) -> None:
        return None

    def refuses_to_read(self, plan: object | None) -> bool:
        return False

    def at_once(self, request: Request, plan: object | None) -> Reply:
        self.seen.append((request.method, request.path, request.body))
        return Reply(200, {}, request.path.encode())

    async def in_time(self, request: Request, plan: object | None, channel: Connection) -> None:
        raise AssertionError("everything is answered at once here")


def _heard(pieces: Sequence[bytes]) -> tuple[list[tuple[str, str, bytes]], _Line]:
    door, line = _Register(), _Line()

    async def listen() -> None:  # a connection is made inside a running loop
        connection = Connection(door, set())
        connection.connection_made(line)
        for piece in pieces:
            connection.data_received(piece)

    asyncio.run(listen())
    return door.seen, line


def _cut(stream: bytes, places: list[int]) -> list[bytes]:
    ends = [0, *sorted(places), len(stream)]
    return [stream[first:last] for first, last in pairwise(ends) if first < last]


@example([len(_PUT), len(_PUT) + len(_GET)])
@example(list(range(1, len(_PUT) + len(_GET))))
@given(st.lists(st.integers(1, 2 * len(_PUT) + len(_GET)), max_size=6))
def test_requests_are_the_same_however_the_stream_is_cut(places: list[int]) -> None:
    seen, line = _heard(_cut(_PUT + _GET + _PUT, places))

    put = ("PUT", "/c/one", b"hello world")
    assert seen == [put, ("GET", "/c/two", b""), put]
    assert [one.rpartition(b"\r\n\r\n")[2] for one in line.written] == [b"/c/one", b"/c/two", b"/c/one"]


@pytest.mark.parametrize("size", [SMALL, SMALL + 1, 3 * SMALL])
def test_a_long_body_is_joined_and_what_follows_is_the_next_request(size: int) -> None:
    body = bytes(range(256)) * (size // 256 + 1)
    stream = b"PUT /c/long HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (size, body[:size]) + _GET

    seen, _ = _heard([stream[at : at + 65536] for at in range(0, len(stream), 65536)])

    assert seen == [("PUT", "/c/long", body[:size]), ("GET", "/c/two", b"")]


def test_who_waits_with_the_body_is_told_to_go_on() -> None:
    head = b"PUT /c/one HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"

    seen, line = _heard([head, b"hello"])

    assert line.written[0] == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert seen == [("PUT", "/c/one", b"hello")]


@pytest.mark.parametrize("head", [b"nonsense", b"GET / HTTP/1.0", b"GET / HTTP/1.1\r\nno colon",
                                  b"PUT / HTTP/1.1\r\nContent-Length: many"])
def test_what_is_no_request_is_refused(head: bytes) -> None:
    seen, line = _heard([head + b"\r\n\r\n"])

    assert not seen
    assert line.written[0].startswith(b"HTTP/1.1 400 ")
    assert line.closed


def test_a_header_that_comes_twice_is_one_and_remembered() -> None:
    request = parse_head(b"PUT /c/one?x=%2B+1&x=2 HTTP/1.1\r\nX-Ms-Meta-a: 1\r\nhost: x\r\nx-ms-meta-A:  2 ")

    assert request.headers == {"x-ms-meta-a": "1,2", "host": "x"}
    assert request.repeated == ("x-ms-meta-a",)
    assert request.params == {"x": "2"}


def test_a_query_is_decoded() -> None:
    assert parse_query("") == {}
    assert parse_query("versions&prefix=a%2Fb+c&x=1=2") == {"versions": "", "prefix": "a/b c", "x": "1=2"}


def test_an_answer_is_written_as_http() -> None:
    assert render_head(Reply(404, {})) == b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    assert render_head(Reply(200, {"ETag": '"ä"'}, b"ab")) == (
        b'HTTP/1.1 200 OK\r\nETag: "\xc3\xa4"\r\nContent-Length: 2\r\n\r\n')
