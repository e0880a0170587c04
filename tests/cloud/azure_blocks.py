"""Put Block, Put Block List, Get Block List: staging, committing, and what becomes of the blocks not used."""

from __future__ import annotations

import base64
import binascii
from typing import Final
from xml.etree import ElementTree

from tests.cloud.azure_answers import AzureError, common_headers, elements, xml_reply
from tests.cloud.azure_state import Account, BlockId, Container, check_lease, check_write
from tests.cloud.azure_write import checked, decoded, described, written
from tests.cloud.content import Content, Raw, digest, joined, recognised
from tests.cloud.wire import Reply, Request

MAX_COMMITTED: Final = 50_000
MAX_STAGED: Final = 100_000
_ID_BYTES: Final = 64


def put_block(account: Account, container: Container, request: Request, now: float) -> Reply:
    """Put Block; the answer carries Content-MD5 where that was sent, else the CRC64."""
    if "content-length" not in request.headers or not request.body:
        raise AzureError(400, "InvalidHeaderValue", more={"HeaderName": "Content-Length", "HeaderValue": "0"})
    block_id = checked_block_id(container, request)
    content = recognised(request.body)
    md5, crc64 = checked(request, content)
    container.stage(request.key, block_id, content)
    headers = common_headers(now) | {"x-ms-request-server-encrypted": "true"}
    if md5:
        headers["Content-MD5"] = request.headers["content-md5"]
    else:
        headers["x-ms-content-crc64"] = base64.b64encode(crc64 or digest(content, "CRC64NVME")[::-1]).decode()
    return Reply(201, headers)


def checked_block_id(container: Container, request: Request) -> BlockId:
    """The id of the block to stage. Raises AzureError: at most 64 bytes, all staged ids of a blob of one length."""
    block_id = request.params.get("blockid", "")
    try:
        raw = base64.b64decode(block_id, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not 1 <= len(raw) <= _ID_BYTES:
        raise AzureError(400, "InvalidQueryParameterValue", more={
            "QueryParameterName": "blockid", "QueryParameterValue": block_id, "Reason": "Not a valid base64 string."})
    blob = container.blobs.get(request.key)
    check_lease(blob, request)
    if blob is not None and blob.blob_type != "BlockBlob":
        raise AzureError(409, "InvalidBlobType")
    staged = container.staged.get(request.key, {})
    other = next(iter(staged), None)
    if other is not None and len(base64.b64decode(other)) != len(raw):
        raise AzureError(400, "InvalidBlobOrBlock")
    if len(staged) >= MAX_STAGED and block_id not in staged:
        raise AzureError(409, "BlockCountExceedsLimit")
    return block_id


def put_block_list(account: Account, container: Container, request: Request, now: float) -> Reply:
    """Put Block List. `x-ms-blob-content-md5` is stored and not looked at: the service does not compute it here."""
    xml = Raw(request.body)
    checked(request, xml)
    wanted = _parse(request.body)
    told = request.headers.get("x-ms-blob-content-md5")
    md5 = decoded(told, 16) if told is not None else None
    if told is not None and md5 is None:
        raise AzureError(400, "InvalidMd5")
    before = container.blobs.get(request.key)
    check_write(before, request, lease_first=account.lease_first)
    blocks = [(block_id, _found(container, request.key, kind, block_id)) for kind, block_id in wanted]
    blob = described(account, container, request, joined([content for _, content in blocks]), now)
    # Content-Type of this request describes the XML, not the blob.
    blob.headers["Content-Type"] = request.headers.get("x-ms-blob-content-type") or "application/octet-stream"
    blob.md5, blob.blocks = md5, blocks
    container.commit(blob)
    headers = written(blob, now)
    if "content-md5" in request.headers:
        headers["Content-MD5"] = request.headers["content-md5"]
    else:
        headers["x-ms-content-crc64"] = base64.b64encode(digest(xml, "CRC64NVME")[::-1]).decode()
    return Reply(201, headers)


def _parse(body: bytes) -> list[tuple[str, BlockId]]:
    try:
        root = ElementTree.fromstring(body)  # noqa: S314 - a test server on loopback
    except ElementTree.ParseError:
        raise AzureError(400, "InvalidXmlDocument") from None
    wanted = [(item.tag, (item.text or "").strip()) for item in root]
    if root.tag != "BlockList" or any(kind not in ("Latest", "Committed", "Uncommitted") for kind, _ in wanted):
        raise AzureError(400, "InvalidXmlDocument")
    if len(wanted) > MAX_COMMITTED:
        raise AzureError(400, "BlockListTooLong")
    return wanted


def _found(container: Container, name: str, kind: str, block_id: BlockId) -> Content:
    """The block an entry means: Latest looks among the staged first, then among the committed."""
    staged = container.staged.get(name, {}).get(block_id)
    if staged is not None and kind != "Committed":
        return staged
    blob = container.blobs.get(name)
    committed = next((content for one, content in blob.blocks if one == block_id), None) if blob else None
    if committed is None or kind == "Uncommitted":
        raise AzureError(400, "InvalidBlockList")
    return committed


def get_block_list(account: Account, container: Container, request: Request, now: float) -> Reply:
    """Committed blocks in the blob's order, staged ones by id, with sizes and nothing else."""
    name = request.key
    blob, staged = container.blobs.get(name), container.staged.get(name, {})
    if blob is None and not staged:
        raise AzureError(404, "BlobNotFound")
    kind = request.params.get("blocklisttype", "committed")
    inner = ""
    if kind in ("committed", "all"):
        inner += _listed("CommittedBlocks", blob.blocks if blob else [])
    if kind in ("uncommitted", "all"):
        inner += _listed("UncommittedBlocks", sorted(staged.items(), key=lambda one: one[0]))
    headers = common_headers(now)
    if blob is not None:
        headers |= {"ETag": f'"{blob.etag}"', "x-ms-blob-content-length": str(blob.content.size)}
    return xml_reply(200, headers, f"<BlockList>{inner}</BlockList>")


def _listed(tag: str, blocks: list[tuple[BlockId, Content]]) -> str:
    items = "".join(f"<Block>{elements({'Name': one, 'Size': str(content.size)})}</Block>" for one, content in blocks)
    return f"<{tag}>{items}</{tag}>" if items else f"<{tag} />"
