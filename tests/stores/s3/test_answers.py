"""S3's error answers: each code means one thing for the object and for the run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blobmove.core.errors import Kind, Side
from blobmove.stores.http import Answer
from blobmove.stores.s3.answers import classify, error_of

XML = '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{}</Code><Message>{}</Message></Error>'


def answer(status: int, text: str = "", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, named, text.encode())


@pytest.mark.parametrize(("status", "code", "kind"), [
    (403, "InvalidObjectState", Kind.ARCHIVED),
    (400, "ExpiredToken", Kind.EXPIRED), (403, "ExpiredTokenException", Kind.EXPIRED),
    (400, "TokenRefreshRequired", Kind.EXPIRED),
    (400, "RequestTimeout", Kind.TRANSIENT), (500, "InternalError", Kind.TRANSIENT),
    (409, "OperationAborted", Kind.TRANSIENT),
    (503, "SlowDown", Kind.THROTTLED), (400, "ThrottlingException", Kind.THROTTLED),
    (400, "Throttling", Kind.THROTTLED),
    (503, "RequestLimitExceeded", Kind.THROTTLED), (503, "ServiceUnavailable", Kind.THROTTLED),
    (404, "NoSuchBucket", Kind.STOP_CONFIG), (301, "PermanentRedirect", Kind.STOP_CONFIG),
    (400, "AuthorizationHeaderMalformed", Kind.STOP_CONFIG),
    (400, "AuthorizationQueryParametersError", Kind.STOP_CONFIG),
    (403, "InvalidAccessKeyId", Kind.STOP_ACCESS), (403, "SignatureDoesNotMatch", Kind.DENIED),
    (400, "InvalidToken", Kind.STOP_ACCESS), (403, "RequestTimeTooSkewed", Kind.STOP_ACCESS),
    (403, "AccountProblem", Kind.STOP_ACCESS), (403, "AllAccessDisabled", Kind.STOP_ACCESS),
    (404, "NoSuchKey", Kind.MISSING), (404, "NoSuchVersion", Kind.MISSING),
    (412, "PreconditionFailed", Kind.CHANGED), (416, "InvalidRange", Kind.CHANGED),
    (403, "AccessDenied", Kind.DENIED), (405, "MethodNotAllowed", Kind.MISSING),
    (400, "InvalidRequest", Kind.REJECTED), (400, "KeyTooLongError", Kind.REJECTED),
])
def test_a_code_has_its_kind(status: int, code: str, kind: Kind) -> None:
    error = error_of(answer(status, XML.format(code, "Some &lt;words&gt; &amp; more")))
    assert (error.side, error.kind, error.code, error.status) == (Side.SOURCE, kind, code, status)
    assert error.detail == "Some <words> & more"


@pytest.mark.parametrize(("status", "kind"), [
    (301, Kind.STOP_CONFIG), (302, Kind.STOP_CONFIG), (307, Kind.STOP_CONFIG), (308, Kind.STOP_CONFIG),
    (400, Kind.REJECTED), (401, Kind.STOP_ACCESS), (403, Kind.DENIED), (404, Kind.MISSING), (405, Kind.MISSING),
    (408, Kind.TRANSIENT), (409, Kind.REJECTED), (412, Kind.CHANGED), (416, Kind.CHANGED), (429, Kind.THROTTLED),
    (500, Kind.TRANSIENT), (502, Kind.TRANSIENT), (503, Kind.THROTTLED), (504, Kind.TRANSIENT), (304, Kind.REJECTED),
])
def test_an_answer_without_a_body_goes_by_its_status(status: int, kind: Kind) -> None:
    error = error_of(answer(status))
    assert (error.kind, error.code, error.detail) == (kind, f"Http{status}", "")
    assert classify(status, "SomethingNew", "") is kind


def test_a_presigned_url_that_ran_out_is_signed_again() -> None:
    error = error_of(answer(403, XML.format("AccessDenied", "Request has expired")))
    assert error.kind is Kind.EXPIRED


@pytest.mark.parametrize(("status", "told"), [(301, True), (307, True), (400, True), (403, False)])
def test_the_right_region_is_told_where_it_helps(status: int, told: bool) -> None:
    error = error_of(answer(status, XML.format("X", "wrong"), x_amz_bucket_region="eu-south-2"))
    assert ("the bucket is in eu-south-2" in error.detail) is told


@pytest.mark.parametrize(("text", "seconds"), [
    ("17", 17.0), ("0", 0.0), ("", None), ("Fri, 31 Dec 1999 23:59:59 GMT", None), ("-3", None), ("²", None),
])
def test_retry_after_is_read_where_it_is_a_number_of_seconds(text: str, seconds: float | None) -> None:
    assert error_of(answer(503, retry_after=text)).retry_after == seconds


@given(st.integers(300, 599), st.binary(max_size=200), st.text(max_size=20))
def test_no_answer_is_an_error_of_ours(status: int, body: bytes, retry_after: str) -> None:
    found = error_of(Answer(status, {"retry-after": retry_after}, body))
    assert found.side is Side.SOURCE
    assert found.code
