"""The one HTTP client of the data path, behind a small face, so that it can be exchanged.

Nothing is decompressed, no redirect is followed, and nothing is retried here: what the service sends is what the doors
see. Every body fits in memory by construction (whole small objects, or one block).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from blobmove import __version__
from blobmove.core.errors import Kind, Side, StoreError
from blobmove.stores.framing import Answer, Body, CutShort, Silence, TooLong, WireError, has_controls
from blobmove.stores.pool import CONNECT_SECONDS, READ_SECONDS, CannotConnect, Pool

FLOOR_BYTES_PER_SECOND: Final = 32 * 1024
"""A body that comes slower than this on average is given up: a slow drip is never silent."""

BODY_BYTES: Final = 64 * 1024 * 1024
"""The most an answer's body may have where no more is expected: listings, error texts. A length is only a claim."""

SLACK_BYTES: Final = 1024 * 1024

_LINE_END: Final = "\r\n"
_END: Final = "\r\n\r\n"

__all__ = ["BODY_BYTES", "FLOOR_BYTES_PER_SECOND", "Answer", "Body", "HttpClient"]


class HttpClient:
    """One connection pool for one side. Open it once, share it among all movers, close it at the end."""

    def __init__(self, side: Side, *, ca_file: str | None = None) -> None:
        self._side = side
        self._pool = Pool(ca_file=ca_file)
        self._fronts: dict[str, tuple[bool, str]] = {}

    async def send(
        self,
        method: str,
        url: str,
        lines: Sequence[str] = (),
        body: Body | None = None,
        *,
        expect_bytes: int = 0,
        late: bool = False,
    ) -> Answer:
        """Send one request and read its answer whole.

        `url` must be percent-encoded already, with a path, and is sent as given. `lines` are the request's own headers,
        one `name: value` each, none empty. `expect_bytes` is the size of the answer's body where known; it sets the
        deadline, and how much will be taken. `late`: nothing may come for as long, since the service is copying.
        Raises StoreError without the URL in its text: TRANSIENT, UNREACHABLE, CORRUPT for a body that is far too long,
        REJECTED for what HTTP cannot carry.
        """
        slash = url.index("/", 8)
        origin = url[:slash]
        whole, front = self._fronts.get(origin) or self._front(origin)
        target = url if whole else url[slash:]
        self._require_plain(target + "".join(lines))
        size = expect_bytes
        if body:
            size += len(body)
            front += f"content-length: {len(body)}\r\n"
        elif method == "PUT":
            front += "content-length: 0\r\n"
        head = f"{method} {target}{front}{_LINE_END.join(lines)}{_END if lines else _LINE_END}"
        try:
            return await self._pool.ask(
                origin, head.encode("ascii"), body,
                seconds=CONNECT_SECONDS + READ_SECONDS + size / FLOOR_BYTES_PER_SECOND,
                head_only=method == "HEAD", late=late, most=max(BODY_BYTES, expect_bytes + SLACK_BYTES),
            )
        except WireError as error:
            raise self._translate(error) from None

    async def close(self) -> None:
        """Close all connections; requests on their way end with StoreError."""
        await self._pool.close()

    def _require_plain(self, text: str) -> None:
        """Raises StoreError where a part of a head would be more than its line, or is not ASCII."""
        if has_controls(text) or not text.isascii():
            raise StoreError(self._side, Kind.REJECTED, "HeaderRefused", "a header value that HTTP cannot carry")

    def _front(self, origin: str) -> tuple[bool, str]:
        """What every request to `origin` has behind its target.

        First: whether the target is the whole URL there, as a proxy wants it where nothing is encrypted.
        """
        self._require_plain(origin)
        try:
            place = self._pool.place(origin)
        except WireError as error:
            raise self._translate(error) from None
        host = origin.partition("://")[2]
        front = f" HTTP/1.1\r\nhost: {host}\r\nuser-agent: blobmove/{__version__}\r\naccept: */*\r\n"
        proxied = place.proxy is not None and not place.encrypted
        if proxied and place.proxy is not None:
            front += place.proxy.allowed
        self._fronts[origin] = proxied, front
        return proxied, front

    def _translate(self, error: WireError) -> StoreError:
        if isinstance(error, CannotConnect):
            return StoreError(self._side, Kind.UNREACHABLE, "ConnectionFailed", str(error))
        if isinstance(error, Silence):
            return StoreError(self._side, Kind.TRANSIENT, "Timeout", str(error))
        if isinstance(error, TooLong):
            return StoreError(self._side, Kind.CORRUPT, "BodyTooLong", str(error))
        if isinstance(error, CutShort):
            return StoreError(self._side, Kind.TRANSIENT, "BodyCutShort", str(error))
        return StoreError(self._side, Kind.TRANSIENT, "ConnectionLost", str(error))
