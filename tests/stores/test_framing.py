"""Heads, lengths and chunks: what is taken, and what is refused rather than guessed."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blobmove.stores.framing import (
    CHUNKED,
    HEAD_BYTES,
    UNTIL_CLOSE,
    Chunks,
    TooLong,
    WireError,
    body_length,
    parse_head,
)


def _head(*lines: str, status: str = "HTTP/1.1 200 OK") -> bytes:
    return "\r\n".join([status, *lines]).encode()


def test_a_head_is_read() -> None:
    reply = parse_head(_head("ETag: \"abc\"", "Content-Length:5", "X-Amz-Meta-A:  b c \t", "Empty:"))

    assert (reply.status, reply.closes, reply.old, reply.unreadable) == (200, False, False, ())
    assert reply.headers == {"etag": '"abc"', "content-length": "5", "x-amz-meta-a": "b c", "empty": ""}


@pytest.mark.parametrize(("status", "code"), [
    ("HTTP/1.1 200", 200), ("HTTP/1.1 404 ", 404), ("HTTP/1.0 503 Slow Down", 503), ("HTTP/1.1 299 \N{SNOWMAN}", 299),
])
def test_status_lines_that_are_some(status: str, code: int) -> None:
    assert parse_head(_head(status=status)).status == code


@pytest.mark.parametrize("status", [
    "", "HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1 20", "HTTP/1.1  20", "HTTP/1.1 2_0", "HTTP/1.1 +20 OK", "HTTP/1.1 2000",
    "HTTP/1.1 200OK", "HTTP/1.1 099 x", "HTTP/1.1 600 x", "HTTP/2 200 OK", "HTTP/1.2 200 OK", "ICY 200 OK",
    "http/1.1 200 OK", "HTTP/1.1\t200 OK", "HTTP/1.1 \N{ARABIC-INDIC DIGIT TWO}00 OK", "<html>",
])
def test_status_lines_that_are_none(status: str) -> None:
    with pytest.raises(WireError):
        parse_head(_head(status=status))


@pytest.mark.parametrize("line", [
    "no colon", ": no name", "spaced : x", " folded: x", "\tfolded", "", "na\x7fme: x",
    "n\N{LATIN SMALL LETTER E WITH ACUTE}: x", "a: b\rc", "a: b\nc: d", "a: b\x00", "a\x00: b",
])
def test_header_lines_that_are_none(line: str) -> None:
    with pytest.raises(WireError):
        parse_head(_head("etag: x", line))


def test_repeated_headers_are_one() -> None:
    assert parse_head(_head("Vary: a", "x: 1", "vary: b")).headers["vary"] == "a, b"


def test_that_a_name_has_been_seen_before_excuses_nothing() -> None:
    parse_head(_head("Vary: a", "x-seen: 1"))

    with pytest.raises(WireError):
        parse_head(_head("x-seen: 1", "Vary"))
    assert parse_head(_head("Vary: a", "x-seen: 1", "Vary: b")).headers == {"vary": "a, b", "x-seen": "1"}


def test_values_in_utf_8_are_kept_and_others_named() -> None:
    head = b"HTTP/1.1 200 OK\r\nx-amz-meta-a: K\xc3\xb6ln\r\nx-amz-meta-b: K\xf6ln\r\nx-amz-meta-c: plain"

    reply = parse_head(head)

    assert reply.headers == {"x-amz-meta-a": "Köln", "x-amz-meta-c": "plain"}
    assert reply.unreadable == ("x-amz-meta-b",)


@pytest.mark.parametrize(("version", "connection", "closes"), [
    ("1.1", None, False), ("1.1", "close", True), ("1.1", "Close", True), ("1.1", "keep-alive", False),
    ("1.1", "keep-alive, close", True), ("1.0", None, True), ("1.0", "Keep-Alive", False), ("1.0", "close", True),
])
def test_who_closes(version: str, connection: str | None, closes: bool) -> None:
    lines = [] if connection is None else [f"Connection: {connection}"]
    assert parse_head(_head(*lines, status=f"HTTP/{version} 200 OK")).closes is closes


@pytest.mark.parametrize(("lines", "length"), [
    (["content-length: 0"], 0), (["content-length: 17"], 17), (["content-length: 17", "content-length: 17"], 17),
    (["content-length: 5,5 , 5"], 5), (["transfer-encoding: Chunked"], CHUNKED), ([], UNTIL_CLOSE),
])
def test_how_long_a_body_is(lines: list[str], length: int) -> None:
    assert body_length(parse_head(_head(*lines)), head_only=False) == length


@pytest.mark.parametrize("lines", [
    ["content-length: 5", "content-length: 6"], ["content-length: 5, 6"], ["content-length:"], ["content-length: -1"],
    ["content-length: +5"], ["content-length: 5_0"], ["content-length: 0x5"], ["content-length: 5 5"],
    ["content-length: 5,"], ["content-length: \N{ARABIC-INDIC DIGIT FIVE}"], [f"content-length: {'9' * 20}"],
    ["content-length: 5", "transfer-encoding: chunked"], ["transfer-encoding: gzip"], ["transfer-encoding:"],
    ["transfer-encoding: gzip, chunked"], ["transfer-encoding: chunked", "transfer-encoding: chunked"],
])
def test_lengths_nobody_can_be_sure_of(lines: list[str]) -> None:
    with pytest.raises(WireError):
        body_length(parse_head(_head(*lines)), head_only=False)


def test_chunks_of_http_1_0_are_refused() -> None:
    with pytest.raises(WireError):
        body_length(parse_head(_head("transfer-encoding: chunked", status="HTTP/1.0 200 OK")), head_only=False)


@pytest.mark.parametrize("status", [204, 304])
def test_some_answers_never_have_a_body(status: int) -> None:
    assert body_length(parse_head(_head("content-length: 9", status=f"HTTP/1.1 {status} x")), head_only=False) == 0
    assert body_length(parse_head(_head("content-length: 9")), head_only=True) == 0


CHUNKS = b"4;name=\"a;b\"\r\nwiki\r\n00C ; x\r\npedia\r\nin \r\n\r\n0;last\r\nTrailer: x\r\nOther: y\r\n\r\n"


@given(st.lists(st.integers(1, len(CHUNKS) - 1), max_size=6))
def test_chunks_cut_anywhere_are_the_same_body(cuts: list[int]) -> None:
    chunks, kept, edges = Chunks(1000), b"", sorted({0, *cuts, len(CHUNKS)})
    for start, end in pairwise(edges):
        assert not chunks.ended
        kept = chunks.feed(kept + CHUNKS[start:end])

    assert (bytes(chunks.body), chunks.ended, kept) == (b"wikipedia\r\nin \r\n", True, b"")


def test_what_follows_the_last_chunk_is_left() -> None:
    assert Chunks(1000).feed(b"1\r\na\r\n0\r\n\r\nHTTP/1.1 200") == b"HTTP/1.1 200"


@pytest.mark.parametrize("data", [
    b"\r\n", b"x\r\n", b"-1\r\n", b"0x4\r\n", b"+4\r\n", b"4_0\r\n", b" 4\r\n", b"4\r\nwikix\r\n", b"f" * 16 + b"\r\n",
    b"4;" + b"x" * 2000, b"4;" + b"x" * 2000 + b"\r\n",
])
def test_chunks_that_are_none(data: bytes) -> None:
    with pytest.raises(WireError):
        Chunks(1000).feed(data)


@pytest.mark.parametrize("trailers", [
    b"a: b\r\n" * HEAD_BYTES, b"a" * (HEAD_BYTES + 1), b"a" * (HEAD_BYTES + 1) + b"\r\n",
])
def test_trailers_have_an_end(trailers: bytes) -> None:
    with pytest.raises(WireError):
        Chunks(1000).feed(b"0\r\n" + trailers)


def test_chunks_never_grow_beyond_what_was_asked_for() -> None:
    chunks = Chunks(10)
    assert chunks.feed(b"5\r\n12345\r\n5\r\n67890\r\n") == b""
    with pytest.raises(TooLong):
        chunks.feed(b"1\r\n")
    with pytest.raises(TooLong):
        Chunks(10).feed(b"fffffffffffffff\r\n")
