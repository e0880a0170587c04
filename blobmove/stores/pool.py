"""The connections to one side: opened at need (TLS, proxies), used again while warm, watched for silence."""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from base64 import b64encode
from collections import defaultdict
from dataclasses import field
from typing import Final
from urllib.parse import unquote, urlsplit

from blobmove.core.frozen import frozen
from blobmove.stores.bodies import Bodies
from blobmove.stores.framing import Answer, Body, Silence, WireError
from blobmove.stores.secure import secure
from blobmove.stores.trust import reason_of, trusted
from blobmove.stores.wire import Connection, room

CONNECT_SECONDS: Final = 15.0
READ_SECONDS: Final = 90.0
"""Silence before a request counts as lost. Azure answers a large Put Block late (azure-blob.md 5.2)."""

IDLE_SECONDS: Final = 4.0
"""A connection unused for so long is closed: servers close theirs after 5 s and more, and a request sent into that
moment would be lost. In a run that has work none is idle for so long."""

WATCHES: Final = os.name == "posix"
"""Whether the event loop can watch a socket that is not its own; that of Windows cannot, and does TLS itself."""

_LOOK_SECONDS: Final = 1.0


class CannotConnect(WireError):
    """Raised when no connection could be made: name, port, TLS or proxy."""


@frozen
class Proxy:
    """A proxy on the way. `allowed` is the header line that says who asks, with its line end, or empty: a secret."""

    host: str
    port: int
    allowed: str = field(repr=False)


@frozen
class Place:
    """One end to connect to. `host` without brackets."""

    host: str
    port: int
    encrypted: bool
    proxy: Proxy | None = None


