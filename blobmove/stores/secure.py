"""TLS of one connection: Python's `ssl` on the socket itself, as the transport below a `Connection`.

Owned because it is the hot path of every real copy (docs/decisions/0014): the event loops' own TLS goes through two
memory buffers of OpenSSL, which are zeroed, filled and emptied once more for every byte, and which keep the size of the
largest piece for as long as the connection lives. Here OpenSSL reads from the socket and decrypts into the body's
memory, encrypts from it and writes to the socket. Handshake, keys, certificates and alerts are OpenSSL's alone.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from blobmove.stores.framing import Body
from blobmove.stores.wire import Connection

RECORD_BYTES: Final = 16 * 1024
"""The most one TLS record carries (RFC 8446, section 5.1)."""

SLICE_BYTES: Final = 4 * RECORD_BYTES
"""How much is encrypted at once: what has not gone is seen in such steps by who looks for silence."""

TURN_BYTES: Final = 256 * 1024
"""How much one connection takes in before the others of the event loop have their turn."""


class _Watch(Protocol):
    def __call__(self, fd: int, callback: Callable[..., object], /, *args: object) -> object: ...


async def secure(
    loop: asyncio.AbstractEventLoop, plain: Connection, connection: Connection, context: ssl.SSLContext, host: str
) -> None:
    """Take over the socket of `plain`, on which nothing may be on its way, and let `connection` speak TLS on it.

    `plain` is closed. Raises OSError (ssl.SSLError is one), UnicodeError. For event loops that watch sockets.
    """
    taken = _take(plain)
    try:
        if error := _error_of(taken):
            raise error  # wrap_socket would say the same, and leave the socket open
        sock = context.wrap_socket(taken, server_hostname=host, do_handshake_on_connect=False,
                                   suppress_ragged_eofs=False)
    except BaseException:
        taken.close()
        raise
    try:
        await _shake_hands(loop, sock)
    except BaseException:
        sock.close()
        raise
    connection.connection_made(SecureTransport(loop, sock, connection))


def _take(plain: Connection) -> socket.socket:
    """Its socket, by a descriptor of our own: the event loop closes the one it has."""
    plain.transport.pause_reading()
    taken = socket.socket(fileno=os.dup(plain.transport.get_extra_info("socket").fileno()))
    plain.abort()
    taken.setblocking(False)
    return taken


def _error_of(sock: socket.socket) -> OSError | None:
    """What has ended it, behind all that is still to be read."""
    number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    return OSError(number, os.strerror(number)) if number else None


async def _shake_hands(loop: asyncio.AbstractEventLoop, sock: ssl.SSLSocket) -> None:
    fd = sock.fileno()
    while True:
        try:
            sock.do_handshake()
        except ssl.SSLWantReadError:
            await _moment(loop, fd, loop.add_reader, loop.remove_reader)
        except ssl.SSLWantWriteError:
            await _moment(loop, fd, loop.add_writer, loop.remove_writer)
        except ssl.SSLEOFError:
            raise ConnectionResetError("TLS: the other side closed the connection") from None
        else:
            return


async def _moment(
    loop: asyncio.AbstractEventLoop, fd: int, watch: _Watch, unwatch: Callable[[int], object]
) -> None:
    """Wait until the socket is ready."""
    ready: asyncio.Future[None] = loop.create_future()
    watch(fd, _settle, ready)
    try:
        await ready
    finally:
        unwatch(fd)


def _settle(ready: asyncio.Future[None]) -> None:
    if not ready.done():  # the event loop calls as long as the socket is ready
        ready.set_result(None)


class SecureTransport(asyncio.Transport):
    """What a `Connection` needs of a transport, no more. It calls `connection_lost` when the other side ends it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, sock: ssl.SSLSocket, connection: Connection) -> None:
        super().__init__()
        self._loop = loop
        self._sock = sock
        self._fd = sock.fileno()
        self._connection = connection
        self._closed = False
        self._ended = False  # the other side has said that nothing more comes
        self._unsent: deque[memoryview] = deque()
        self._unsent_bytes = 0
        self._watching = False  # told when there is room to write
        self._reading_writes = False  # reading has to write first, as when keys are renewed
        self._paused = False
        loop.add_reader(self._fd, self._readable)

    def write(self, data: Body) -> None:
        if self._closed:
            return
        self._unsent.append(memoryview(data))
        self._unsent_bytes += len(data)
        if not self._watching:
            self._writable()

    def writelines(self, parts: tuple[Body, ...]) -> None:  # type: ignore[override]  # of a request: head, body
        """Head and body, with the beginning of the body in the head's record: mostly one packet instead of two."""
        head, body = parts
        along = max(0, RECORD_BYTES - len(head))
        self.write(b"".join((head, memoryview(body)[:along])))
        if len(body) > along:
            self.write(memoryview(body)[along:])

    def get_write_buffer_size(self) -> int:
        return self._unsent_bytes

    def is_closing(self) -> bool:
        return self._closed

    def abort(self) -> None:
        """Close at once, without a word to the other side, as the event loops do."""
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._fd)
        self._loop.remove_writer(self._fd)
        self._unsent.clear()
        self._unsent_bytes = 0
        self._sock.close()

    # what the event loop calls

    def _readable(self) -> None:
        try:
            self._receive()
            if not self._closed and (error := _error_of(self._sock)):
                self._receive(last=True)  # uvloop tells of a reset once, and then of nothing any more
                self._lost(error)
            if self._unsent and not self._closed:
                self._send()  # it may have waited for something to be read
        except Exception as error:
            self._fail(error)

    def _writable(self) -> None:
        try:
            self._send()
            if self._reading_writes:
                self._receive()
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        """Whatever it is: who waits for an answer must hear that none comes. A mistake of ours is not swallowed."""
        self._lost(error)
        if not isinstance(error, OSError):
            raise error

    def _lost(self, error: Exception | None) -> None:
        if not self._closed:
            self.abort()
            self._connection.connection_lost(error)

    # reading

    def _receive(self, *, last: bool = False) -> None:
        """Take what has come, at most a turn of it; the event loop calls again while there is more in the socket.

        `last`: all of it, since the event loop will not.
        """
        self._reading_writes = False
        most = TURN_BYTES
        while most and not self._closed:
            within = self._connection.within_body()
            came = self._fill(self._connection.get_buffer(-1), within, most)
            if came:
                self._connection.buffer_updated(came)
            if self._ended:
                self._lost(None)
            elif not came:
                return
            else:
                most = TURN_BYTES if last else self._at_once(within)

    def _at_once(self, within: bool) -> int:
        """How much to read before others have their turn: the body of a head that has come, or what OpenSSL holds.

        That is the rest of a record that it has decrypted: the event loop knows nothing of it.
        """
        if self._closed:
            return 0
        return TURN_BYTES if not within and self._connection.within_body() else self._sock.pending()

    def _fill(self, room: memoryview, whole: bool, most: int) -> int:
        """Decrypt into `room` what is there, or only a record of it where not all of it is for `room`."""
        end = min(len(room), most)
        came = 0
        try:
            while came < end:
                got = self._sock.recv_into(room[came:end])
                came += got
                if not got:
                    self._ended = True
                if not got or not whole:
                    break
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self._ended = True
        except ssl.SSLWantWriteError:
            self._reading_writes = True
            self._watch(True)
        return came

    # writing

    def _send(self) -> None:
        """Encrypt and send what there is room for. What waits stays as it is: OpenSSL wants to see it again."""
        unsent = self._unsent
        try:
            while unsent:
                part = unsent[0]
                gone = self._sock.send(part[:SLICE_BYTES])
                self._unsent_bytes -= gone
                if gone == len(part):
                    unsent.popleft()
                else:
                    unsent[0] = part[gone:]
        except ssl.SSLWantWriteError:
            self._watch(True)
        except ssl.SSLWantReadError:
            self._watch(False)
        except OSError:  # nobody takes any more: what was said before counts all the same
            self._receive(last=True)
            raise
        else:
            self._watch(self._reading_writes)
        self._pace()

    def _watch(self, wanted: bool) -> None:
        if wanted != self._watching:
            self._watching = wanted
            if wanted:
                self._loop.add_writer(self._fd, self._writable)
            else:
                self._loop.remove_writer(self._fd)

    def _pace(self) -> None:
        """Tell the connection when to hand over no more, and when to go on."""
        if self._paused != bool(self._unsent):
            self._paused = not self._paused
            if self._paused:
                self._connection.pause_writing()
            else:
                self._connection.resume_writing()
