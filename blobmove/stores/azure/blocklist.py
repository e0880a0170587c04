"""Reading Azure's XML: the blocks of a blob, and pages of a container listing."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote
from xml.etree import ElementTree

from blobmove.core.digests import bare, from_base64
from blobmove.core.errors import Kind, Side, StoreError
from blobmove.core.frozen import frozen


@frozen
class ListedBlob:
    """One blob of a listing: size in bytes, stored Content-MD5 (16 bytes) where there is one."""

    name: str
    size: int
    md5: bytes | None
    etag: str
    content_type: str | None


def read_block_list(text: bytes, *, committed: bool) -> list[tuple[str, int]]:
    """Ids and sizes of the blocks in a Get Block List answer, each byte of an id as one character."""
    where = "CommittedBlocks/Block" if committed else "UncommittedBlocks/Block"
    found = []
    for block in _parse(text).iterfind(where):
        raw = from_base64(block.findtext("Name")) or b""
        found.append((raw.decode("latin-1"), int(block.findtext("Size") or 0)))
    return found


def read_page(text: bytes) -> tuple[list[ListedBlob], str]:
    """The blobs of one List Blobs page, and the marker of the next page ("" at the end)."""
    root = _parse(text)
    return list(_blobs(root)), root.findtext("NextMarker") or ""


def _blobs(root: ElementTree.Element) -> Iterator[ListedBlob]:
    for blob in root.iterfind("Blobs/Blob"):
        name = blob.find("Name")
        properties = blob.find("Properties")
        if name is None or properties is None:
            continue
        text = name.text or ""
        # Names that XML cannot hold come percent-encoded and say so.
        if name.get("Encoded") == "true":
            text = unquote(text)
        yield ListedBlob(
            text,
            int(properties.findtext("Content-Length") or 0),
            from_base64(properties.findtext("Content-MD5") or None),
            bare(properties.findtext("Etag") or ""),
            properties.findtext("Content-Type"),
        )


def _parse(text: bytes) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(text.removeprefix(b"\xef\xbb\xbf"))  # noqa: S314 - Azure's own answer over TLS
    except ElementTree.ParseError as error:
        raise StoreError(Side.DESTINATION, Kind.TRANSIENT, "UnreadableXml", str(error)) from None
