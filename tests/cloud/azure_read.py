"""Get Blob, Get Blob Properties, Delete Blob, List Blobs, Set Blob Tier, Lease Blob."""

from __future__ import annotations

import base64
import re
from bisect import bisect_left
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote
from xml.sax.saxutils import escape

from tests.cloud.azure_answers import AzureError, common_headers, http_date, xml_reply
from tests.cloud.azure_state import Account, Blob, Container, check_lease, matches
from tests.cloud.azure_write import TIERS
from tests.cloud.content import Content
from tests.cloud.wire import Reply, Request

_PAGE: Final = 5000
_RANGE: Final = re.compile(r"bytes=(\d+)-(\d*)\Z")
_NOT_IN_XML: Final = re.compile("[\ufffe\uffff]")


def read_blob(account: Account, container: Container, request: Request, now: float) -> Reply:
    """GET or HEAD of one blob; staged blocks alone are no blob."""
    blob = _existing(container, request)
    expected, unwanted = request.headers.get("if-match"), request.headers.get("if-none-match")
    if expected is not None and not matches(expected, blob):
        raise AzureError(412, "ConditionNotMet")
    if unwanted is not None and matches(unwanted, blob):
        raise AzureError(304, "ConditionNotMet")
    headers = common_headers(now) | _properties(blob)
    size = blob.content.size
    if request.method == "HEAD":
        return Reply(200, headers, length=size)
    if blob.tier == "Archive":
        raise AzureError(409, "BlobArchived")
    told = request.headers.get("x-ms-range") or request.headers.get("range")
    found = _RANGE.match(told) if told else None
    if found is None:
        return Reply(200, headers, blob.content)
    first = int(found.group(1))
    last = min(int(found.group(2)), size - 1) if found.group(2) else size - 1
    if first >= size or last < first:
        raise AzureError(416, "InvalidRange", headers={"Content-Range": f"bytes */{size}"})
    if "Content-MD5" in headers:
        headers["x-ms-blob-content-md5"] = headers.pop("Content-MD5")  # of the blob, not of this range
    headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    return Reply(206, headers, _Stretch(blob.content, first, last - first + 1))


@dataclass(frozen=True, slots=True)
class _Stretch:
    content: Content
    start: int
    size: int

    def read(self, offset: int, length: int) -> bytes:
        return self.content.read(self.start + offset, min(length, self.size - offset))


def _existing(container: Container, request: Request) -> Blob:
    blob = container.blobs.get(request.key)
    if blob is None:
        raise AzureError(404, "BlobNotFound")
    return blob


def _properties(blob: Blob) -> dict[str, str]:
    headers = {
        "ETag": f'"{blob.etag}"',
        "Last-Modified": http_date(int(blob.modified)),
        "x-ms-creation-time": http_date(int(blob.created)),
        "Accept-Ranges": "bytes",
        "x-ms-blob-type": blob.blob_type,
        "x-ms-lease-status": "locked" if blob.lease else "unlocked",
        "x-ms-lease-state": "leased" if blob.lease else "available",
        "x-ms-server-encrypted": "true",
        "x-ms-access-tier": blob.tier or "Hot",
        **blob.headers,
    }
    if blob.tier is None:
        headers["x-ms-access-tier-inferred"] = "true"
    if blob.md5 is not None:
        headers["Content-MD5"] = base64.b64encode(blob.md5).decode("ascii")
    if blob.tags:
        headers["x-ms-tag-count"] = str(blob.tags.count("=") or 1)
    for name, value in blob.metadata.items():
        headers[f"x-ms-meta-{name}"] = value
    return headers


def delete_blob(account: Account, container: Container, request: Request, now: float) -> Reply:
    """Delete Blob; works on a name that has staged blocks only, too."""
    blob = container.blobs.get(request.key)
    check_lease(blob, request)
    expected = request.headers.get("if-match")
    if expected is not None and not matches(expected, blob):
        raise AzureError(412, "ConditionNotMet")
    if not container.drop(request.key):
        raise AzureError(404, "BlobNotFound")
    return Reply(202, common_headers(now) | {"x-ms-delete-type-permanent": "true"})


def set_tier(account: Account, container: Container, request: Request, now: float) -> Reply:
    """Set Blob Tier: 200, or 202 when a blob leaves the archive (which then takes hours)."""
    blob = _existing(container, request)
    tier = request.headers.get("x-ms-access-tier", "")
    if tier not in TIERS:
        raise AzureError(400, "InvalidHeaderValue", more={"HeaderName": "x-ms-access-tier", "HeaderValue": tier})
    leaving = blob.tier == "Archive" and tier != "Archive"
    if not leaving:
        blob.tier = tier
    return Reply(202 if leaving else 200, common_headers(now))


