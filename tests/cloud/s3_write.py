"""PutObject and multipart uploads, by the vendor's documentation: conditions, checksums of bodies, parts and wholes."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Final

from tests.cloud.azure_write import decoded
from tests.cloud.content import Content, digest, joined, recognised
from tests.cloud.s3_answers import S3Error, common_headers, elements, xml_reply
from tests.cloud.s3_state import Bucket, Upload
from tests.cloud.specs import ObjectSpec
from tests.cloud.wire import Reply, Request

_CHECKSUMS: Final = {"crc64nvme": 8, "crc32c": 4, "crc32": 4, "sha256": 32, "sha1": 20}
_CONTENT: Final = ("content-type", "content-encoding", "content-language", "content-disposition", "cache-control")
_META: Final = "x-amz-meta-"
_METADATA_BYTES: Final = 2048
_LEAST_PART: Final = 5 << 20
_MOST_PARTS: Final = 10_000
_PART: Final = re.compile(r"<Part>(.*?)</Part>", re.DOTALL)


def multipart_operation(request: Request) -> str:
    """Which step of a multipart upload a request is."""
    if "uploads" in request.params:
        return "CreateMultipartUpload"
    return {"PUT": "UploadPart", "POST": "CompleteMultipartUpload", "DELETE": "AbortMultipartUpload"}.get(
        request.method, "ListParts"
    )


def put_object(bucket: Bucket, request: Request, now: float) -> Reply:
    """PutObject. Without a checksum in the request S3 adds a CRC64NVME of its own."""
    content = recognised(request.body)
    algorithm = _checked(request, content) or "CRC64NVME"
    _require_absent(bucket, request)
    made = bucket.put(_spec(request, algorithm), now, content)
    headers = common_headers(now) | {
        "ETag": f'"{made.etag}"', f"x-amz-checksum-{algorithm.lower()}": made.checksum() or "",
        "x-amz-checksum-type": "FULL_OBJECT", "x-amz-server-side-encryption": "AES256",
    }  # fmt: skip
    return Reply(200, headers)


def create_upload(bucket: Bucket, request: Request, now: float) -> Reply:
    """CreateMultipartUpload. A checksum of the whole is only known for CRCs (s3.md section 3)."""
    algorithm = request.headers.get("x-amz-checksum-algorithm", "CRC64NVME")
    kind = request.headers.get("x-amz-checksum-type", "FULL_OBJECT" if algorithm == "CRC64NVME" else "COMPOSITE")
    if kind == "FULL_OBJECT" and not algorithm.startswith("CRC"):
        raise S3Error(400, "InvalidRequest", f"The {kind} checksum type cannot be used with {algorithm}")
    bucket.issued += 1
    upload = f"upload-{bucket.issued}"
    bucket.uploads[upload] = Upload(request.key, _spec(request, algorithm, kind))
    fields = {"Bucket": bucket.name, "Key": request.key, "UploadId": upload}
    return _result(now, "InitiateMultipartUploadResult", fields)


def upload_part(bucket: Bucket, request: Request, now: float) -> Reply:
    """UploadPart; a part of the same number takes the place of the one before."""
    upload = _upload(bucket, request)
    told = request.params.get("partNumber", "")
    if not told.isdigit() or not 1 <= int(told) <= _MOST_PARTS:
        raise S3Error(400, "InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive")
    content = recognised(request.body)
    algorithm = _checked(request, content)
    etag = digest(content, "MD5").hex()
    upload.parts[int(told)] = (content, etag)
    headers = common_headers(now) | {"ETag": f'"{etag}"'}
    if algorithm:
        headers[f"x-amz-checksum-{algorithm.lower()}"] = _b64(digest(content, algorithm))
    return Reply(200, headers)


def complete_upload(bucket: Bucket, request: Request, now: float) -> Reply:
    """CompleteMultipartUpload: parts by number, ETag and checksum; the whole by its size and checksum."""
    upload = _upload(bucket, request)
    contents = _listed_parts(upload, request.body.decode())
    content, spec = joined(contents), upload.spec
    size = request.headers.get("x-amz-mp-object-size")
    if size is not None and int(size) != content.size:
        raise S3Error(400, "InvalidRequest", "The provided 'x-amz-mp-object-size' header does not match")
    told = request.headers.get(f"x-amz-checksum-{(spec.checksum or '').lower()}")
    if told is not None and spec.checksum and told != _b64(digest(content, spec.checksum)):
        raise S3Error(400, "BadDigest")
    _require_absent(bucket, request)
    del bucket.uploads[request.params["uploadId"]]
    made = bucket.put(_with_parts(spec, tuple(one.size for one in contents)), now, content)
    fields = {"Bucket": bucket.name, "Key": request.key, "ETag": f'"{made.etag}"'}
    if spec.checksum:
        fields |= {f"Checksum{spec.checksum}": made.checksum() or "", "ChecksumType": spec.checksum_type}
    return _result(now, "CompleteMultipartUploadResult", fields)


def abort_upload(bucket: Bucket, request: Request, now: float) -> Reply:
    """AbortMultipartUpload: the parts are gone."""
    _upload(bucket, request)
    del bucket.uploads[request.params["uploadId"]]
    return Reply(204, common_headers(now))


WRITES: Final[dict[str, Callable[[Bucket, Request, float], Reply]]] = {
    "PutObject": put_object,
    "CreateMultipartUpload": create_upload,
    "UploadPart": upload_part,
    "CompleteMultipartUpload": complete_upload,
    "AbortMultipartUpload": abort_upload,
}


def _upload(bucket: Bucket, request: Request) -> Upload:
    found = bucket.uploads.get(request.params.get("uploadId", ""))
    if found is None or found.key != request.key:
        raise S3Error(404, "NoSuchUpload")
    return found


def _require_absent(bucket: Bucket, request: Request) -> None:
    """`If-None-Match: *`: a delete marker is no object."""
    found = bucket.find(request.key)
    if request.headers.get("if-none-match") == "*" and found is not None and not found.marker:
        raise S3Error(412, "PreconditionFailed", more={"Condition": "If-None-Match"})


def _checked(request: Request, content: Content) -> str | None:
    """The algorithm of the checksum sent along, None for none. Raises S3Error: InvalidDigest, BadDigest."""
    told_md5 = request.headers.get("content-md5")
    if told_md5 is not None:
        _compare(told_md5, 16, digest(content, "MD5"))
    for name, width in _CHECKSUMS.items():
        told = request.headers.get(f"x-amz-checksum-{name}")
        if told is not None:
            _compare(told, width, digest(content, name.upper()))
            return name.upper()
    return None


def _compare(told: str, width: int, found: bytes) -> None:
    raw = decoded(told, width)
    if raw is None:
        raise S3Error(400, "InvalidDigest")
    if raw != found:
        raise S3Error(400, "BadDigest", more={"ExpectedDigest": told, "CalculatedDigest": _b64(found)})


def _spec(request: Request, algorithm: str, kind: str = "FULL_OBJECT") -> ObjectSpec:
    told = request.headers
    metadata = {name.removeprefix(_META): value for name, value in told.items() if name.startswith(_META)}
    if sum(len(name.encode()) + len(value.encode()) for name, value in metadata.items()) > _METADATA_BYTES:
        raise S3Error(400, "MetadataTooLarge")
    return ObjectSpec(
        key=request.key, headers={name.title(): told[name] for name in _CONTENT if told.get(name)},
        metadata=metadata, checksum=algorithm, checksum_type=kind,
        encryption=told.get("x-amz-server-side-encryption"),
    )  # fmt: skip


def _with_parts(spec: ObjectSpec, sizes: tuple[int, ...]) -> ObjectSpec:
    return ObjectSpec.from_json(spec.to_json() | {"parts": sizes})


def _listed_parts(upload: Upload, body: str) -> list[Content]:
    numbers: list[int] = []
    found: list[Content] = []
    for inner in _PART.findall(body):
        number = int(_text(inner, "PartNumber"))
        content, etag = upload.parts.get(number, (None, ""))
        if content is None or _text(inner, "ETag").replace("&quot;", "").strip('"') != etag:
            raise S3Error(400, "InvalidPart")
        checksum = _text(inner, f"Checksum{upload.spec.checksum}")
        if checksum and checksum != _b64(digest(content, upload.spec.checksum or "")):
            raise S3Error(400, "InvalidPart")
        numbers.append(number)
        found.append(content)
    if not found:
        raise S3Error(400, "MalformedXML")
    if numbers != sorted(set(numbers)):
        raise S3Error(400, "InvalidPartOrder")
    if any(one.size < _LEAST_PART for one in found[:-1]):
        raise S3Error(400, "EntityTooSmall")
    return found


def _text(inner: str, tag: str) -> str:
    match = re.search(rf"<{tag}>(.*?)</{tag}>", inner)
    return match.group(1) if match else ""


def _result(now: float, name: str, fields: dict[str, str]) -> Reply:
    space = "http://s3.amazonaws.com/doc/2006-03-01/"
    return xml_reply(200, common_headers(now), f'<{name} xmlns="{space}">{elements(fields)}</{name}>')


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
