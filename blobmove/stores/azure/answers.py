"""What an Azure Blob error answer means for one blob and for the run: decided on the error code, never on a class."""

from __future__ import annotations

import re
from typing import Final

from blobmove.core.errors import Kind, PullRefused, Side, StoreError
from blobmove.core.secrets import redact
from blobmove.stores.http import Answer

_CODE: Final = re.compile(r"<Code>([^<]{1,100})</Code>")
_MESSAGE: Final = re.compile(r"<Message>([^<]{1,600})</Message>")

_BY_CODE: Final = {
    "ServerBusy": Kind.THROTTLED,
    "OperationTimedOut": Kind.TRANSIENT,
    "InternalError": Kind.TRANSIENT,
    "Md5Mismatch": Kind.CORRUPT,
    "Crc64Mismatch": Kind.CORRUPT,
    "BlobAlreadyExists": Kind.EXISTS,
    "ConditionNotMet": Kind.EXISTS,
    "TargetConditionNotMet": Kind.EXISTS,
    "BlobArchived": Kind.REJECTED,
    "BlobImmutableDueToPolicy": Kind.REJECTED,
    "LeaseIdMissing": Kind.REJECTED,
    "LeaseIdMismatchWithBlobOperation": Kind.REJECTED,
    "InvalidBlobOrBlock": Kind.DISTURBED,  # uncommitted ids of another length have come
    "InvalidBlockList": Kind.DISTURBED,  # uncommitted blocks have gone: somebody committed without them
    "BlobNotFound": Kind.MISSING,
    "ResourceNotFound": Kind.MISSING,
    "ContainerNotFound": Kind.STOP_CONFIG,
    "ContainerBeingDeleted": Kind.STOP_CONFIG,
    "ContainerDisabled": Kind.STOP_CONFIG,
    "AccountIsDisabled": Kind.STOP_CONFIG,
    "InvalidAuthenticationInfo": Kind.EXPIRED,  # an expired or malformed bearer token: renewed once, then given up
    "AuthenticationFailed": Kind.EXPIRED,
    "AuthorizationFailure": Kind.DENIED,  # a firewall, or a SAS that reaches less than the container
    "AuthorizationPermissionMismatch": Kind.DENIED,  # a role, or its condition on single blobs
    "AuthorizationProtocolMismatch": Kind.STOP_ACCESS,
    "AuthorizationServiceMismatch": Kind.STOP_ACCESS,
    "AuthorizationResourceTypeMismatch": Kind.STOP_ACCESS,
    "InsufficientAccountPermissions": Kind.STOP_ACCESS,
    "KeyBasedAuthenticationNotPermitted": Kind.STOP_ACCESS,
    "PublicAccessNotPermitted": Kind.STOP_ACCESS,
    "NoAuthenticationInformation": Kind.STOP_ACCESS,
}

_BY_STATUS: Final = {
    401: Kind.EXPIRED,
    403: Kind.DENIED,
    404: Kind.MISSING,
    408: Kind.TRANSIENT,
    412: Kind.EXISTS,
    429: Kind.THROTTLED,
    503: Kind.THROTTLED,
}


def error_of(answer: Answer) -> StoreError:
    """The classified error for an answer outside 2xx (azure-blob.md section 5.2)."""
    text = bytes(answer.body[:4096]).decode("utf-8", "replace")
    found = _CODE.search(text)
    code = answer.headers.get("x-ms-error-code") or (found.group(1) if found else f"Http{answer.status}")
    message = _MESSAGE.search(text)
    detail = _plain(message.group(1)).partition("\n")[0].strip() if message else ""
    return StoreError(
        Side.DESTINATION,
        classify(answer.status, code),
        code,
        redact(detail),
        status=answer.status,
        retry_after=_seconds(answer.headers.get("retry-after")),
    )


_ABOUT_SOURCE: Final = frozenset({
    "CannotVerifyCopySource", "SourceConditionNotMet", "InvalidSourceBlobUrl", "InvalidSourceBlobType",
    "OutOfRangeInput", "APINotImplemented", "FeatureNotSupported",
})  # fmt: skip
_SOURCE: Final = re.compile(r"<(CopySource(?:StatusCode|ErrorCode|ErrorMessage))>([^<]{1,600})</")


def pull_error_of(answer: Answer) -> StoreError:
    """Like error_of, for a copy from a URL: PullRefused where the cause is the source, its own answer told apart.

    Azure passes the source's answer on in `x-ms-copy-source-*` headers and in the body (azure-blob.md section 1.4).
    """
    error = error_of(answer)
    text = bytes(answer.body[:4096]).decode("utf-8", "replace")
    told = dict(_SOURCE.findall(text))
    status = answer.headers.get("x-ms-copy-source-status-code") or told.get("CopySourceStatusCode", "")
    code = answer.headers.get("x-ms-copy-source-error-code") or told.get("CopySourceErrorCode", "")
    about_header = error.status == 400 and ("x-ms-copy-source" in text or "x-ms-source-" in text)
    if not (status or code or about_header or error.code in _ABOUT_SOURCE or error.status == 501):
        return error
    if error.kind is Kind.CORRUPT:
        return error
    detail = _plain(told.get("CopySourceErrorMessage", error.detail))
    return PullRefused(
        error.code, "" if "://" in detail else redact(detail), status=error.status,
        source_status=int(status) if status.isdecimal() else 0, source_code=code,
    )  # fmt: skip


def _plain(text: str) -> str:
    """XML's text without its entities; the table of all names is loaded with the first error only."""
    from html import unescape

    return unescape(text)


def classify(status: int, code: str) -> Kind:
    """The kind of an Azure error code; unknown codes go by their status."""
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status)
    if kind is not None:
        return kind
    return Kind.TRANSIENT if status >= 500 else Kind.REJECTED


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.isdecimal() else None
