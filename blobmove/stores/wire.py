"""One HTTP/1.1 connection: a request out, its answer in, as bytes on a transport of the event loop.

Owned because it is the hot path (docs/decisions/0014): no thread beside the loop, a body is received straight into
the memory it stays in, and nothing is done that the doors did not ask for. Whatever is not plain HTTP/1.1 ends the
connection with a WireError; nothing is guessed, decompressed, followed or retried.
"""

from __future__ import annotations

import asyncio
from typing import Final, cast

from blobmove.stores.bodies import Bodies
from blobmove.stores.framing import (
    CHUNKED,
    HEAD_BYTES,
    UNTIL_CLOSE,
    Answer,
    Body,
    Chunks,
    CutShort,
    TooLong,
    WireError,
    body_length,
    parse_head,
)

ROOM_BYTES: Final = 64 * 1024
"""What is read at once while no body of known length is on its way: it is copied from here."""

PIECE_BYTES: Final = 1024 * 1024
"""How much of a body is handed over at once: not every event loop sends without copying, and its TLS, where it has to
be used, encrypts into memory of its own. Smaller pieces cost more rounds of the loop, larger ones gain nothing."""


def room() -> memoryview:
    """What connections read into. One serves all of an event loop: what came is taken out before the next reads."""
    return memoryview(bytearray(ROOM_BYTES))


