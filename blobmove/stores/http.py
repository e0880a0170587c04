"""The one HTTP client of the data path: pyreqwest behind a small face, so that it can be exchanged.

Nothing is decompressed, no redirect is followed, no proxy guessed from a URL, and nothing is retried here: what the
service sends is what the doors see. Every body fits in memory by construction (whole small objects, or one block).
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from pyreqwest.bytes import Bytes
from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import ConnectError, DecodeError, PyreqwestError, RequestTimeoutError
from pyreqwest.http import HeaderMap

from blobmove import __version__
from blobmove.core.errors import Kind, Side, StoreError, UsageError

CONNECT_SECONDS: Final = 15.0
READ_SECONDS: Final = 90.0
"""Silence on a socket before the request counts as lost. Azure answers a large Put Block late (azure-blob.md 5.2)."""

FLOOR_BYTES_PER_SECOND: Final = 32 * 1024
"""A body that comes slower than this on average is given up: a slow drip resets READ_SECONDS for ever."""

Body = Bytes | bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer, body read. `unreadable` names headers whose values are not ASCII."""

    status: int
    headers: Mapping[str, str]
    body: Bytes
    unreadable: tuple[str, ...] = ()


class HttpClient:
    """One connection pool for one side. Open it once, share it among all movers, close it at the end."""

    def __init__(self, side: Side, *, ca_file: str | None = None) -> None:
        self._side = side
        certificates = _own_certificates(ca_file)
        self._reading = _client(certificates, read_timeout=True)
        # The library counts the sending of a body as silence on the socket: a slow line would never get a block
        # through. Requests with a body are guarded by their deadline alone.
        self._sending = _client(certificates, read_timeout=False)

    async def send(
        self,
        method: str,
        url: str,
        headers: Sequence[tuple[str, str]] = (),
        body: Body | None = None,
        *,
        expect_bytes: int = 0,
    ) -> Answer:
        """Send one request and read its answer whole.

        `url` must be percent-encoded already and is sent as given. `expect_bytes` is the size of the answer's body
        where known; it sets the deadline. Raises StoreError (TRANSIENT, UNREACHABLE) without the URL in its text.
        """
        size = expect_bytes
        has_body = body is not None and len(body) > 0
        client = self._sending if has_body else self._reading
        builder = client.request(method, url).headers(list(headers))
        if body is not None and has_body:
            builder = builder.body_bytes(body)  # type: ignore[arg-type]  # Bytes has the buffer protocol
            size += len(body)
        elif method in ("PUT", "POST"):
            builder = builder.header("content-length", "0")
        deadline = CONNECT_SECONDS + READ_SECONDS + size / FLOOR_BYTES_PER_SECOND
        try:
            response = await builder.timeout(timedelta(seconds=deadline)).build().send()
            content = await response.bytes()
        except PyreqwestError as error:
            raise self._translate(error) from None
        readable, unreadable = _headers(response.headers)
        return Answer(response.status, readable, content, unreadable)

    async def close(self) -> None:
        await self._reading.close()
        await self._sending.close()

    def _translate(self, error: PyreqwestError) -> StoreError:
        """The library puts the whole URL, signature included, into its messages: only the causes' ends are kept."""
        causes = [cause["message"] for cause in (getattr(error, "details", None) or {}).get("causes") or []]
        reason = causes[-1] if causes else type(error).__name__
        if "://" in reason:
            reason = type(error).__name__
        if isinstance(error, ConnectError) and any("(Connect)" in cause for cause in causes):
            return StoreError(self._side, Kind.UNREACHABLE, "ConnectionFailed", reason)
        if isinstance(error, RequestTimeoutError):
            return StoreError(self._side, Kind.TRANSIENT, "Timeout", reason)
        if isinstance(error, DecodeError):
            return StoreError(self._side, Kind.TRANSIENT, "BodyCutShort", reason)
        return StoreError(self._side, Kind.TRANSIENT, "ConnectionLost", reason)


def _client(certificates: list[bytes], *, read_timeout: bool) -> Client:
    builder = (
        ClientBuilder()
        .gzip(False).brotli(False).zstd(False).deflate(False)
        .follow_redirects(False).referer(False)
        .http1_only().http1_lower_case_headers()
        .user_agent(f"blobmove/{__version__}")
        .connect_timeout(timedelta(seconds=CONNECT_SECONDS))
        .pool_idle_timeout(timedelta(seconds=30))
        .tcp_nodelay(True)
    )
    if read_timeout:
        builder = builder.read_timeout(timedelta(seconds=READ_SECONDS))
    for certificate in certificates:
        builder = builder.add_root_certificate_pem(certificate)
    return builder.build()


def _headers(found: HeaderMap) -> tuple[Mapping[str, str], tuple[str, ...]]:
    try:
        return dict(found.items()), ()
    except ValueError:
        return _readable(found)


def _readable(found: HeaderMap) -> tuple[Mapping[str, str], tuple[str, ...]]:
    kept: dict[str, str] = {}
    unreadable: list[str] = []
    for name in found:
        try:
            kept[name] = found[name]
        except ValueError:
            unreadable.append(name)
    return kept, tuple(unreadable)


def _own_certificates(ca_file: str | None) -> list[bytes]:
    """The certificates of a CA file the operator named (AWS_CA_BUNDLE, SSL_CERT_FILE), one PEM each."""
    if not ca_file:
        return []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise UsageError("E400-CA", f"{ca_file} is not a file of certificates", cause=str(error),
                         hint="check AWS_CA_BUNDLE and SSL_CERT_FILE: a PEM file, or not set") from None
    return [ssl.DER_cert_to_PEM_cert(der).encode() for der in context.get_ca_certs(binary_form=True)]
