"""What an S3 error answer means for one object and for the run: decided on the error code, here and nowhere else."""

from __future__ import annotations

import re
from typing import Final

from blobmove.core.errors import Kind, Side, StoreError
from blobmove.core.secrets import redact
from blobmove.stores.http import Answer

_CODE: Final = re.compile(r"<Code>([^<]{1,100})</Code>")
_MESSAGE: Final = re.compile(r"<Message>([^<]{1,600})</Message>")

_BY_CODE: Final = {
    "InvalidObjectState": Kind.ARCHIVED,
    "ExpiredToken": Kind.EXPIRED,
    "ExpiredTokenException": Kind.EXPIRED,
    "TokenRefreshRequired": Kind.EXPIRED,
    "RequestTimeout": Kind.TRANSIENT,
    "SlowDown": Kind.THROTTLED,
    "ThrottlingException": Kind.THROTTLED,
    "Throttling": Kind.THROTTLED,
    "RequestLimitExceeded": Kind.THROTTLED,
    "ServiceUnavailable": Kind.THROTTLED,
    "InternalError": Kind.TRANSIENT,
    "OperationAborted": Kind.TRANSIENT,
    "NoSuchBucket": Kind.STOP_CONFIG,
    "PermanentRedirect": Kind.STOP_CONFIG,
    "AuthorizationHeaderMalformed": Kind.STOP_CONFIG,
    "AuthorizationQueryParametersError": Kind.STOP_CONFIG,
    "InvalidAccessKeyId": Kind.STOP_ACCESS,
    "SignatureDoesNotMatch": Kind.DENIED,  # a wrong secret, or a proxy that rewrites the path of this key
    "InvalidToken": Kind.STOP_ACCESS,
    "RequestTimeTooSkewed": Kind.STOP_ACCESS,
    "AccountProblem": Kind.STOP_ACCESS,
    "AllAccessDisabled": Kind.STOP_ACCESS,
    "NoSuchKey": Kind.MISSING,
    "NoSuchVersion": Kind.MISSING,
    "PreconditionFailed": Kind.CHANGED,
    "InvalidRange": Kind.CHANGED,
}

_BY_STATUS: Final = {
    301: Kind.STOP_CONFIG,
    302: Kind.STOP_CONFIG,
    307: Kind.STOP_CONFIG,
    308: Kind.STOP_CONFIG,
    401: Kind.STOP_ACCESS,
    403: Kind.DENIED,
    404: Kind.MISSING,
    405: Kind.MISSING,  # an explicit version that is a delete marker
    412: Kind.CHANGED,
    416: Kind.CHANGED,
    408: Kind.TRANSIENT,
    429: Kind.THROTTLED,
    503: Kind.THROTTLED,
}


def error_of(answer: Answer) -> StoreError:
    """The classified error for an answer that is not 200 or 206. HEAD answers have no body, so no code."""
    from html import unescape  # its table of all names is loaded with the first error only

    text = bytes(answer.body[:4096]).decode("utf-8", "replace")
    found = _CODE.search(text)
    code = found.group(1) if found else f"Http{answer.status}"
    message = _MESSAGE.search(text)
    detail = unescape(message.group(1)) if message else ""
    return StoreError(
        Side.SOURCE,
        classify(answer.status, code, detail),
        code,
        redact(_with_region(answer, detail)),
        status=answer.status,
        retry_after=_seconds(answer.headers.get("retry-after")),
    )


def classify(status: int, code: str, detail: str) -> Kind:
    """The kind of an S3 error (s3.md sections 4 and 5)."""
    if code == "AccessDenied" and "expired" in detail.lower():
        return Kind.EXPIRED  # a presigned URL older than its validity: sign again
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status)
    if kind is not None:
        return kind
    return Kind.TRANSIENT if status >= 500 else Kind.REJECTED


def _with_region(answer: Answer, detail: str) -> str:
    region = answer.headers.get("x-amz-bucket-region")
    return f"{detail} (the bucket is in {region})" if region and answer.status in (301, 307, 400) else detail


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.isdecimal() else None
