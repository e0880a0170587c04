"""What anybody sees of a container: its listing and its blobs over plain HTTP, with no code of the product."""

from __future__ import annotations

import base64
from hashlib import md5
from http.client import HTTPConnection
from urllib.parse import quote, unquote
from xml.etree import ElementTree

from tests.cloud.control import ACCOUNT, SAS, Cloud


def listed(cloud: Cloud, container: str) -> list[str]:
    """The names List Blobs shows, page by page."""
    names: list[str] = []
    marker = ""
    while True:
        page = _get(cloud, f"{container}?restype=container&comp=list&maxresults=20&marker={quote(marker, safe='')}&")
        root = ElementTree.fromstring(page.removeprefix(b"\xef\xbb\xbf"))  # noqa: S314 - a test server on loopback
        for name in root.iterfind("Blobs/Blob/Name"):
            text = name.text or ""
            names.append(unquote(text) if name.get("Encoded") == "true" else text)
        marker = root.findtext("NextMarker") or ""
        if not marker:
            return names


def fetched(cloud: Cloud, container: str, name: str) -> bytes:
    """The body of one blob, asked for by its name with every character encoded."""
    return _get(cloud, f"{container}/{quote(name, safe='')}?")


def uploaded(cloud: Cloud, container: str, name: str, body: bytes, *, claimed: str) -> None:
    """Another tool uploads a blob in one block, and claims this MD5 (hexadecimal) of the whole."""
    block = base64.b64encode(b"000000").decode()
    blocks = f"<BlockList><Latest>{block}</Latest></BlockList>".encode()
    told = base64.b64encode(bytes.fromhex(claimed)).decode()
    _put(cloud, f"{container}/{quote(name, safe='')}?comp=block&blockid={quote(block, safe='')}&", body)
    _put(cloud, f"{container}/{quote(name, safe='')}?comp=blocklist&", blocks, {
        "x-ms-blob-content-md5": told, "Content-MD5": base64.b64encode(md5(blocks).digest()).decode()})


def _put(cloud: Cloud, target: str, body: bytes, headers: dict[str, str] | None = None) -> None:
    connection = HTTPConnection("127.0.0.1", cloud.azure_port, timeout=30)
    try:
        connection.request("PUT", f"/{ACCOUNT}/{target}{SAS}", body, headers or {})
        response = connection.getresponse()
        answer = response.read()
        assert response.status == 201, answer
    finally:
        connection.close()


def _get(cloud: Cloud, target: str) -> bytes:
    connection = HTTPConnection("127.0.0.1", cloud.azure_port, timeout=30)
    try:
        connection.request("GET", f"/{ACCOUNT}/{target}{SAS}")
        response = connection.getresponse()
        body = response.read()
        assert response.status == 200, body
        return body
    finally:
        connection.close()


def lease(cloud: Cloud, container: str, name: str) -> None:
    """Somebody takes a lease on a blob and keeps it."""
    connection = HTTPConnection("127.0.0.1", cloud.azure_port, timeout=30)
    try:
        target = f"/{ACCOUNT}/{container}/{quote(name, safe='')}?comp=lease&{SAS}"
        connection.request("PUT", target, headers={
            "x-ms-lease-action": "acquire", "x-ms-lease-duration": "-1", "Content-Length": "0",
            "x-ms-proposed-lease-id": "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"})
        response = connection.getresponse()
        assert response.status == 201, response.read()
    finally:
        connection.close()
