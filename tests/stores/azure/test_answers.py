"""Azure's error answers: each code means one thing for the blob and for the run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blobmove.core.errors import Kind, PullRefused, Side
from blobmove.stores.azure.answers import classify, error_of, pull_error_of
from blobmove.stores.http import Answer

XML = '\ufeff<?xml version="1.0" encoding="utf-8"?><Error><Code>{}</Code><Message>{}</Message></Error>'

CODES = [
    (503, "ServerBusy", Kind.THROTTLED),
    (500, "OperationTimedOut", Kind.TRANSIENT), (500, "InternalError", Kind.TRANSIENT),
    (400, "Md5Mismatch", Kind.CORRUPT), (400, "Crc64Mismatch", Kind.CORRUPT),
    (409, "BlobAlreadyExists", Kind.EXISTS), (412, "ConditionNotMet", Kind.EXISTS),
    (412, "TargetConditionNotMet", Kind.EXISTS),
    (409, "BlobArchived", Kind.REJECTED), (409, "BlobImmutableDueToPolicy", Kind.REJECTED),
    (412, "LeaseIdMissing", Kind.REJECTED), (409, "LeaseIdMismatchWithBlobOperation", Kind.REJECTED),
    (400, "InvalidBlobOrBlock", Kind.DISTURBED), (400, "InvalidBlockList", Kind.DISTURBED),
    (404, "BlobNotFound", Kind.MISSING), (404, "ResourceNotFound", Kind.MISSING),
    (404, "ContainerNotFound", Kind.STOP_CONFIG), (409, "ContainerBeingDeleted", Kind.STOP_CONFIG),
    (409, "ContainerDisabled", Kind.STOP_CONFIG), (403, "AccountIsDisabled", Kind.STOP_CONFIG),
    (401, "InvalidAuthenticationInfo", Kind.EXPIRED), (403, "AuthenticationFailed", Kind.EXPIRED),
    (403, "AuthorizationFailure", Kind.DENIED), (403, "AuthorizationPermissionMismatch", Kind.DENIED),
    (403, "AuthorizationProtocolMismatch", Kind.STOP_ACCESS), (403, "AuthorizationServiceMismatch", Kind.STOP_ACCESS),
    (403, "AuthorizationResourceTypeMismatch", Kind.STOP_ACCESS),
    (403, "InsufficientAccountPermissions", Kind.STOP_ACCESS),
    (403, "KeyBasedAuthenticationNotPermitted", Kind.STOP_ACCESS),
    (409, "PublicAccessNotPermitted", Kind.STOP_ACCESS),
    (401, "NoAuthenticationInformation", Kind.STOP_ACCESS),
    (400, "InvalidMetadata", Kind.REJECTED), (400, "InvalidHeaderValue", Kind.REJECTED),
    (409, "ResourceTypeMismatch", Kind.REJECTED), (413, "RequestBodyTooLarge", Kind.REJECTED),
]  # fmt: skip


@pytest.mark.parametrize(("status", "code", "kind"), CODES)
def test_a_code_has_its_kind_wherever_it_stands(status: int, code: str, kind: Kind) -> None:
    text = XML.format(code, "Some &amp; words.\nRequestId:1\nTime:2026-11-22T03:00:00Z")
    by_body = error_of(Answer(status, {}, text.encode()))
    by_header = error_of(Answer(status, {"x-ms-error-code": code}, b""))
    assert (by_body.side, by_body.kind, by_body.code) == (Side.DESTINATION, kind, code)
    assert (by_header.kind, by_header.code, by_header.status) == (kind, code, status)
    assert by_body.detail == "Some & words."


def test_the_header_has_the_last_word() -> None:
    text = XML.format("BlobNotFound", "x").encode()
    found = error_of(Answer(404, {"x-ms-error-code": "ContainerNotFound"}, text))
    assert found.kind is Kind.STOP_CONFIG


@pytest.mark.parametrize(("status", "kind"), [
    (304, Kind.REJECTED), (400, Kind.REJECTED), (401, Kind.EXPIRED), (403, Kind.DENIED), (404, Kind.MISSING),
    (408, Kind.TRANSIENT), (409, Kind.REJECTED), (412, Kind.EXISTS), (429, Kind.THROTTLED), (500, Kind.TRANSIENT),
    (502, Kind.TRANSIENT), (503, Kind.THROTTLED), (504, Kind.TRANSIENT),
])
def test_an_unknown_code_goes_by_its_status(status: int, kind: Kind) -> None:
    assert classify(status, "SomethingNew") is kind
    found = error_of(Answer(status, {"retry-after": "3"}, b"<html>"))
    assert (found.kind, found.code, found.detail, found.retry_after) == (kind, f"Http{status}", "", 3.0)


@given(st.integers(300, 599), st.binary(max_size=200), st.text(max_size=20))
def test_no_answer_is_an_error_of_ours(status: int, body: bytes, retry_after: str) -> None:
    found = error_of(Answer(status, {"retry-after": retry_after}, body))
    assert found.side is Side.DESTINATION
    assert found.code


URL = "https://bucket.s3.amazonaws.com/key?X-Amz-Signature=abcdef"
REFUSED = (
    "<Error><Code>CannotVerifyCopySource</Code><Message>Forbidden</Message><CopySourceStatusCode>403"
    "</CopySourceStatusCode><CopySourceErrorCode>AccessDenied</CopySourceErrorCode><CopySourceErrorMessage>Request has "
    "expired</CopySourceErrorMessage></Error>"
)


def test_a_refused_pull_tells_the_source_s_own_answer_from_headers_or_body() -> None:
    by_body = pull_error_of(Answer(403, {}, REFUSED.encode()))
    by_header = pull_error_of(Answer(404, {
        "x-ms-error-code": "CannotVerifyCopySource", "x-ms-copy-source-status-code": "404",
        "x-ms-copy-source-error-code": "NoSuchKey"}, b""))
    assert isinstance(by_body, PullRefused)
    assert (by_body.source_status, by_body.source_code) == (403, "AccessDenied")
    assert (by_body.kind, by_body.code, by_body.detail) == (
        Kind.REJECTED, "CannotVerifyCopySource", "Request has expired")
    assert isinstance(by_header, PullRefused)
    assert (by_header.source_status, by_header.source_code) == (404, "NoSuchKey")


@pytest.mark.parametrize(("status", "code"), [
    (412, "SourceConditionNotMet"), (501, "APINotImplemented"), (500, "CannotVerifyCopySource"),
    (400, "OutOfRangeInput"),
])
def test_a_pull_can_be_refused_without_a_word_of_the_source(status: int, code: str) -> None:
    refused = pull_error_of(Answer(status, {"x-ms-error-code": code}, b""))
    assert isinstance(refused, PullRefused)
    assert (refused.status, refused.source_status, refused.source_code) == (status, 0, "")


@pytest.mark.parametrize(("status", "code", "kind"), [
    (400, "Md5Mismatch", Kind.CORRUPT), (409, "BlobAlreadyExists", Kind.EXISTS), (412, "ConditionNotMet", Kind.EXISTS),
    (503, "ServerBusy", Kind.THROTTLED), (404, "ContainerNotFound", Kind.STOP_CONFIG),
])
def test_what_is_not_about_the_source_means_what_it_always_means(status: int, code: str, kind: Kind) -> None:
    error = pull_error_of(Answer(status, {"x-ms-error-code": code}, b""))
    assert not isinstance(error, PullRefused)
    assert error.kind is kind


def test_the_url_that_azure_repeats_is_in_no_text() -> None:
    body = (f"<Error><Code>InvalidHeaderValue</Code><Message>The value {URL} is too long</Message>"
            f"<HeaderName>x-ms-copy-source</HeaderName><HeaderValue>{URL}</HeaderValue></Error>")
    refused = pull_error_of(Answer(400, {}, body.encode()))
    assert isinstance(refused, PullRefused)
    assert "abcdef" not in f"{refused} {refused.detail} {refused!r}"
    assert "bucket" not in f"{refused} {refused.detail}"
