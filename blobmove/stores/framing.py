"""What an HTTP/1.1 answer looks like in bytes: its head, how long its body is, and a body in chunks. No I/O.

Strict where being lenient would mean to guess (RFC 9112): two lengths, a length beside chunks, folded or broken header
lines, another version. S3, Azure and what is compatible to them send none of these.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

HEAD_BYTES: Final = 64 * 1024
"""Room for status line and headers, and for trailers. S3 allows 8 KiB of headers, Azure 8 KiB."""

CHUNKED: Final = -1
UNTIL_CLOSE: Final = -2

Body = bytes | bytearray | memoryview

_LINE_BYTES: Final = 1024
_KNOWN_NAMES: Final = 1024
_HEX: Final = re.compile(rb"[0-9A-Fa-f]{1,15}\Z").match
_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z").match
_STATUS: Final = re.compile(r"HTTP/1\.([01]) ([1-5][0-9]{2})(?: |\Z)").match
_DIGITS: Final = re.compile(r"[0-9]{1,19}\Z").match

_names: Final[dict[str, str]] = {}
"""Header names as they come, to lower case: the same few dozen come with every answer."""


class WireError(Exception):
    """Raised when a connection cannot give a whole answer. The text holds no part of the request."""


class CutShort(WireError):
    """Raised when the connection ended within a body."""


class TooLong(WireError):
    """Raised when a body is, or says it is, longer than anything that was asked for."""


class Silence(WireError):
    """Raised when nothing came for too long."""


class Answer:
    """One HTTP answer: status, headers (names in lower case), and the body, whole.

    `unreadable` names headers nobody can read. `old`: HTTP/1.0.
    """

    __slots__ = ("body", "headers", "old", "status", "unreadable")

    def __init__(
        self, status: int, headers: Mapping[str, str], body: Body = b"", unreadable: tuple[str, ...] = (),
        old: bool = False,
    ) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.unreadable = unreadable
        self.old = old

    @property
    def etag(self) -> str:
        """The ETag without its quotes; empty where there is none."""
        return self.headers.get("etag", "").strip('" ')

    @property
    def closes(self) -> bool:
        """Whether the other side closes the connection after it."""
        connection = self.headers.get("connection")
        if connection is None:
            return self.old
        words = connection.lower()
        return "close" in words or (self.old and "keep-alive" not in words)


def has_controls(text: str) -> bool:
    """Whether there is what no header may have. Three quick looks: to count line ends takes ten times as long."""
    return "\r" in text or "\n" in text or "\0" in text


def parse_head(head: bytes) -> Answer:
    """Status line and headers, without the empty line behind them. Raises WireError.

    A header that comes several times is one, joined by commas. Values are UTF-8; those that are not are left out and
    named in `unreadable`.
    """
    plain = head.isascii()
    lines = head.decode("ascii" if plain else "latin-1").split("\r\n")
    if has_controls("".join(lines)):
        raise WireError("a header with a control character")
    status, old = _status(lines[0])
    del lines[0]
    headers: dict[str, str] = {}
    try:
        for line in lines:
            raw, colon, value = line.partition(":")
            if not colon:
                raise WireError("a header that is none")
            headers[_names[raw]] = value.strip(" \t")
    except KeyError:
        headers = _anew(lines)
    if len(headers) < len(lines):
        headers = _anew(lines)
    return Answer(status, headers, b"", () if plain else _as_utf8(headers), old)


def _anew(lines: list[str]) -> dict[str, str]:
    """Headers with names never seen before, or some of which come several times."""
    headers: dict[str, str] = {}
    for line in lines:
        raw, colon, value = line.partition(":")
        if not colon:
            raise WireError("a header that is none")
        name = _names.get(raw) or _name(raw)
        value = value.strip(" \t")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


@lru_cache(maxsize=256)
def _status(line: str) -> tuple[int, bool]:
    found = _STATUS(line)
    if found is None:
        raise WireError("the answer is not HTTP/1.1")
    return int(found.group(2)), found.group(1) == "0"


def _name(raw: str) -> str:
    if _NAME(raw) is None:
        raise WireError("a header that is none")
    name = raw.lower()
    if len(_names) < _KNOWN_NAMES:
        _names[raw] = name
    return name


def _as_utf8(headers: dict[str, str]) -> tuple[str, ...]:
    """Values outside ASCII are UTF-8, as S3 keeps what was written; those that are not are left out and named."""
    unreadable = []
    for name, value in list(headers.items()):
        if not value.isascii():
            try:
                headers[name] = value.encode("latin-1").decode("utf-8")
            except UnicodeDecodeError:
                unreadable.append(name)
                del headers[name]
    return tuple(unreadable)


def body_length(answer: Answer, head_only: bool) -> int:
    """How many bytes of body follow this head, or CHUNKED, or UNTIL_CLOSE. Raises WireError (RFC 9112, 6.3)."""
    if head_only or answer.status == 204 or answer.status == 304:
        return 0
    headers = answer.headers
    length = headers.get("content-length")
    coding = headers.get("transfer-encoding")
    if coding is not None:
        if length is not None or answer.old or coding.lower() != "chunked":
            raise WireError("nobody can say where the body ends")
        return CHUNKED
    if length is None:
        return UNTIL_CLOSE
    if _DIGITS(length) is None:
        return _repeated(length)
    return int(length)


def _repeated(length: str) -> int:
    """A Content-Length that came several times counts if it is the same each time."""
    several = {one.strip(" \t") for one in length.split(",")}
    one = several.pop()
    if several or _DIGITS(one) is None:
        raise WireError("a Content-Length that is none")
    return int(one)


class Chunks:
    """A body in chunks (RFC 9112, section 7.1), taken as it comes; at most `most` bytes. Trailers are dropped."""

    __slots__ = ("_left", "_line_end", "_most", "_trailers", "body", "ended")

    def __init__(self, most: int) -> None:
        self.body = bytearray()
        self.ended = False
        self._most = most
        self._left = 0  # bytes of the current chunk still to come
        self._line_end = False  # the chunk is whole, its line end is due
        self._trailers = -1  # bytes of trailers so far; -1: the last chunk has not come

    def feed(self, data: bytes) -> bytes:
        """Take what can be taken of `data`, and return the rest. Raises WireError."""
        at = 0
        while at < len(data) and not self.ended:
            if self._left:
                at = self._take(data, at)
                continue
            end = data.find(b"\r\n", at)
            if (len(data) if end < 0 else end) - at > (_LINE_BYTES if self._trailers < 0 else HEAD_BYTES):
                raise WireError("a chunk without a size")
            if end < 0:
                break
            self._line(data[at:end])
            at = end + 2
        return data[at:]

    def _line(self, line: bytes) -> None:
        """One line between chunks: the end of a chunk, the size of the next, a trailer, or the end."""
        if self._line_end:
            if line:
                raise WireError("a chunk longer than it says")
            self._line_end = False
        elif self._trailers >= 0:
            self.ended = not line
            self._trailers += len(line) + 2
            if self._trailers > HEAD_BYTES:
                raise WireError("the trailers do not end")
        else:
            self._size(line)

    def _size(self, line: bytes) -> None:
        size = line.partition(b";")[0].rstrip(b" \t")
        if _HEX(size) is None:
            raise WireError("a chunk without a size")
        self._left = int(size, 16)
        if len(self.body) + self._left > self._most:
            raise TooLong("more bytes came than were asked for")
        if not self._left:
            self._trailers = 0

    def _take(self, data: bytes, at: int) -> int:
        piece = data[at:at + self._left]
        self.body += piece
        self._left -= len(piece)
        self._line_end = self._left == 0
        return at + len(piece)
