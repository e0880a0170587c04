"""Put Blob From URL and Put Block From URL: Azure pulls from the S3 side, through S3's own weather and faults."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Final

from tests.cloud.azure_answers import AzureError, common_headers
from tests.cloud.azure_blocks import checked_block_id
from tests.cloud.azure_state import Account, Container, check_write
from tests.cloud.azure_write import compare_crc64, compare_md5, described, written
from tests.cloud.content import Content, Mod251, Raw, digest, recognised
from tests.cloud.side import SourceLost
from tests.cloud.wire import Reply, Request, body_size

URL_LIMIT: Final = 2048
_ERROR: Final = re.compile(r"<(Code|Message)>([^<]*)</")
_PASSED_ON: Final = ("Content-Type", "Content-Encoding", "Content-Language", "Content-Disposition", "Cache-Control")

Fetch = Callable[[str, dict[str, str]], Reply | None]
"""Asks the S3 side for a URL with headers; None where the URL is not of this cloud."""


class Puller:
    """The server-side copies. `fetch` may raise SourceLost."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    def put_blob(self, account: Account, container: Container, request: Request, now: float) -> Reply:
        """Put Blob From URL: the whole source becomes the blob; its MD5 is computed and stored (azure-blob.md 2)."""
        check_write(container.blobs.get(request.key), request, lease_first=account.lease_first)
        source, content = self._pull(request, {})
        md5 = digest(content, "MD5")
        told = request.headers.get("x-ms-source-content-md5")
        if told is not None:
            compare_md5(told, md5)
        blob = described(account, container, request, content, now)
        if request.headers.get("x-ms-copy-source-blob-properties", "true") == "true":
            blob.headers = {name: source.headers[name] for name in _PASSED_ON if name in source.headers} | {
                name: value for name, value in blob.headers.items()
                if name != "Content-Type" or "x-ms-blob-content-type" in request.headers}
        blob.md5 = md5
        container.commit(blob)
        headers = written(blob, now)
        headers["Content-MD5"] = base64.b64encode(md5).decode()
        headers["x-ms-content-crc64"] = base64.b64encode(digest(content, "CRC64NVME")[::-1]).decode()
        return Reply(201, headers)

    def put_block(self, account: Account, container: Container, request: Request, now: float) -> Reply:
        """Put Block From URL: one range of the source becomes one block."""
        block_id = checked_block_id(container, request)
        told_range = request.headers.get("x-ms-source-range")
        _, content = self._pull(request, {"range": told_range} if told_range else {})
        told_md5, told_crc = (request.headers.get(f"x-ms-source-content-{kind}") for kind in ("md5", "crc64"))
        if told_md5 is not None and told_crc is not None:
            raise AzureError(400, "BothCrc64AndMd5HeaderPresent")
        headers = common_headers(now) | {"x-ms-request-server-encrypted": "true"}
        if told_md5 is not None:
            compare_md5(told_md5, digest(content, "MD5"))
            headers["Content-MD5"] = told_md5
        if told_crc is not None:
            compare_crc64(told_crc, content, "x-ms-source-content-crc64")
        if told_md5 is None:
            headers["x-ms-content-crc64"] = base64.b64encode(digest(content, "CRC64NVME")[::-1]).decode()
        container.stage(request.key, block_id, content)
        return Reply(201, headers)

    def _pull(self, request: Request, headers: dict[str, str]) -> tuple[Reply, Content]:
        url = request.headers["x-ms-copy-source"]
        if request.body:
            raise AzureError(400, "InvalidHeaderValue", more={"HeaderName": "Content-Length"})
        if len(url) > URL_LIMIT:
            raise AzureError(400, "InvalidHeaderValue", more={"HeaderName": "x-ms-copy-source"})
        try:
            source = self._fetch(_as_the_service_asks(url), headers)
        except SourceLost:
            raise AzureError(500, "CannotVerifyCopySource") from None
        if source is None:
            raise AzureError(404, "CannotVerifyCopySource", more={"CopySourceStatusCode": "404"})
        if source.status not in (200, 206):
            raise _mirrored(source)
        expected = request.headers.get("x-ms-source-if-match")
        if expected is not None and expected.strip('"') != source.headers.get("ETag", "").strip('"'):
            raise AzureError(412, "SourceConditionNotMet")
        return source, _taken(source)


def _as_the_service_asks(url: str) -> str:
    """The live service normalises the source's path: dots at its end do not survive (wellcomecollection #4776)."""
    path, mark, query = url.partition("?")
    return path.rstrip(".") + mark + query


def _taken(source: Reply) -> Content:
    body = source.body
    if isinstance(body, bytes):
        return recognised(body)
    return body if isinstance(body, Mod251 | Raw) else recognised(body.read(0, body_size(body)))


def _mirrored(source: Reply) -> AzureError:
    """The source's refusal as Azure passes it on: same status, its code and message among the details."""
    text = source.body.decode("utf-8", "replace") if isinstance(source.body, bytes) else ""
    told = dict(_ERROR.findall(text))
    more = {
        "CopySourceStatusCode": str(source.status),
        "CopySourceErrorCode": told.get("Code", ""),
        "CopySourceErrorMessage": told.get("Message", ""),
    }
    return AzureError(source.status, "CannotVerifyCopySource", told.get("Message", ""), more,
                      {"x-ms-copy-source-status-code": str(source.status),
                       "x-ms-copy-source-error-code": told.get("Code", "")})
