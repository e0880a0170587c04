"""Reading objects: presigned GET and HEAD over the thin data path, pinned to the version the plan saw."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final

import anyio

from blobmove.core.errors import Kind, Side, StoreError
from blobmove.stores.http import Answer, Body, HttpClient
from blobmove.stores.s3.answers import error_of
from blobmove.stores.s3.presign import Credentials, Presigner, encode_key

UNREADABLE: Final = "x-blobmove-unreadable"
"""Set among the headers of an answer some of whose header values nobody can read (core.headers notes it)."""

EPOCH_SECONDS: Final = 60.0
"""How long a signer is used before the credentials are asked for again; they renew themselves when due."""

_CHECKSUMS: Final = (("x-amz-checksum-mode", "ENABLED"),)
"""As a signed header, not in the query: every S3-compatible store understands that form (s3.md section 6.1)."""
_CHECKSUMS_LINE: Final = "x-amz-checksum-mode: ENABLED"

Pairs = list[tuple[str, str]]
CredentialSource = Callable[[], Awaitable[Credentials]]
HeaderFallback = Callable[[str, str | None, str | None], Awaitable[dict[str, str]]]


class S3Objects:
    """The data path of one bucket.

    `base` is scheme and host plus the path in front of the key, as botocore resolves them (virtual host or path
    style, custom endpoints). `requests` counts what went over the wire by operation.
    """

    def __init__(
        self,
        http: HttpClient,
        base: str,
        region: str,
        credentials: CredentialSource,
        header_fallback: HeaderFallback,
    ) -> None:
        scheme, _, rest = base.partition("://")
        host, slash, path = rest.partition("/")
        self._http = http
        self._origin = f"{scheme}://{host}"
        self._path = slash + path if path else "/"
        self._host = host
        self._region = region
        self._credentials = credentials
        self._header_fallback = header_fallback
        self._signer: Presigner | None = None
        self._signed_with: Credentials | None = None
        self._renew_at = 0.0
        self._renewal = anyio.Lock()
        self.requests: Counter[str] = Counter()

    @property
    def address(self) -> str:
        """Where objects are asked for: scheme, host and the path in front of every key."""
        return f"{self._origin}{self._path}"

    async def get(
        self,
        key: str,
        *,
        etag: str | None,
        version_id: str | None = None,
        byte_range: tuple[int, int] | None = None,
        checksums: bool = False,
        expect_bytes: int = 0,
    ) -> Answer:
        """GET an object, or `byte_range` (offset, length) of it, if it still has this `etag`.

        With `checksums` S3 is asked for its stored checksum of the whole object. Raises StoreError; a range that
        comes back with another length is CORRUPT, never a shorter block.
        """
        lines = [f'if-match: "{etag}"'] if etag else []
        if byte_range is not None:
            offset, length = byte_range
            lines.append(f"range: bytes={offset}-{offset + length - 1}")
            expect_bytes = length
        answer = await self._send("GET", key, _extra(version_id), lines, checksums, expect_bytes)
        if byte_range is not None and (answer.status != 206 or len(answer.body) != byte_range[1]):
            raise StoreError(Side.SOURCE, Kind.CORRUPT, "RangeNotHonoured", f"{len(answer.body)} bytes came")
        return await self._complete(answer, key, version_id) if answer.unreadable else answer

    async def head(
        self, key: str, *, etag: str | None, version_id: str | None = None, part: int | None = None
    ) -> Answer:
        """HEAD an object, or one part of it: then Content-Length is the part's, `x-amz-mp-parts-count` their number.

        Without `part` S3 is also asked for its stored checksums. Raises StoreError.
        """
        extra = _extra(version_id)
        if part is not None:
            extra.append(("partNumber", str(part)))
        lines = [f'if-match: "{etag}"'] if etag and part is None else []
        try:
            answer = await self._send("HEAD", key, extra, [*lines], part is None, 0)
        except StoreError as error:
            if error.status in (400, 403, 404):
                # A HEAD's answer has no body, so no code: a GET tells an expired token from a refused object, and a
                # bucket that is gone from a key that is. Without partNumber, which S3 refuses beside a range.
                await self._send("GET", key, _extra(version_id), [*lines, "range: bytes=0-0"], False, 1)
            raise
        return answer if part is not None or not answer.unreadable else await self._complete(answer, key, version_id)

    async def url(self, key: str, *, version_id: str | None = None, expires: int) -> str:
        """A URL that lets whoever holds it GET this object for `expires` seconds: a secret, for no text whatever."""
        signer = self._signer
        if signer is None or time.monotonic() >= self._renew_at:
            signer = await self._renewed()
        path = self._path + encode_key(key)
        return f"{self._origin}{path}?{signer.query('GET', path, _extra(version_id), expires=expires)}"

    async def ask(
        self, operation: str, method: str, key: str, extra: Pairs, headers: Pairs, body: Body | None = None,
        *, expect_bytes: int = 0, late: bool = False,
    ) -> Answer:
        """A request of any kind, counted as `operation`, with every header signed; the answer whatever its status.

        `expect_bytes` and `late` as in HttpClient.send. Raises StoreError where nobody answers.
        """
        path = self._path + encode_key(key)
        signer = self._signer
        if signer is None or time.monotonic() >= self._renew_at:
            signer = await self._renewed()
        signed = [(name, " ".join(value.split())) for name, value in headers]  # the form that is signed, by the vendor
        url = f"{self._origin}{path}?{signer.query(method, path, extra, signed)}"
        self.requests[operation] += 1
        lines = [f"{name}: {value}" for name, value in headers]
        if body is None and method == "POST":
            lines.append("content-length: 0")
        return await self._http.send(method, url, lines, body, expect_bytes=expect_bytes, late=late)

    async def renew(self) -> None:
        """Forget the signer, so that the next request asks for fresh credentials."""
        self._renew_at = 0.0

    async def _send(
        self, method: str, key: str, extra: Pairs, lines: list[str], checksums: bool, expect: int
    ) -> Answer:
        path = self._path + encode_key(key)
        signer = self._signer
        if signer is None or time.monotonic() >= self._renew_at:
            signer = await self._renewed()
        if checksums:
            lines.append(_CHECKSUMS_LINE)
        url = f"{self._origin}{path}?{signer.query(method, path, extra, _CHECKSUMS if checksums else ())}"
        self.requests["GetObject" if method == "GET" else "HeadObject"] += 1
        answer = await self._http.send(method, url, lines, expect_bytes=expect)
        if answer.status not in (200, 206):
            raise error_of(answer)
        return answer

    async def _renewed(self) -> Presigner:
        async with self._renewal:
            if self._signer is None or time.monotonic() >= self._renew_at:
                fresh = await self._credentials()
                if fresh != self._signed_with or self._signer is None:
                    self._signer = Presigner(fresh, self._region, self._host)
                    self._signed_with = fresh
                self._renew_at = time.monotonic() + EPOCH_SECONDS
            return self._signer

    async def _complete(self, answer: Answer, key: str, version_id: str | None) -> Answer:
        """Headers with raw UTF-8 are asked for again through the SDK, which can read them. Rare."""
        self.requests["HeadObject"] += 1
        told = await self._header_fallback(key, version_id, answer.etag or None)
        headers = {**answer.headers, **{name: told[name] for name in answer.unreadable if name in told}}
        if any(name not in told for name in answer.unreadable):
            headers[UNREADABLE] = "1"
        return Answer(answer.status, headers, answer.body)


def _extra(version_id: str | None) -> Pairs:
    return [("versionId", version_id)] if version_id is not None else []

