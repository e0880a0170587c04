"""Requests that write to S3: the signature that botocore gives the same request, and nothing of it in a text."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast
from unittest import mock
from urllib.parse import parse_qsl

import pytest
from anyio.lowlevel import checkpoint
from botocore import auth
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials

from blobmove.core.errors import Kind, StoreError
from blobmove.stores.http import Answer, HttpClient
from blobmove.stores.s3.objects import S3Objects
from blobmove.stores.s3.presign import Credentials
from blobmove.stores.s3.writing import S3Writing, SentPart

CREDENTIALS = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "to/ken+=")
HEADERS = [("content-type", "image/png"), ("x-amz-meta-a-b", "two  blanks "), ("cache-control", "max-age=60")]
XML = (
    b"<R><UploadId>up/1+</UploadId><ETag>&quot;e-1&quot;</ETag>"
    b"<ChecksumCRC64NVME>AAAAAAAAAAE=</ChecksumCRC64NVME></R>"
)


@dataclass
class Wire:
    """Keeps what would be sent; answers with a status and a body."""

    status: int = 200
    body: bytes = XML
    sent: list[tuple[str, str, list[tuple[str, str]], bytes | None]] = field(default_factory=list)

    async def send(
        self, method: str, url: str, lines: list[str], body: bytes | None = None, **_: Any  # noqa: ANN401
    ) -> Answer:
        await checkpoint()
        headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
        self.sent.append((method, url, headers, body))
        return Answer(self.status, {"etag": '"e"'}, self.body)


def writing(wire: Wire) -> S3Writing:
    async def credentials() -> Credentials:
        await checkpoint()
        return CREDENTIALS

    base, fallback = "https://acme.s3.eu-central-1.amazonaws.com/", cast(Any, None)
    return S3Writing(S3Objects(cast(HttpClient, wire), base, "eu-central-1", credentials, fallback))


async def every_request(door: S3Writing) -> None:
    """One of each kind."""
    await door.put("dir/ü 1+1=2", b"body", md5=b"m" * 16, headers=HEADERS)
    upload = await door.begin("k", HEADERS)
    assert upload == "up/1+"
    await door.send_part("k", upload, 7, b"part", crc64=1)
    joined = await door.join("k", upload, [SentPart("e1", 1), SentPart("e2", 2)], crc64=b"c" * 8, size=9)
    assert (joined.etag, joined.crc64) == ("e-1", bytes(7) + b"\x01")
    await door.abort("k", upload)
    await door.look("k")


async def test_every_request_is_signed_as_botocore_signs_it_with_all_its_headers() -> None:
    wire = Wire()
    await every_request(writing(wire))
    assert [method for method, *_ in wire.sent] == ["PUT", "POST", "PUT", "POST", "DELETE", "HEAD"]
    for method, url, headers, _ in wire.sent:
        bare, _, query = url.partition("?")
        told = dict(parse_qsl(query, keep_blank_values=True))
        signed = {name: value for name, value in headers if name != "content-length"}
        assert set(told["X-Amz-SignedHeaders"].split(";")) == {"host", *signed}
        extra = {name: value for name, value in told.items() if not name.startswith("X-Amz-")}
        request = AWSRequest(method=method, url=bare, params=extra, headers=signed)
        moment = datetime.strptime(told["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        with mock.patch.object(auth, "get_current_datetime", return_value=moment.replace(tzinfo=None)):
            S3SigV4QueryAuth(
                BotocoreCredentials(CREDENTIALS.access_key, CREDENTIALS.secret_key, CREDENTIALS.token),
                "s3", "eu-central-1", 3600,
            ).add_auth(request)
        theirs = dict(parse_qsl(str(request.url).partition("?")[2], keep_blank_values=True))
        assert told == theirs, method


async def test_all_that_writes_says_that_nothing_may_be_there_and_what_must_arrive() -> None:
    wire = Wire()
    await every_request(writing(wire))
    put, begin, part, join, *_ = [dict(headers) for _, _, headers, _ in wire.sent]
    assert (put["if-none-match"], put["content-md5"]) == ("*", "bW1tbW1tbW1tbW1tbW1tbQ==")
    assert (begin["x-amz-checksum-algorithm"], begin["x-amz-checksum-type"]) == ("CRC64NVME", "FULL_OBJECT")
    assert begin["content-length"] == "0"
    assert part["x-amz-checksum-crc64nvme"] == "AAAAAAAAAAE="
    assert (join["if-none-match"], join["x-amz-mp-object-size"]) == ("*", "9")
    assert join["x-amz-checksum-crc64nvme"] == "Y2NjY2NjY2M="
    body = wire.sent[3][3] or b""
    assert body.index(b"e1") < body.index(b"<PartNumber>1<") < body.index(b"e2") < body.index(b"<PartNumber>2<")


@pytest.mark.parametrize(("status", "code", "kind"), [
    (412, "PreconditionFailed", Kind.EXISTS), (409, "ConditionalRequestConflict", Kind.TRANSIENT),
    (400, "BadDigest", Kind.CORRUPT), (400, "InvalidDigest", Kind.REJECTED), (404, "NoSuchUpload", Kind.DISTURBED),
    (404, "NoSuchBucket", Kind.STOP_CONFIG), (404, "Odd", Kind.REJECTED), (405, "MethodNotAllowed", Kind.REJECTED),
    (501, "NotImplemented", Kind.STOP_CONFIG), (503, "SlowDown", Kind.THROTTLED),
    (500, "InternalError", Kind.TRANSIENT),
    (403, "AccessDenied", Kind.DENIED), (400, "ExpiredToken", Kind.EXPIRED), (400, "KeyTooLongError", Kind.REJECTED),
])  # fmt: skip
async def test_a_refusal_means_for_a_write_what_the_vendor_says(status: int, code: str, kind: Kind) -> None:
    wire = Wire(status, f"<Error><Code>{code}</Code><Message>m</Message></Error>".encode())
    with pytest.raises(StoreError) as caught:
        await writing(wire).put("k", b"body", md5=b"m" * 16, headers=HEADERS)
    assert (caught.value.kind, caught.value.code) == (kind, code)
    assert "Signature" not in f"{caught.value} {caught.value!r}"


@pytest.mark.parametrize(("code", "kind"), [("InternalError", Kind.TRANSIENT), ("BadDigest", Kind.CORRUPT)])
async def test_a_join_that_fails_after_its_200_has_failed(code: str, kind: Kind) -> None:
    wire = Wire(200, b"  \n<Error><Code>" + code.encode() + b"</Code></Error>")
    with pytest.raises(StoreError) as caught:
        await writing(wire).join("k", "up", [SentPart("e", 1)], crc64=b"c" * 8, size=1)
    assert caught.value.kind is kind


async def test_an_upload_without_an_id_is_not_begun() -> None:
    with pytest.raises(StoreError, match="NoUploadId"):
        await writing(Wire(200, b"<R/>")).begin("k", [])
