"""Who may ask S3: expiry of presigned URLs and tokens always, Signature Version 4 recomputed where it is switched on.

Written from the vendor's description of SigV4, independently of the tool's own signer.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from tests.cloud.s3_answers import S3Error
from tests.cloud.specs import Key, Settings
from tests.cloud.wire import Request

_ALGORITHM: Final = "AWS4-HMAC-SHA256"


class S3Auth:
    """The credentials known and how strictly they are looked at."""

    def __init__(self, settings: Settings) -> None:
        self._check = settings.check_signatures
        self._keys = {one.access_key: one for one in (Key.from_json(told) for told in settings.keys)}

    def allow(self, request: Request, region: str, now: float) -> None:
        """Raises S3Error for an expired URL or token, an unknown key, a wrong signature or signing region."""
        if self._check:
            self._check_region(request, region)
        if "X-Amz-Signature" in request.params:
            self._presigned(request, now)
        elif request.headers.get("authorization", "").startswith(_ALGORITHM):
            self._signed_in_header(request, now)
        elif self._check:
            raise S3Error(403, "AccessDenied")

    def _check_region(self, request: Request, region: str) -> None:
        scope = request.params.get("X-Amz-Credential") or request.headers.get("authorization", "").partition("=")[2]
        told = scope.partition(",")[0].split("/")
        if len(told) > 2 and told[2] != region and request.operation != "HeadBucket":
            code = "AuthorizationQueryParametersError" if request.params else "AuthorizationHeaderMalformed"
            raise S3Error(400, code, f"the region '{told[2]}' is wrong; expecting '{region}'", more={"Region": region},
                          headers={"x-amz-bucket-region": region})

    def _presigned(self, request: Request, now: float) -> None:
        params = request.params
        signed_at = params.get("X-Amz-Date", "")
        ends = _moment(signed_at) + float(params.get("X-Amz-Expires", "0"))
        if now > ends:
            raise S3Error(403, "AccessDenied", "Request has expired", more={
                "X-Amz-Expires": params.get("X-Amz-Expires", ""), "Expires": _iso(ends), "ServerTime": _iso(now)})
        if not self._keys:
            return
        key = self._known(params.get("X-Amz-Credential", ""), params.get("X-Amz-Security-Token"), now)
        if self._check and key is not None:
            names = params.get("X-Amz-SignedHeaders", "").split(";")
            unsigned = [one for one in request.headers if one.startswith("x-amz-") and one not in names]
            if unsigned:
                raise S3Error(403, "AccessDenied", "There were headers present in the request which were not signed",
                              more={"HeadersNotSigned": ", ".join(unsigned)})
            query = sorted(one for one in request.query.split("&") if not one.startswith("X-Amz-Signature="))
            canonical = _canonical(request, query, names, "UNSIGNED-PAYLOAD")
            _compare(canonical, signed_at, params["X-Amz-Credential"], key, params["X-Amz-Signature"])

    def _signed_in_header(self, request: Request, now: float) -> None:
        if not self._keys:
            return
        told = request.headers["authorization"].removeprefix(_ALGORITHM)
        fields = dict(part.strip().partition("=")[::2] for part in told.split(","))
        key = self._known(fields.get("Credential", ""), request.headers.get("x-amz-security-token"), now)
        if self._check and key is not None:
            query = sorted(one if "=" in one else f"{one}=" for one in request.query.split("&") if one)
            names = fields.get("SignedHeaders", "").split(";")
            payload = request.headers.get("x-amz-content-sha256", "")
            canonical = _canonical(request, query, names, payload)
            _compare(canonical, request.headers.get("x-amz-date", ""), fields["Credential"], key, fields["Signature"])

    def _known(self, credential: str, token: str | None, now: float) -> Key | None:
        key = self._keys.get(unquote(credential).partition("/")[0])
        if key is None:
            raise S3Error(403, "InvalidAccessKeyId")
        if key.token != token:
            raise S3Error(400, "InvalidToken")
        if key.expires is not None and now >= key.expires:
            raise S3Error(400, "ExpiredToken")
        return key


def _canonical(request: Request, query: list[str], names: list[str], payload: str) -> str:
    headers = "".join(f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in names)
    return "\n".join((request.method, request.path, "&".join(query), headers, ";".join(names), payload))


def _compare(canonical: str, moment: str, credential: str, key: Key, signature: str) -> None:
    _, _, scope = credential.partition("/")
    to_sign = "\n".join((_ALGORITHM, moment, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    secret = f"AWS4{key.secret_key}".encode()
    for part in scope.split("/"):
        secret = hmac.digest(secret, part.encode(), "sha256")
    if not hmac.compare_digest(hmac.digest(secret, to_sign.encode(), "sha256").hex(), signature):
        raise S3Error(403, "SignatureDoesNotMatch", more={"AWSAccessKeyId": key.access_key})


@lru_cache(maxsize=256)
def _moment(text: str) -> float:
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise S3Error(400, "AuthorizationQueryParametersError", "X-Amz-Date must be in the ISO8601 format") from None


def _iso(seconds: float) -> str:
    return (datetime.fromtimestamp(0, UTC) + timedelta(seconds=int(seconds))).strftime("%Y-%m-%dT%H:%M:%SZ")
