"""ListObjectsV2 and ListObjectVersions: pages, prefixes, delimiters, URL encoding as real S3 writes it."""

from __future__ import annotations

import base64
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote_plus
from xml.sax.saxutils import escape

from tests.cloud.s3_answers import S3Error, common_headers, elements, xml_reply
from tests.cloud.s3_state import Bucket, Version
from tests.cloud.wire import Reply, Request

_NAMESPACE: Final = "http://s3.amazonaws.com/doc/2006-03-01/"
_PAGE: Final = 1000


@dataclass(slots=True)
class _Asked:
    prefix: str
    delimiter: str
    limit: int
    encoded: bool
    after: str

    @staticmethod
    def of(request: Request, after: str) -> _Asked:
        params = request.params
        try:
            limit = min(int(params.get("max-keys", str(_PAGE))), _PAGE)
        except ValueError:
            raise S3Error(400, "InvalidArgument", "Provided max-keys not an integer or within integer range") from None
        return _Asked(
            params.get("prefix", ""), params.get("delimiter", ""), limit, params.get("encoding-type") == "url", after
        )

    def text(self, key: str) -> str:
        """A key as it stands in the answer: `+` for a blank, `/` kept (s3.md section 1.5)."""
        return quote_plus(key, safe="/*-._") if self.encoded else escape(key)


@dataclass(slots=True)
class _Page:
    versions: list[Version] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    last: tuple[str, str] = ("", "")
    more: bool = False

    @property
    def size(self) -> int:
        return len(self.versions) + len(self.folders)


def _walk(bucket: Bucket, asked: _Asked, after_version: str | None, *, all_versions: bool) -> _Page:
    page = _Page()
    for version, folder in _entries(bucket, asked, after_version, all_versions=all_versions):
        if page.size >= asked.limit:
            page.more = asked.limit > 0
            break
        if folder:
            page.folders.append(folder)
            page.last = (folder, "")
        else:
            page.versions.append(version)
            page.last = (version.key, version.version_id)
    return page


def _entries(
    bucket: Bucket, asked: _Asked, after_version: str | None, *, all_versions: bool
) -> Iterator[tuple[Version, str]]:
    """Entries after the marker in key order, newest version first, each folder once."""
    keys, prefix, delimiter = bucket.keys, asked.prefix, asked.delimiter
    index = bisect_left(keys, prefix)
    if asked.after:
        index = max(index, (bisect_left if after_version else bisect_right)(keys, asked.after))
    seen = asked.after if delimiter and asked.after.endswith(delimiter) else None
    while index < len(keys) and keys[index].startswith(prefix):
        key = keys[index]
        index += 1
        if seen and key.startswith(seen):
            continue
        versions = list(reversed(bucket.versions[key])) if all_versions else bucket.versions[key][-1:]
        if not all_versions and versions[0].marker:
            continue
        if after_version and key == asked.after:
            ids = [one.version_id for one in versions]
            versions = versions[ids.index(after_version) + 1 :] if after_version in ids else versions
        cut = key.find(delimiter, len(prefix)) if delimiter else -1
        if cut >= 0:
            seen = key[: cut + len(delimiter)]
            yield versions[0], seen
            continue
        for version in versions:
            yield version, ""


def list_objects(bucket: Bucket, request: Request, now: float) -> Reply:
    """ListObjectsV2. The continuation token is the last entry, as nobody may rely on."""
    token = request.params.get("continuation-token")
    try:
        after = base64.b64decode(token, validate=True).decode() if token else request.params.get("start-after", "")
    except ValueError:
        raise S3Error(400, "InvalidArgument", "The continuation token provided is incorrect") from None
    asked = _Asked.of(request, after)
    page = _walk(bucket, asked, None, all_versions=False)
    fields = {"KeyCount": str(page.size), "MaxKeys": str(asked.limit), "IsTruncated": _bool(page.more)}
    if token:
        fields["ContinuationToken"] = token
    if page.more:
        fields["NextContinuationToken"] = base64.b64encode(page.last[0].encode()).decode()
    contents = "".join(f"<Contents>{_object(one, asked)}</Contents>" for one in page.versions)
    return _answer("ListBucketResult", bucket, asked, fields, contents + _folders(page, asked), now)


def list_versions(bucket: Bucket, request: Request, now: float) -> Reply:
    """ListObjectVersions, continued by key-marker and version-id-marker."""
    asked = _Asked.of(request, request.params.get("key-marker", ""))
    marker = request.params.get("version-id-marker") or None
    page = _walk(bucket, asked, marker, all_versions=True)
    fields = {
        "KeyMarker": asked.text(asked.after), "VersionIdMarker": marker or "",
        "MaxKeys": str(asked.limit), "IsTruncated": _bool(page.more),
    }
    if page.more:
        fields["NextKeyMarker"] = asked.text(page.last[0])
        if page.last[1]:
            fields["NextVersionIdMarker"] = page.last[1]
    body = "".join(_version(one, bucket, asked) for one in page.versions)
    return _answer("ListVersionsResult", bucket, asked, fields, body + _folders(page, asked), now)


def _answer(name: str, bucket: Bucket, asked: _Asked, fields: dict[str, str], body: str, now: float) -> Reply:
    head = f"<Name>{bucket.name}</Name><Prefix>{asked.text(asked.prefix)}</Prefix>"
    if asked.delimiter:
        head += f"<Delimiter>{asked.text(asked.delimiter)}</Delimiter>"
    if asked.encoded:
        head += "<EncodingType>url</EncodingType>"
    inner = f'<{name} xmlns="{_NAMESPACE}">{head}{elements(fields)}{body}</{name}>'
    return xml_reply(200, common_headers(now) | {"x-amz-bucket-region": bucket.region}, inner)


def _object(version: Version, asked: _Asked) -> str:
    spec = version.spec
    checksum = ""
    if spec.checksum:
        checksum = elements({"ChecksumAlgorithm": spec.checksum, "ChecksumType": spec.checksum_type})
    return (
        f"<Key>{asked.text(version.key)}</Key><LastModified>{_moment(version.modified)}</LastModified>"
        f"<ETag>&quot;{version.etag}&quot;</ETag>{checksum}<Size>{version.content.size}</Size>"
        f"<StorageClass>{spec.storage_class}</StorageClass>"
    )


def _version(version: Version, bucket: Bucket, asked: _Asked) -> str:
    latest = _bool(bucket.versions[version.key][-1] is version)
    owner = "<Owner><ID>75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a</ID></Owner>"
    identity = f"<VersionId>{version.version_id}</VersionId><IsLatest>{latest}</IsLatest>"
    if version.marker:
        return (f"<DeleteMarker><Key>{asked.text(version.key)}</Key>{identity}"
                f"<LastModified>{_moment(version.modified)}</LastModified>{owner}</DeleteMarker>")
    return f"<Version>{_object(version, asked)}{identity}{owner}</Version>"


def _folders(page: _Page, asked: _Asked) -> str:
    return "".join(f"<CommonPrefixes><Prefix>{asked.text(one)}</Prefix></CommonPrefixes>" for one in page.folders)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _bool(value: bool) -> str:
    return "true" if value else "false"
