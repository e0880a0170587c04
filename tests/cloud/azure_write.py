"""Put Blob: what arrived is checked against the checksums sent with it, and stored with its MD5."""

from __future__ import annotations

import base64
import binascii
from typing import Final

from tests.cloud.azure_answers import AzureError, common_headers, http_date
from tests.cloud.azure_names import metadata_of
from tests.cloud.azure_state import Account, Blob, Container, check_write
from tests.cloud.content import Content, digest, recognised
from tests.cloud.wire import Reply, Request

TIERS: Final = frozenset({"Hot", "Cool", "Cold", "Archive"})
_CONTENT_HEADERS: Final = {
    "x-ms-blob-content-type": "Content-Type",
    "x-ms-blob-content-encoding": "Content-Encoding",
    "x-ms-blob-content-language": "Content-Language",
    "x-ms-blob-content-disposition": "Content-Disposition",
    "x-ms-blob-cache-control": "Cache-Control",
}


def put_blob(account: Account, container: Container, request: Request, now: float) -> Reply:
    """Put Blob of a block blob; other kinds are kept as an empty blob of that kind."""
    blob_type = request.headers.get("x-ms-blob-type")
    if blob_type not in ("BlockBlob", "PageBlob", "AppendBlob"):
        raise AzureError(400, "MissingRequiredHeader" if blob_type is None else "InvalidHeaderValue",
                         more={"HeaderName": "x-ms-blob-type"})
    content = recognised(request.body)
    md5, crc64 = checked(request, content, blob_wide=True)
    check_write(container.blobs.get(request.key), request, lease_first=account.lease_first)
    blob = described(account, container, request, content, now)
    blob.md5, blob.blob_type = md5, blob_type
    container.commit(blob)
    headers = written(blob, now)
    headers["Content-MD5"] = _b64(md5)
    if crc64:
        headers["x-ms-content-crc64"] = _b64(crc64)
    return Reply(201, headers)


def described(account: Account, container: Container, request: Request, content: Content, now: float) -> Blob:
    """A blob with the properties, metadata, tags and tier of a writing request. Raises AzureError."""
    told = request.headers
    headers = {"Content-Type": told.get("content-type") or "application/octet-stream"}
    for sent in [one for one in _CONTENT_HEADERS if told.get(one)]:
        if not told[sent].isascii():
            raise AzureError(400, "InvalidHeaderValue", more={"HeaderName": sent})
        headers[_CONTENT_HEADERS[sent]] = told[sent]
    tier = told.get("x-ms-access-tier")
    if tier is not None and tier not in TIERS:
        raise AzureError(400, "InvalidHeaderValue", more={"HeaderName": "x-ms-access-tier", "HeaderValue": tier})
    before, moment = container.blobs.get(request.key), float(int(now))
    return Blob(
        request.key, content, account.next_etag(), moment, before.created if before else moment,
        headers=headers, metadata=metadata_of(request), tags=told.get("x-ms-tags", ""), tier=tier,
        lease=before.lease if before else None,
    )


def written(blob: Blob, now: float) -> dict[str, str]:
    """The headers of an answer to a commit."""
    headers = common_headers(now)
    headers["ETag"] = f'"{blob.etag}"'
    headers["Last-Modified"] = http_date(int(blob.modified))
    headers["x-ms-request-server-encrypted"] = "true"
    return headers


def checked(request: Request, content: Content, *, blob_wide: bool = False) -> tuple[bytes, bytes | None]:
    """MD5 of the body, and its CRC64 (little-endian) where that was sent. Raises AzureError on a mismatch.

    With `blob_wide`, `x-ms-blob-content-md5` takes precedence over `Content-MD5` (Azurite's ChangeLog 3.37).
    """
    told_md5 = request.headers.get("content-md5")
    if blob_wide:
        told_md5 = request.headers.get("x-ms-blob-content-md5", told_md5)
    told_crc = request.headers.get("x-ms-content-crc64")
    if told_md5 is not None and told_crc is not None:
        raise AzureError(400, "BothCrc64AndMd5HeaderPresent")
    crc: bytes | None = None
    if told_crc is not None:
        crc = compare_crc64(told_crc, content, "x-ms-content-crc64")
    if told_md5 is None and not blob_wide:
        return b"", crc
    md5 = digest(content, "MD5")
    if told_md5 is not None:
        compare_md5(told_md5, md5)
    return md5, crc


def compare_md5(told: str, found: bytes) -> None:
    """Raises AzureError: InvalidMd5 for what is no MD5, Md5Mismatch with both values."""
    if told == _b64(found):
        return
    announced = decoded(told, 16)
    if announced is None:
        raise AzureError(400, "InvalidMd5")
    if announced != found:
        raise AzureError(400, "Md5Mismatch", more={"UserSpecifiedMd5": told, "ServerCalculatedMd5": _b64(found)})


def compare_crc64(told: str, content: Content, header: str) -> bytes:
    """The CRC64 of the content, little-endian. Raises AzureError when another one was announced."""
    found = digest(content, "CRC64NVME")[::-1]
    if told == _b64(found):
        return found
    announced = decoded(told, 8)
    if announced is None:
        raise AzureError(400, "InvalidHeaderValue", more={"HeaderName": header, "HeaderValue": told})
    if announced != found:
        raise AzureError(400, "Crc64Mismatch", more={"UserSpecifiedCrc64": told, "ServerCalculatedCrc64": _b64(found)})
    return found


def decoded(text: str, size: int) -> bytes | None:
    """Base64 of exactly `size` bytes, or None."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if len(raw) == size else None


def _b64(raw: bytes) -> str:
    return binascii.b2a_base64(raw, newline=False).decode("ascii")
