"""Writing and reading blobs over the thin data path, every write conditional, every body with its checksum."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import field
from functools import lru_cache
from typing import Final
from urllib.parse import quote

from blobmove.core.digests import azure_crc64, bare, from_base64, to_base64
from blobmove.core.errors import Kind, Side, StoreError
from blobmove.core.frozen import frozen
from blobmove.core.headers import BlobProperties
from blobmove.stores.azure.account import API_VERSION, Authorizer
from blobmove.stores.azure.answers import error_of, pull_error_of
from blobmove.stores.http import Answer, Body, HttpClient

_SAFE: Final = "/-_.~"
_PLAIN: Final = re.compile(r"[A-Za-z0-9/\-_.~]*\Z").match
_VERSION: Final = f"x-ms-version: {API_VERSION}"
_BLOCK_BLOB: Final = "x-ms-blob-type: BlockBlob"

_PULL_SPEED: Final = 32
"""How much faster than to us bytes must flow from S3 to Azure at least: 1 MiB/s, before a copy is given up."""

PLACEHOLDER: Final = "blobmove_placeholder"
"""The metadata name that marks an empty blob of put_placeholder."""


@frozen
class Condition:
    """Under which a write may happen: nothing there yet, or exactly the blob with this etag."""

    if_match: str | None = None

    def line(self) -> str:
        return f'if-match: "{self.if_match}"' if self.if_match else "if-none-match: *"


ABSENT: Final = Condition()


@frozen
class BlobFacts:
    """What Azure says of a blob: size in bytes, the stored Content-MD5 (16 bytes, may be missing), its etag.

    `placeholder`: an empty blob of this program's own making (put_placeholder), in nobody's way.
    """

    size: int
    md5: bytes | None
    etag: str
    content_type: str | None
    blob_type: str = "BlockBlob"
    placeholder: bool = False


@frozen
class Origin:
    """What Azure is to copy: a presigned URL, the ETag it must still have, `length` bytes from `offset` on."""

    url: str = field(repr=False)  # it carries a signature
    etag: str
    length: int
    offset: int = 0


@frozen
class Pulled:
    """A blob that Azure copied from a URL: its etag, and the MD5 Azure found in the bytes (None: it does not say)."""

    etag: str
    md5: bytes | None


class AzureBlobs:
    """The data path of one container. `requests` counts what went over the wire by operation."""

    def __init__(self, http: HttpClient, account_url: str, container: str, authorizer: Authorizer) -> None:
        self._http = http
        self._base = f"{account_url}/{container}"
        self._authorizer = authorizer
        self.requests: Counter[str] = Counter()

    async def put_blob(
        self,
        name: str,
        body: Body,
        *,
        md5: bytes,
        properties: BlobProperties,
        condition: Condition = ABSENT,
        tier: str | None = None,
    ) -> str:
        """Put Blob; Azure recomputes `md5` over what arrived, refuses on a difference, and stores it.

        Returns the blob's etag. Raises StoreError: CORRUPT on Md5Mismatch, EXISTS when the condition fails.
        """
        lines = [
            _BLOCK_BLOB,
            f"content-md5: {to_base64(md5)}",
            condition.line(),
            *_property_lines(properties, tier),
        ]
        answer = await self._send("PutBlob", "PUT", name, "", lines, body)
        return answer.etag

    async def put_block(self, name: str, block_id: str, body: Body, *, crc64: int) -> None:
        """Put Block; Azure recomputes the CRC-64 over what arrived. Raises StoreError (CORRUPT on Crc64Mismatch)."""
        query = f"comp=block&blockid={quote(to_base64(block_id.encode()), safe='')}"
        await self._send("PutBlock", "PUT", name, query, [f"x-ms-content-crc64: {azure_crc64(crc64)}"], body)

    async def put_block_list(
        self,
        name: str,
        block_ids: Sequence[str],
        *,
        md5: bytes,
        properties: BlobProperties,
        condition: Condition = ABSENT,
        tier: str | None = None,
    ) -> str:
        """Commit the blocks in this order and store `md5`, which Azure does NOT check here. Returns the etag.

        What Azure does check is the MD5 of the list itself, sent as Content-MD5.
        """
        items = "".join(f"<Latest>{to_base64(block_id.encode())}</Latest>" for block_id in block_ids)
        body = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{items}</BlockList>'.encode()
        lines = [
            f"content-md5: {to_base64(hashlib.md5(body).digest())}",
            f"x-ms-blob-content-md5: {to_base64(md5)}",
            condition.line(),
            *_property_lines(properties, tier),
        ]
        answer = await self._send("PutBlockList", "PUT", name, "comp=blocklist", lines, body)
        return answer.etag

    async def put_blob_from_url(
        self,
        name: str,
        origin: Origin,
        *,
        md5: bytes,
        properties: BlobProperties,
        condition: Condition = ABSENT,
        tier: str | None = None,
    ) -> Pulled:
        """Put Blob From URL; Azure fetches the whole, refuses bytes without this `md5`, stores the MD5 it computed.

        No Content-MD5 is claimed for the blob, so that the one in the answer is Azure's own. Raises StoreError: CORRUPT
        on Md5Mismatch, EXISTS when the condition fails, PullRefused where the source cannot be read.
        """
        lines = [
            _BLOCK_BLOB,
            "x-ms-copy-source-blob-properties: false",
            f"x-ms-copy-source: {origin.url}",
            f'x-ms-source-if-match: "{origin.etag}"',
            f"x-ms-source-content-md5: {to_base64(md5)}",
            condition.line(),
            *_property_lines(properties, tier),
        ]
        answer = await self._send(
            "PutBlobFromURL", "PUT", name, "", lines, expect_bytes=origin.length // _PULL_SPEED, late=True
        )
        return Pulled(answer.etag, from_base64(answer.headers.get("content-md5")))

    async def put_block_from_url(self, name: str, block_id: str, origin: Origin) -> bytes | None:
        """Put Block From URL; the CRC-64 (big-endian) that Azure computed over what came, None where it does not say.

        Nothing is sent to compare it with, else the answer would not tell it. Raises StoreError, PullRefused.
        """
        lines = [
            f"x-ms-copy-source: {origin.url}",
            f"x-ms-source-range: bytes={origin.offset}-{origin.offset + origin.length - 1}",
            f'x-ms-source-if-match: "{origin.etag}"',
        ]
        query = f"comp=block&blockid={quote(to_base64(block_id.encode()), safe='')}"
        answer = await self._send(
            "PutBlockFromURL", "PUT", name, query, lines, expect_bytes=origin.length // _PULL_SPEED, late=True
        )
        raw = from_base64(answer.headers.get("x-ms-content-crc64"))
        return raw[::-1] if raw is not None and len(raw) == 8 else None

    async def put_placeholder(self, name: str) -> str:
        """Commit an empty, marked blob where there is none: that drops the name's uncommitted blocks. Its etag."""
        marked = BlobProperties(metadata=((PLACEHOLDER, "true"),))
        return await self.put_block_list(name, (), md5=hashlib.md5(b"").digest(), properties=marked)

    async def delete(self, name: str, etag: str) -> None:
        """Delete the blob with this etag. Raises StoreError: EXISTS where it is another one by now."""
        await self._send("DeleteBlob", "DELETE", name, "", [Condition(etag).line()])

    async def blocks(self, name: str, *, committed: bool) -> list[tuple[str, int]]:
        """Ids (as sent by whoever staged them) and sizes of a blob's blocks; empty where there is no blob."""
        kind = "committed" if committed else "uncommitted"
        try:
            answer = await self._send("GetBlockList", "GET", name, f"comp=blocklist&blocklisttype={kind}", [])
        except StoreError as error:
            if error.kind is Kind.MISSING:
                return []
            raise
        from blobmove.stores.azure.blocklist import read_block_list  # small objects of a first copy need no XML

        return read_block_list(bytes(answer.body), committed=committed)

    async def set_tier(self, name: str, tier: str) -> None:
        """Put a blob into an access tier."""
        await self._send("SetBlobTier", "PUT", name, "comp=tier", [f"x-ms-access-tier: {tier}"])

    async def properties(self, name: str) -> BlobFacts | None:
        """Size, MD5 and etag of a blob, or None where there is none."""
        answer = await self.describe(name)
        if answer is None:
            return None
        told = answer.headers
        return BlobFacts(
            int(told.get("content-length", "-1")), from_base64(told.get("content-md5")), bare(told.get("etag", "")),
            told.get("content-type"), told.get("x-ms-blob-type", "BlockBlob"),
            told.get("content-length") == "0" and f"x-ms-meta-{PLACEHOLDER}" in told,
        )

    async def describe(self, name: str) -> Answer | None:
        """All headers of a blob: properties, metadata and Content-MD5; None where there is none."""
        try:
            return await self._send("GetBlobProperties", "HEAD", name, "", [])
        except StoreError as error:
            if error.kind is Kind.MISSING:
                return None
            raise

    async def whole(self, name: str, *, etag: str, size: int) -> Answer:
        """The blob with this etag, headers and all `size` bytes. Raises StoreError (CORRUPT for another length)."""
        answer = await self._send("GetBlob", "GET", name, "", [Condition(etag).line()], expect_bytes=size)
        if len(answer.body) != size:
            raise StoreError(Side.DESTINATION, Kind.CORRUPT, "LengthDiffers", f"{len(answer.body)} bytes came")
        return answer

    async def read(self, name: str, offset: int, length: int, *, etag: str | None = None) -> Body:
        """Read `length` bytes at `offset`, of the blob with this etag where one is given."""
        lines = [f"x-ms-range: bytes={offset}-{offset + length - 1}"]
        if etag:
            lines.append(Condition(etag).line())
        answer = await self._send("GetBlob", "GET", name, "", lines, expect_bytes=length)
        if len(answer.body) != length:
            raise StoreError(Side.DESTINATION, Kind.CORRUPT, "RangeNotHonoured", f"{len(answer.body)} bytes came")
        return answer.body

    async def account(self) -> Mapping[str, str]:
        """The headers of Get Account Information: `x-ms-sku-name`, `x-ms-account-kind`, `x-ms-is-hns-enabled`."""
        answer = await self._send("GetAccountInformation", "GET", None, "restype=account&comp=properties", [])
        return answer.headers

    async def list_page(self, marker: str, prefix: str = "", most: int = 5000) -> bytes:
        """One page of List Blobs (up to `most` names, at most 5,000, with size and Content-MD5) as XML."""
        query = f"restype=container&comp=list&maxresults={most}&marker={quote(marker, safe='')}"
        if prefix:
            query += f"&prefix={quote(prefix, safe='')}"
        return bytes((await self._send("ListBlobs", "GET", None, query, [], expect_bytes=4 << 20)).body)

    async def allowed(self) -> None:
        """Get whatever a request needs to be allowed. Raises AccessError where there is nothing to be had."""
        await self._authorizer.allow()

    def renew(self) -> None:
        """Forget the token or signature, so that the next request gets a fresh one."""
        self._authorizer.renew()

    async def _send(
        self,
        operation: str,
        method: str,
        name: str | None,
        query: str,
        lines: list[str],
        body: Body | None = None,
        expect_bytes: int = 0,
        late: bool = False,
    ) -> Answer:
        signature, allowed = await self._authorizer.allow()
        url = self._base if name is None else f"{self._base}/{encode_name(name)}"
        if query or signature:
            url = f"{url}?{query}&{signature}" if query and signature else f"{url}?{query or signature}"
        lines.append(_VERSION)
        if allowed:
            lines.append(allowed)
        self.requests[operation] += 1
        answer = await self._http.send(method, url, lines, body, expect_bytes=expect_bytes, late=late)
        if answer.status >= 300:
            raise (pull_error_of if late else error_of)(answer)
        return answer


def encode_name(name: str) -> str:
    """A blob name as it goes into a path: percent-encoded once, nothing normalised."""
    return name if _PLAIN(name) else quote(name, safe=_SAFE)


@lru_cache(maxsize=256)
def _property_lines(properties: BlobProperties, tier: str | None) -> tuple[str, ...]:
    named = (
        ("x-ms-blob-content-type", properties.content_type),
        ("x-ms-blob-content-encoding", properties.content_encoding),
        ("x-ms-blob-content-language", properties.content_language),
        ("x-ms-blob-content-disposition", properties.content_disposition),
        ("x-ms-blob-cache-control", properties.cache_control),
        ("x-ms-access-tier", tier),
    )
    lines = [f"{name}: {value}" for name, value in named if value]
    lines += [f"x-ms-meta-{name}: {value}" for name, value in properties.metadata]
    return tuple(lines)


