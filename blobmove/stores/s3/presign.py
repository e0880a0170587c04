"""Presigned S3 URLs (Signature Version 4 in the query), with the day's signing key kept.

Owned because a URL a request is on the hot path: about 20 us here against 515-666 us for the SDK's
`generate_presigned_url` (s3.md section 6.1). A property test holds it equal to botocore's.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

_PATH_SAFE: Final = "/-_.~"
_VALUE_SAFE: Final = "-_.~"


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key; `token` for temporary ones. The repr shows no secret."""

    access_key: str
    secret_key: str
    token: str | None = None

    def __repr__(self) -> str:
        return f"Credentials({self.access_key[:4]}..., token={'yes' if self.token else 'no'})"


class Presigner:
    """Signs GET and HEAD requests for one host with one set of credentials."""

    def __init__(self, credentials: Credentials, region: str, host: str) -> None:
        self._credentials = credentials
        self._region = region
        self._host = host
        self._day = ""
        self._key = b""
        token = credentials.token
        self._token = f"&X-Amz-Security-Token={quote(token, safe=_VALUE_SAFE)}" if token else ""

    def query(
        self,
        method: str,
        path: str,
        extra: Sequence[tuple[str, str]] = (),
        headers: Sequence[tuple[str, str]] = (),
        *,
        now: datetime | None = None,
        expires: int = 3600,
    ) -> str:
        """The query string that makes `method` on the encoded `path` valid for `expires` seconds from `now` (UTC).

        `extra` are further query parameters (`versionId`, `partNumber`), `headers` the `x-amz-*` headers that will be
        sent (S3 answers 403 to one that is not signed), names in lower case; all of them are signed.
        """
        signed = sorted([("host", self._host), *headers])
        names = ";".join(name for name, _ in signed)
        moment = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
        day = moment[:8]
        scope = f"{day}/{self._region}/s3/aws4_request"
        credential = quote(f"{self._credentials.access_key}/{scope}", safe=_VALUE_SAFE)
        query = (
            f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}&X-Amz-Date={moment}"
            f"&X-Amz-Expires={expires}{self._token}&X-Amz-SignedHeaders={quote(names, safe=_VALUE_SAFE)}"
        )
        for name, value in sorted(extra):  # byte order: X-Amz-* sorts before lower case
            query += f"&{quote(name, safe=_VALUE_SAFE)}={quote(value, safe=_VALUE_SAFE)}"
        lines = "".join(f"{name}:{value}\n" for name, value in signed)
        canonical = f"{method}\n{path}\n{query}\n{lines}\n{names}\nUNSIGNED-PAYLOAD"
        to_sign = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = hmac.digest(self._signing_key(day), to_sign.encode(), "sha256").hex()
        return f"{query}&X-Amz-Signature={signature}"

    def _signing_key(self, day: str) -> bytes:
        if day != self._day:
            key = f"AWS4{self._credentials.secret_key}".encode()
            for part in (day, self._region, "s3", "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._key, self._day = key, day
        return self._key


def encode_key(key: str) -> str:
    """An object key as it goes into a path: percent-encoded once, nothing normalised."""
    return quote(key, safe=_PATH_SAFE)