class Connection(asyncio.BufferedProtocol):
    """A connection that carries one request at a time. `late`, `deadline` are the pool's (loop time).

    `heard_at`: when something came, or something of the request went, or it was begun, for the last time.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, room: memoryview, bodies: Bodies) -> None:
        self._loop = loop
        self._room = room
        self._bodies = bodies
        self._data = b""  # what has come and is no whole line, head or chunk yet
        self._body: bytearray | memoryview | None = None
        self._rest: memoryview | None = None  # the part of _body that is still to come
        self._chunks: Chunks | None = None
        self._tail: bytearray | None = None  # a body that ends with the connection
        self._reply: Answer | None = None
        self._answer: asyncio.Future[Answer] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._head_only = False
        self._most = 0
        self._closes = False
        self._unsent = 0
        self.transport: asyncio.Transport
        self.open = False
        self.heard_at = 0.0
        self.deadline = 0.0
        self.late = False

    async def ask(self, head: bytes, body: Body | None, *, head_only: bool, most: int) -> Answer:
        """Send one request and wait for its answer, whose body may have `most` bytes.

        Raises WireError. After that, and after a cancellation, it is closed.
        """
        self._head_only = head_only
        self._most = most
        answer: asyncio.Future[Answer] = self._loop.create_future()
        self._answer = answer
        try:
            if not body:
                self.transport.write(head)
            elif len(body) <= PIECE_BYTES:
                self.transport.writelines((head, body))
            else:
                self.transport.write(head)
                await self._write_in_pieces(body, answer)
            return await answer
        except BaseException:
            answer.cancel()  # where it has failed by now, this says that nobody needs to hear of it
            self.abort()
            raise
        finally:
            self._answer = None
            del answer  # else a lost one holds the exception, that this frame, and this the request's body

    async def _write_in_pieces(self, body: Body, answer: asyncio.Future[Answer]) -> None:
        view = memoryview(body)
        for start in range(0, len(view), PIECE_BYTES):
            if answer.done() or not self.open:
                self._closes = True  # the answer came too early: another request would be taken for the rest
                return
            self.transport.write(view[start:start + PIECE_BYTES])
            if self._writable is not None:
                await self._writable

    def reusable(self) -> bool:
        """Whether another request may follow: the last one went out whole and its answer allows it."""
        return self.open and not self._closes and not self.transport.get_write_buffer_size()

    def within_body(self) -> bool:
        """Whether what comes next belongs to a body of known length, and goes straight to where it stays."""
        return self._rest is not None

    def look(self, now: float) -> None:
        """Note whether something of the request has gone since the last look: then it is not silent."""
        unsent = self.transport.get_write_buffer_size()
        if unsent != self._unsent:
            self._unsent = unsent
            self.heard_at = now

    def abort(self, error: WireError | None = None) -> None:
        """Close at once; who waits for an answer gets `error`."""
        self.open = False
        self._fail(error or WireError("closed"))
        self.transport.abort()

    # what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.open = True

    def connection_lost(self, error: Exception | None) -> None:
        self.open = False
        reply, tail = self._reply, self._tail
        if reply is not None and tail is not None and error is None:
            self._end(reply, bytes(tail))
        reason = type(error).__name__ if error is not None else "closed by the other side"
        if self._reply is not None:
            self._fail(CutShort(f"the connection ended within the body ({reason})"))
        else:
            self._fail(WireError(f"the connection was lost ({reason})"))

    def eof_received(self) -> bool:
        """Nothing more will come: what is still to be sent is of no use, and might never go."""
        self.connection_lost(None)
        self.transport.abort()
        return False

    def pause_writing(self) -> None:
        if self._writable is None:
            self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._room if self._rest is None else self._rest

    def buffer_updated(self, size: int) -> None:
        self.heard_at = self._loop.time()
        rest = self._rest
        if rest is not None:
            self._rest = rest = rest[size:]
            if not rest and self._reply is not None and self._body is not None:
                self._end(self._reply, self._body)
            return
        data = bytes(self._room[:size])
        if self._data:
            data, self._data = self._data + data, b""
        try:
            self._read(data)
        except WireError as error:
            self.abort(error)

    # one answer

    def _read(self, data: bytes) -> None:
        """Go on with what has come: the head, then what the head says about the body."""
        if self._answer is None or self._answer.done():
            raise WireError("an answer came that nobody asked for")
        if self._reply is not None:
            self._go_on(self._reply, data)
            return
        while True:
            end = data.find(b"\r\n\r\n", 0, HEAD_BYTES)
            if end < 0:
                if len(data) >= HEAD_BYTES:
                    raise WireError("the headers do not end")
                self._data = data
                return
            reply = parse_head(data[:end])
            data = data[end + 4:]
            if reply.status >= 200:
                self._begin(reply, data)
                return
            if reply.status == 101:
                raise WireError("a protocol that nobody asked for")
            # 100 Continue and its like announce the real answer

    def _begin(self, reply: Answer, data: bytes) -> None:
        self._closes = reply.closes
        length = body_length(reply, self._head_only)
        came = len(data)
        if length > self._most:
            raise TooLong("more bytes came than were asked for")
        if 0 <= length <= came:
            self._end(reply, data if length == came else data[:length], extra=length != came)
            return
        self._reply = reply
        if length > 0:
            self._body = self._bodies.take(length)
            view = memoryview(self._body)
            view[:came] = data
            self._rest = view[came:]
            return
        if length == CHUNKED:
            self._chunks = Chunks(self._most)
        elif length == UNTIL_CLOSE:
            self._closes = True
            self._tail = bytearray()
        self._go_on(reply, data)

    def _go_on(self, reply: Answer, data: bytes) -> None:
        """A body of unknown length."""
        if self._chunks is not None:
            self._data = self._chunks.feed(data)
            if self._chunks.ended:
                extra, self._data = bool(self._data), b""
                self._end(reply, bytes(self._chunks.body), extra=extra)
        elif self._tail is not None:
            self._tail += data
            if len(self._tail) > self._most:
                raise TooLong("more bytes came than were asked for")

    def _end(self, reply: Answer, body: Body, *, extra: bool = False) -> None:
        reply.body = body
        if self._reply is not None:  # else it came whole, in one piece: as most do
            self._forget()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(reply)
        if self._writable is not None:
            self.resume_writing()  # what the request still has to say may never go
        if extra:
            self.abort()  # more than one answer to one request: whose is the next?

    def _fail(self, error: WireError) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
        self._forget()
        self.resume_writing()

    def _forget(self) -> None:
        """Let go of a body: its memory counts as free now, and a transport may know us for longer."""
        self._reply = self._body = self._rest = self._chunks = self._tail = None