def lease_blob(account: Account, container: Container, request: Request, now: float) -> Reply:
    """Lease Blob: acquire (never ending, whatever was asked) and release."""
    blob = _existing(container, request)
    action, told = request.headers.get("x-ms-lease-action"), request.headers.get("x-ms-lease-id")
    if action == "acquire":
        if blob.lease is not None:
            raise AzureError(409, "LeaseAlreadyPresent", "There is already a lease present.")
        blob.lease = request.headers.get("x-ms-proposed-lease-id", "11111111-1111-1111-1111-111111111111")
        return Reply(201, common_headers(now) | {"x-ms-lease-id": blob.lease})
    if action != "release":
        raise AzureError(400, "InvalidHeaderValue", more={"HeaderName": "x-ms-lease-action"})
    if told != blob.lease:
        raise AzureError(409, "LeaseIdMismatchWithLeaseOperation")
    blob.lease = None
    return Reply(200, common_headers(now))


def list_blobs(account: Account, container: Container, request: Request, now: float) -> Reply:
    """List Blobs: at most 5,000 a page; `include` knows metadata and uncommittedblobs."""
    params = request.params
    told = params.get("maxresults", str(_PAGE))
    if not told.isdigit() or int(told) < 1:
        raise AzureError(400, "OutOfRangeInput")
    limit, prefix = min(int(told), _PAGE), params.get("prefix", "")
    entries, following = _page(container, params, limit)
    next_marker = f"<NextMarker>{_marker_of(following)}</NextMarker>" if following else "<NextMarker />"
    inner = (
        f'<EnumerationResults ContainerName="{container.name}"><Prefix>{escape(prefix)}</Prefix>'
        f"<MaxResults>{limit}</MaxResults><Blobs>{''.join(entries)}</Blobs>{next_marker}</EnumerationResults>"
    )
    return xml_reply(200, common_headers(now), inner)


def _page(container: Container, params: dict[str, str], limit: int) -> tuple[list[str], str]:
    """Up to `limit` entries as XML, and the name the next page begins with ("" at the end)."""
    prefix, delimiter, include = params.get("prefix", ""), params.get("delimiter", ""), params.get("include", "")
    names = _all_names(container) if "uncommittedblobs" in include else container.names
    entries: list[str] = []
    folder = ""
    for index in range(bisect_left(names, max(prefix, _name_of(params.get("marker", "")))), len(names)):
        name = names[index]
        if not name.startswith(prefix):
            break
        if folder and name.startswith(folder):
            continue
        if len(entries) == limit:
            return entries, name
        cut = name.find(delimiter, len(prefix)) if delimiter else -1
        if cut >= 0:
            folder = name[: cut + len(delimiter)]
            entries.append(f"<BlobPrefix>{_name(folder)}</BlobPrefix>")
        else:
            entries.append(_entry(container.blobs.get(name), name, metadata="metadata" in include))
    return entries, ""


def _all_names(container: Container) -> list[str]:
    return sorted({*container.names, *container.staged})


def _marker_of(name: str) -> str:
    return "2!" + base64.urlsafe_b64encode(name.encode()).decode()


def _name_of(marker: str) -> str:
    if not marker:
        return ""
    try:
        return base64.urlsafe_b64decode(marker.removeprefix("2!")).decode()
    except ValueError:
        raise AzureError(400, "OutOfRangeInput") from None


def _name(name: str) -> str:
    if _NOT_IN_XML.search(name):
        return f'<Name Encoded="true">{quote(name, safe="")}</Name>'
    return f"<Name>{escape(name)}</Name>"


def _entry(blob: Blob | None, name: str, *, metadata: bool) -> str:
    if blob is None:
        properties = "<Content-Length>0</Content-Length><BlobType>BlockBlob</BlobType>"
        return f"<Blob>{_name(name)}<Properties>{properties}</Properties></Blob>"
    md5 = base64.b64encode(blob.md5).decode("ascii") if blob.md5 is not None else ""
    content = "".join(
        f"<{tag}>{escape(blob.headers.get(tag, ''))}</{tag}>"
        for tag in ("Content-Type", "Content-Encoding", "Content-Language", "Cache-Control", "Content-Disposition")
    )
    inferred = "<AccessTierInferred>true</AccessTierInferred>" if blob.tier is None else ""
    extra = ""
    if metadata:
        extra = "<Metadata>" + "".join(f"<{n}>{escape(v)}</{n}>" for n, v in blob.metadata.items()) + "</Metadata>"
    return (
        f"<Blob>{_name(name)}<Properties><Creation-Time>{http_date(int(blob.created))}</Creation-Time>"
        f"<Last-Modified>{http_date(int(blob.modified))}</Last-Modified><Etag>{blob.etag}</Etag>"
        f"<Content-Length>{blob.content.size}</Content-Length>{content}<Content-MD5>{md5}</Content-MD5>"
        f"<BlobType>{blob.blob_type}</BlobType><AccessTier>{blob.tier or 'Hot'}</AccessTier>{inferred}"
        f"<LeaseStatus>{'locked' if blob.lease else 'unlocked'}</LeaseStatus>"
        f"<ServerEncrypted>true</ServerEncrypted></Properties>{extra}</Blob>"
    )
