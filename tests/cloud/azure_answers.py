"""Azure Blob's errors and XML, with the codes of the vendor's documentation."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import formatdate
from functools import lru_cache
from xml.sax.saxutils import escape

from tests.cloud.wire import Reply, Request

API_VERSION = "2026-06-06"

_MESSAGES = {
    "AuthenticationFailed": "Server failed to authenticate the request. Make sure the value of Authorization header is "
                            "formed correctly including the signature.",
    "BlobAlreadyExists": "The specified blob already exists.",
    "BlobArchived": "This operation is not permitted on an archived blob.",
    "BlobNotFound": "The specified blob does not exist.",
    "BlockCountExceedsLimit": "The uncommitted block count cannot exceed the maximum limit of 100,000 blocks.",
    "BlockListTooLong": "The block list may not contain more than 50,000 blocks.",
    "BothCrc64AndMd5HeaderPresent": "Both x-ms-content-crc64 header and Content-MD5 header are present.",
    "CannotVerifyCopySource": "Could not verify the copy source within the specified time.",
    "ConditionNotMet": "The condition specified using HTTP conditional header(s) is not met.",
    "ContainerAlreadyExists": "The specified container already exists.",
    "ContainerNotFound": "The specified container does not exist.",
    "Crc64Mismatch": "The CRC64 value specified in the request did not match with the CRC64 value calculated by the "
                     "server.",
    "InternalError": "Server encountered an internal error. Please try again after some time.",
    "InvalidAuthenticationInfo": "Server failed to authenticate the request. Please refer to the information in the "
                                 "www-authenticate header.",
    "InvalidBlobOrBlock": "The specified blob or block content is invalid.",
    "InvalidBlobType": "The blob type is invalid for this operation.",
    "InvalidBlockList": "The specified block list is invalid.",
    "InvalidHeaderValue": "The value for one of the HTTP headers is not in the correct format.",
    "InvalidMd5": "The MD5 value specified in the request is invalid. MD5 value must be 128 bits and base64 encoded.",
    "InvalidMetadata": "The metadata specified is invalid. It has characters that are not permitted.",
    "InvalidQueryParameterValue": "Value for one of the query parameters specified in the request URI is invalid.",
    "InvalidRange": "The range specified is invalid for the current size of the resource.",
    "InvalidResourceName": "The specified resource name contains invalid characters.",
    "InvalidXmlDocument": "XML specified is not syntactically valid.",
    "LeaseIdMismatchWithBlobOperation": "The lease ID specified did not match the lease ID for the blob.",
    "LeaseIdMissing": "There is currently a lease on the blob and no lease ID was specified in the request.",
    "Md5Mismatch": "The MD5 value specified in the request did not match with the MD5 value calculated by the server.",
    "MetadataTooLarge": "The size of the specified metadata exceeds the maximum size permitted.",
    "MissingRequiredHeader": "An HTTP header that's mandatory for this request is not specified.",
    "NoAuthenticationInformation": "Server failed to authenticate the request. Please refer to the information in the "
                                   "www-authenticate header.",
    "OperationTimedOut": "Operation could not be completed within the specified time.",
    "OutOfRangeInput": "One of the request inputs is out of range.",
    "ServerBusy": "The server is busy.",
    "SourceConditionNotMet": "The source condition specified using HTTP conditional header(s) is not met.",
    "UnsupportedHttpVerb": "The resource doesn't support specified Http Verb.",
}

_BY_STATUS = {
    400: "InvalidHeaderValue", 401: "InvalidAuthenticationInfo", 403: "AuthorizationFailure", 404: "BlobNotFound",
    409: "BlobAlreadyExists", 412: "ConditionNotMet", 500: "InternalError", 503: "ServerBusy",
}


class AzureError(Exception):
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
        "Server": "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0",
        "x-ms-request-id": "5a1d5a1d-001e-0000-5a1d-5a1d5a000000",
        "x-ms-version": API_VERSION,
        "Date": http_date(int(now)),
    }


@lru_cache(maxsize=4096)
def http_date(second: int) -> str:
    return formatdate(second, usegmt=True)


def error_reply(error: AzureError, request: Request, now: float) -> Reply:
    """The error as XML and as `x-ms-error-code`; without a body for HEAD."""
    headers = common_headers(now) | {"x-ms-error-code": error.code} | error.headers
    if request.method == "HEAD":
        return Reply(error.status, headers)
    headers["Content-Type"] = "application/xml"
    time = datetime.fromtimestamp(now, UTC).isoformat(timespec="microseconds").replace("+00:00", "0Z")
    message = f"{error.message}\nRequestId:{headers['x-ms-request-id']}\nTime:{time}"
    fields = {"Code": error.code, "Message": message, **error.more}
    return xml_reply(error.status, headers, "<Error>" + elements(fields) + "</Error>")


def plain_error(status: int, code: str, message: str) -> AzureError:
    """An error by status and, where known, code."""
    return AzureError(status, code or _BY_STATUS.get(status, f"Http{status}"), message)


def elements(fields: Mapping[str, str]) -> str:
    return "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields.items())


def xml_reply(status: int, headers: dict[str, str], inner: str) -> Reply:
    """XML as Azure sends it: UTF-8 with a byte order mark."""
    headers["Content-Type"] = "application/xml"
    return Reply(status, headers, f'\ufeff<?xml version="1.0" encoding="utf-8"?>{inner}'.encode())
