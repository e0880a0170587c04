"""GetObject and HeadObject: versions, conditions, ranges, parts, archives, stored checksums."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from tests.cloud.content import Content, Mod251, Raw
from tests.cloud.s3_answers import S3Error, common_headers
from tests.cloud.s3_state import Bucket, Version
from tests.cloud.wire import Reply, Request

_RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)\Z")


@dataclass(frozen=True, slots=True)
class Span:
    """The stretch to send. `part` where it was asked for by number."""

    offset: int
    length: int
    part: int | None = None
    whole: bool = False


def read_object(bucket: Bucket, request: Request, now: float) -> Reply:
    """The answer to GET or HEAD of one object. Raises S3Error."""
    version = wanted_version(bucket, request)
    _check_conditions(version, request)
    headers = request.headers
    if version.encrypted_by_customer and "x-amz-server-side-encryption-customer-key" not in headers:
        raise S3Error(400, "InvalidRequest", "The object was stored using a form of Server Side Encryption. "
                                             "The correct parameters must be provided to retrieve the object.")
    if version.archived and request.method == "GET":
        raise _archived(version)
    span = _span(version, request)
    answer = common_headers(now)
    answer.update(version.head)
    if version.restore:
        answer["x-amz-restore"] = version.restore
    if not span.whole:
        answer["Content-Range"] = f"bytes {span.offset}-{span.offset + span.length - 1}/{version.content.size}"
    if span.part is not None and version.spec.parts:
        answer["x-amz-mp-parts-count"] = str(len(version.spec.parts))
    if _asks_for_checksums(request):
        _add_checksum(answer, version, span, request)
    status = 200 if span.whole else 206
    if request.method == "HEAD":
        return Reply(status, answer, length=span.length)
    return Reply(status, answer, _stretch(version, span), span.length)


def wanted_version(bucket: Bucket, request: Request) -> Version:
    """The version a request means. Raises S3Error as S3 does for missing keys and delete markers."""
    version_id = request.params.get("versionId")
    version = bucket.find(request.key, version_id)
    if version is None and version_id is not None and bucket.find(request.key) is not None:
        raise S3Error(404, "NoSuchVersion")
    if version is None:
        raise S3Error(404, "NoSuchKey") if bucket.listable else S3Error(403, "AccessDenied")
    if version.marker:
        marked = {"x-amz-delete-marker": "true", "x-amz-version-id": version.version_id}
        if version_id is not None:
            raise S3Error(405, "MethodNotAllowed", headers={**marked, "Allow": "DELETE"})
        raise S3Error(404, "NoSuchKey", headers=marked)
    return version


def _check_conditions(version: Version, request: Request) -> None:
    expected = request.headers.get("if-match")
    if expected is not None and expected != "*" and not _names(expected, version.etag):
        raise S3Error(412, "PreconditionFailed", more={"Condition": "If-Match"})
    unwanted = request.headers.get("if-none-match")
    if unwanted is not None and (unwanted == "*" or _names(unwanted, version.etag)):
        raise S3Error(304, "NotModified", headers={"ETag": f'"{version.etag}"'})


def _names(header: str, etag: str) -> bool:
    return any(one.strip().strip('"') == etag for one in header.split(","))


def _archived(version: Version) -> S3Error:
    more = {"StorageClass": version.spec.storage_class}
    if version.spec.archive_status:
        more["AccessTier"] = version.spec.archive_status
    return S3Error(403, "InvalidObjectState", more=more)


def _span(version: Version, request: Request) -> Span:
    size = version.content.size
    number, text = request.params.get("partNumber"), request.headers.get("range")
    if number is not None and text is not None:
        raise S3Error(400, "InvalidRequest", "Cannot specify both Range header and partNumber query parameter")
    if number is not None:
        found = version.part(int(number)) if number.isdigit() else None
        if found is None:
            raise S3Error(416, "InvalidPartNumber", more={"PartNumberRequested": number})
        return Span(found[0], found[1], int(number), whole=size == 0)
    found_range = _RANGE.match(text) if text else None
    if found_range is None or found_range.group() == "bytes=-":
        return Span(0, size, whole=True)  # S3 ignores what it cannot read
    first, last = found_range.groups()
    offset = int(first) if first else max(0, size - int(last))
    end = min(int(last), size - 1) if first and last else size - 1
    if offset >= size or end < offset:
        raise S3Error(416, "InvalidRange", more={"RangeRequested": text or "", "ActualObjectSize": str(size)},
                      headers={"Content-Range": f"bytes */{size}"})
    return Span(offset, end - offset + 1)


def _asks_for_checksums(request: Request) -> bool:
    asked = request.headers.get("x-amz-checksum-mode") or request.params.get("x-amz-checksum-mode")
    return asked == "ENABLED"


def _add_checksum(answer: dict[str, str], version: Version, span: Span, request: Request) -> None:
    """Arbitrary ranges get none; a range that is exactly a part gets the part's (s3.md section 3)."""
    spec = version.spec
    value = version.checksum(span.part)
    if not span.whole and span.part is None:
        value = _checksum_of_range(version, span)
    if value is None or spec.checksum is None:
        return
    answer[f"x-amz-checksum-{spec.checksum.lower()}"] = value
    answer["x-amz-checksum-type"] = spec.checksum_type


def _checksum_of_range(version: Version, span: Span) -> str | None:
    composite = version.spec.checksum_type == "COMPOSITE"
    if composite and span.length == version.content.size:
        # The trap of botocore#3346: `bytes=0-` answers the composite value without its number of parts.
        return (version.checksum() or "").partition("-")[0] or None
    if composite:
        for number in range(1, len(version.spec.parts) + 1):
            if version.part(number) == (span.offset, span.length):
                return version.checksum(number)
    return None


@dataclass(frozen=True, slots=True)
class _Window:
    """A stretch of a version's content, read only when it is sent."""

    version: Version
    start: int
    size: int

    def read(self, offset: int, length: int) -> bytes:
        return self.version.content.read(self.start + offset, min(length, self.size - offset))


def _stretch(version: Version, span: Span) -> bytes | Content:
    content = version.content
    if span.whole and isinstance(content, Raw):
        return content.data
    if span.length <= 64 * 1024:
        return content.read(span.offset, span.length)
    if isinstance(content, Mod251):
        return content.stretch(span.offset, span.length)
    return _Window(version, span.offset, span.length)
