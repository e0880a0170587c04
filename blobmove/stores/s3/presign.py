"""Presigned S3 URLs (Signature Version 4 in the query), with the day's signing key kept.

Owned because a URL a request is on the hot path: about 7 us here against 515-666 us for the SDK's
`generate_presigned_url` (s3.md section 6.1). A property test holds it equal to botocore's.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from blobmove.core.frozen import frozen

_PATH_SAFE: Final = "/-_.~"
_VALUE_SAFE: Final = "-_.~"
_BLOCK_BYTES: Final = 64
_KEPT: Final = 16
_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))
_PLAIN: Final = re.compile(r"[A-Za-z0-9/\-_.~]*\Z").match


@frozen
class Credentials:
    """An access key; `token` for temporary ones. The repr shows no secret."""

    access_key: str
    secret_key: str
    token: str | None = None

    def __repr__(self) -> str:
        return f"Credentials({self.access_key[:4]}..., token={'yes' if self.token else 'no'})"


class Presigner:
    """Signs GET and HEAD requests for one host with one set of credentials.

    What does not change within a second (scope, date, the day's key) is kept, and HMACs are made from copies of two
    prepared hashes: OpenSSL 3 spends 36 us on an `hmac.digest`, most of it on finding the algorithm.
    """

    def __init__(self, credentials: Credentials, region: str, host: str) -> None:
        self._credentials = credentials
        self._region = region
        self._host = host
        self._second = -1
        self._signed: dict[tuple[tuple[str, str], ...], tuple[str, str]] = {}
        token = credentials.token
        self._token = f"&X-Amz-Security-Token={quote(token, safe=_VALUE_SAFE)}" if token else ""
        self._alone = self._sign_headers(())
        self._day = ""
        self._front = ""
        self._to_sign = ""

    def query(
        self,
        method: str,
        path: str,
        extra: Sequence[tuple[str, str]] = (),
        headers: Sequence[tuple[str, str]] = (),
        *,
        now: float | None = None,
        expires: int = 3600,
    ) -> str:
        """The query string that makes `method` on the encoded `path` valid for `expires` seconds from `now`.

        `now` in seconds since 1970 (None: the clock). `extra` are further query parameters (`versionId`,
        `partNumber`), `headers` the `x-amz-*` headers that will be sent (S3 answers 403 to one that is not signed),
        names in lower case; all of them are signed.
        """
        second = int(time.time() if now is None else now)
        if second != self._second:
            self._tick(second)
        names, tail = self._alone
        if headers:
            known = tuple(headers)
            names, tail = self._signed.get(known) or self._sign_headers(known)
        query = f"{self._front}{expires}{names}"
        if extra:
            for name, value in sorted(extra):  # byte order: X-Amz-* sorts before lower case
                query += f"&{quote(name, safe=_VALUE_SAFE)}={quote(value, safe=_VALUE_SAFE)}"
        canonical = f"{method}\n{path}\n{query}{tail}"
        inner = self._inner.copy()
        inner.update(f"{self._to_sign}{hashlib.sha256(canonical.encode()).hexdigest()}".encode())
        outer = self._outer.copy()
        outer.update(inner.digest())
        return f"{query}&X-Amz-Signature={outer.hexdigest()}"

    def _sign_headers(self, headers: tuple[tuple[str, str], ...]) -> tuple[str, str]:
        """What names these headers and the host in a query, and what ends the text to be signed with them.

        Kept where few kinds are seen.
        """
        signed = sorted([("host", self._host), *headers])
        names, lines = [name for name, _ in signed], "".join(f"{name}:{value}\n" for name, value in signed)
        found = (
            f"{self._token}&X-Amz-SignedHeaders={'%3B'.join(names)}", f"\n{lines}\n{';'.join(names)}\nUNSIGNED-PAYLOAD"
        )
        if len(self._signed) < _KEPT:
            self._signed[headers] = found
        return found

    def _tick(self, second: int) -> None:
        """Prepare all that stays the same for a second, and for a day."""
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
        scope = f"{moment[:8]}/{self._region}/s3/aws4_request"
        credential = quote(f"{self._credentials.access_key}/{scope}", safe=_VALUE_SAFE)
        self._front = (
            f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}&X-Amz-Date={moment}&X-Amz-Expires="
        )
        self._to_sign = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n"
        if moment[:8] != self._day:
            self._day = moment[:8]
            self._prepare(scope)
        self._second = second

    def _prepare(self, scope: str) -> None:
        """The day's signing key, as the two hashes an HMAC is made of (RFC 2104)."""
        key = f"AWS4{self._credentials.secret_key}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        padded = key.ljust(_BLOCK_BYTES, b"\0")
        self._inner = hashlib.sha256(padded.translate(_INNER))
        self._outer = hashlib.sha256(padded.translate(_OUTER))


def encode_key(key: str) -> str:
    """An object key as it goes into a path: percent-encoded once, nothing normalised."""
    return key if _PLAIN(key) else quote(key, safe=_PATH_SAFE)
