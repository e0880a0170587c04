"""S3's errors and XML, with the codes and elements of the vendor's documentation."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import formatdate
from functools import lru_cache
from xml.sax.saxutils import escape

from tests.cloud.wire import Reply, Request

_MESSAGES = {
    "NoSuchKey": "The specified key does not exist.",
    "NoSuchVersion": "The specified version does not exist.",
    "NoSuchBucket": "The specified bucket does not exist",
    "AccessDenied": "Access Denied",
    "SlowDown": "Please reduce your request rate.",
    "ServiceUnavailable": "Service is unable to handle request.",
    "InternalError": "We encountered an internal error. Please try again.",
    "RequestTimeout": "Your socket connection to the server was not read from or written to within the timeout period.",
    "PreconditionFailed": "At least one of the pre-conditions you specified did not hold",
    "InvalidObjectState": "The operation is not valid for the object's storage class",
    "InvalidRange": "The requested range is not satisfiable",
    "InvalidPartNumber": "The requested partnumber is not satisfiable",
    "MethodNotAllowed": "The specified method is not allowed against this resource.",
    "ExpiredToken": "The provided token has expired.",
    "InvalidToken": "The provided token is malformed or otherwise invalid.",
    "InvalidAccessKeyId": "The AWS Access Key Id you provided does not exist in our records.",
    "SignatureDoesNotMatch": "The request signature we calculated does not match the signature you provided. "
                             "Check your key and signing method.",
    "RestoreAlreadyInProgress": "Object restore is already in progress",
    "NotImplemented": "A header you provided implies functionality that is not implemented",
    "NoSuchTagSet": "The TagSet does not exist",
    "InvalidRequest": "Invalid Request",
    "BadDigest": "The Content-MD5 or checksum value that you specified did not match what the server received.",
    "InvalidDigest": "The Content-MD5 or checksum value that you specified is not valid.",
    "NoSuchUpload": "The specified multipart upload does not exist. The upload ID might be invalid, or the multipart "
                    "upload might have been aborted or completed.",
    "InvalidPart": "One or more of the specified parts could not be found.",
    "InvalidPartOrder": "The list of parts was not in ascending order.",
    "EntityTooSmall": "Your proposed upload is smaller than the minimum allowed object size.",
    "MetadataTooLarge": "Your metadata headers exceed the maximum allowed metadata size.",
}

_BY_STATUS = {
    400: "InvalidRequest", 403: "AccessDenied", 404: "NoSuchKey", 405: "MethodNotAllowed", 412: "PreconditionFailed",
    416: "InvalidRange", 500: "InternalError", 501: "NotImplemented", 503: "SlowDown",
}


class S3Error(Exception):
    """An error answer: `more` are extra XML elements, `headers` extra headers."""

    def __init__(
        self, status: int, code: str, message: str = "", more: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message or _MESSAGES.get(code, code)
        self.more = dict(more or {})
        self.headers = dict(headers or {})


def common_headers(now: float) -> dict[str, str]:
    """The headers on every answer."""
    return {
        "x-amz-id-2": "c2ltdWxhdGVkLWNsb3VkLWhvc3QtaWQ=",
        "x-amz-request-id": "5A1D5A1D5A1D5A1D",
        "Date": _date(int(now)),
        "Server": "AmazonS3",
    }


@lru_cache(maxsize=8)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)


def error_reply(error: S3Error, request: Request, now: float) -> Reply:
    """The error as XML; without a body for HEAD, as S3 does."""
    headers = common_headers(now) | error.headers
    if request.method == "HEAD" or error.status == 304:
        return Reply(error.status, headers)
    headers["Content-Type"] = "application/xml"
    fields = {"Code": error.code, "Message": error.message, **error.more}
    if request.key and error.code in ("NoSuchKey", "NoSuchVersion"):
        fields["Key"] = request.key
    fields |= {"RequestId": headers["x-amz-request-id"], "HostId": headers["x-amz-id-2"]}
    return xml_reply(error.status, headers, "<Error>" + elements(fields) + "</Error>")


def plain_error(status: int, code: str, message: str) -> S3Error:
    """An error by status and, where known, code."""
    return S3Error(status, code or _BY_STATUS.get(status, f"Http{status}"), message)


def elements(fields: Mapping[str, str]) -> str:
    return "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields.items())


def xml_reply(status: int, headers: dict[str, str], inner: str) -> Reply:
    headers["Content-Type"] = "application/xml"
    return Reply(status, headers, f'<?xml version="1.0" encoding="UTF-8"?>\n{inner}'.encode())