class Pool:
    """All connections of one side, whatever hosts it has. For one event loop."""

    def __init__(self, *, ca_file: str | None = None) -> None:
        # A file that is none is said at once; the system's take 30 ms to load and are not always needed.
        self._certificates = trusted(ca_file) if ca_file else None
        self._places: dict[str, Place] = {}
        self._warm: defaultdict[str, list[Connection]] = defaultdict(list)
        self._busy: set[Connection] = set()
        self._watch: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._room = room()
        self._bodies = Bodies()
        self._closed = False

    async def ask(
        self, origin: str, head: bytes, body: Body | None, *, seconds: float, head_only: bool, late: bool, most: int
    ) -> Answer:
        """One request to `origin` (scheme and authority) and its whole answer, within `seconds`.

        `late`: silence is not looked at, the answer may take as long as it takes. `most`: the longest body, in bytes.
        Raises WireError.
        """
        loop = asyncio.get_running_loop()
        warm = self._warm[origin]
        while warm:
            connection = warm.pop()
            if connection.open:
                break
        else:
            connection = await self._connect(loop, self.place(origin))
        if loop is not self._loop:
            raise RuntimeError("a pool is for one event loop")
        connection.heard_at = now = loop.time()
        connection.deadline = now + seconds
        connection.late = late
        self._busy.add(connection)
        if self._watch is None:
            self._watch = loop.call_later(_LOOK_SECONDS, self._look, loop)
        try:
            reply = await connection.ask(head, body, head_only=head_only, most=most)
        finally:
            self._busy.discard(connection)
        if connection.reusable():
            warm.append(connection)
        else:
            connection.abort()
        return reply

    def place(self, origin: str) -> Place:
        """Where `origin` is, and by which proxy. Raises CannotConnect where that cannot be understood."""
        found = self._places.get(origin)
        if found is None:
            found = self._places[origin] = find_place(origin)
        return found

    async def close(self) -> None:
        """Close all connections at once; requests on their way end with WireError."""
        self._closed = True
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        for connection in [*self._busy, *(one for warm in self._warm.values() for one in warm)]:
            connection.abort()
        self._warm.clear()
        self._bodies.trim(0)
        await asyncio.sleep(0)  # the event loop closes the sockets in its next round

    async def _connect(self, loop: asyncio.AbstractEventLoop, place: Place) -> Connection:
        if self._loop is not None and loop is not self._loop:
            raise RuntimeError("a pool is for one event loop")
        self._loop = loop
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                connection = await self._connect_to(loop, place)
        except TimeoutError:
            raise CannotConnect(f"no connection within {CONNECT_SECONDS:.0f} s") from None
        except ssl.SSLCertVerificationError as error:
            raise CannotConnect(f"certificate verify failed: {reason_of(error)}") from None
        except ssl.SSLError as error:  # its text names file and line of the library
            raise CannotConnect(f"TLS: {error.reason or type(error).__name__}") from None
        except OSError as error:
            raise CannotConnect(error.strerror or str(error) or type(error).__name__) from None
        except UnicodeError:
            raise CannotConnect("the host's name is none") from None
        if self._closed:
            connection.abort()
            raise WireError("closed")
        return connection

    async def _connect_to(self, loop: asyncio.AbstractEventLoop, place: Place) -> Connection:
        way = place.proxy or place
        _, connection = await loop.create_connection(lambda: self._connection(loop), way.host, way.port)
        if not place.encrypted:
            return connection
        try:
            if place.proxy is not None:
                await _tunnel(connection, place, place.proxy)
            return await self._encrypt(loop, connection, place.host)
        except BaseException:
            connection.abort()
            raise

    def _connection(self, loop: asyncio.AbstractEventLoop) -> Connection:
        return Connection(loop, self._room, self._bodies)

    async def _encrypt(self, loop: asyncio.AbstractEventLoop, plain: Connection, host: str) -> Connection:
        """Speak TLS with `host` on a plain connection to it. Raises WireError, OSError; then it is closed."""
        certificates = self._trusted()
        if not plain.open:
            raise CannotConnect("TLS: the other side spoke first, or closed the connection")
        if WATCHES:
            connection = self._connection(loop)
            await secure(loop, plain, connection, certificates, host)
            return connection
        transport = await loop.start_tls(plain.transport, plain, certificates, server_hostname=host)
        if transport is None:
            raise CannotConnect("TLS: the other side closed the connection")
        plain.connection_made(transport)
        return plain

    def _trusted(self) -> ssl.SSLContext:
        if self._certificates is None:
            self._certificates = trusted(None)
        return self._certificates

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Once a second: end what has been silent for too long, close and give back what nobody uses."""
        now = loop.time()
        for connection in list(self._busy):
            connection.look(now)
            if now >= connection.deadline:
                connection.abort(Silence("the request took too long"))
            elif not connection.late and now - connection.heard_at >= READ_SECONDS:
                connection.abort(Silence(f"nothing came for {READ_SECONDS:.0f} s"))
        for warm in self._warm.values():
            cold = [one for one in warm if not one.open or now - one.heard_at >= IDLE_SECONDS]
            for one in cold:
                warm.remove(one)
                one.abort()
        self._bodies.trim()
        waiting = bool(self._busy) or any(self._warm.values())
        self._watch = loop.call_later(_LOOK_SECONDS, self._look, loop) if waiting else None


async def _tunnel(connection: Connection, place: Place, proxy: Proxy) -> None:
    """Let the proxy connect to `place`. Raises CannotConnect, UnicodeError; then it is closed."""
    host = f"[{place.host}]" if ":" in place.host else place.host
    target = f"{host}:{place.port}"
    try:
        reply = await connection.ask(
            f"CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n{proxy.allowed}\r\n".encode("ascii"), None,
            head_only=True, most=0,
        )
    except UnicodeError:
        connection.abort()
        raise
    except CannotConnect:
        raise
    except WireError as error:
        raise CannotConnect(f"the proxy: {error}") from None
    if not 200 <= reply.status < 300:
        connection.abort()
        raise CannotConnect(f"the proxy answered {reply.status}")
    if not connection.open:
        raise CannotConnect("the proxy said more than was asked")


def find_place(origin: str) -> Place:
    """Where `origin` is, and by which proxy the environment says. Raises CannotConnect, without the proxy's URL."""
    try:
        parts = urlsplit(origin)
        encrypted = parts.scheme == "https"
        host, port = parts.hostname or "", parts.port or (443 if encrypted else 80)
    except ValueError:
        raise CannotConnect("the address is none") from None
    named = _named_proxy(parts.scheme, parts.netloc, host)
    return Place(host, port, encrypted, _proxy(named) if named else None)


def _named_proxy(scheme: str, netloc: str, host: str) -> str:
    """The proxy that the environment or the system's settings name for this end, or empty."""
    if sys.platform not in ("darwin", "win32") and not any(name.lower().endswith("_proxy") for name in os.environ):
        return ""  # nobody can name one: `urllib.request` need not be loaded, 20 ms of CPU
    from urllib.request import getproxies, proxy_bypass

    named = getproxies().get(scheme, "")
    return "" if not named or proxy_bypass(netloc) or proxy_bypass(host) else named


def _proxy(named: str) -> Proxy:
    try:
        parts = urlsplit(named if "://" in named else f"http://{named}")
        host, port = parts.hostname or "", parts.port or 80
    except ValueError:  # its text holds a piece of the URL
        raise CannotConnect("the proxy's address is none") from None
    if not host or parts.scheme != "http":
        raise CannotConnect("the proxy's address is not of the kind http://host:port")
    allowed = ""
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        allowed = f"proxy-authorization: Basic {b64encode(pair.encode()).decode('ascii')}\r\n"
    return Proxy(host, port, allowed)
