"""The S3 side: which operation a request is, and who answers it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from tests.cloud.s3_answers import S3Error, common_headers, elements, error_reply, plain_error, xml_reply
from tests.cloud.s3_auth import S3Auth
from tests.cloud.s3_list import list_objects, list_versions
from tests.cloud.s3_read import read_object, wanted_version
from tests.cloud.s3_state import ARCHIVED_CLASSES, Bucket
from tests.cloud.s3_write import WRITES, multipart_operation
from tests.cloud.specs import Settings
from tests.cloud.wire import Reply, Request, decode_path

_KEY_BYTES: Final = 1024
_REGION: Final = re.compile(r"Credential=[^/]+/\d+/([^/]+)/s3/")


class S3Service:
    """All buckets (path style). Reads, listings, tags, restores; writes of whole objects and in parts."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._operations: dict[str, Callable[[Bucket, Request, float], Reply]] = {
            "GetObject": read_object,
            "HeadObject": read_object,
            "ListObjectsV2": list_objects,
            "ListObjectVersions": list_versions,
            "HeadBucket": _head_bucket,
            "GetBucketLocation": _location,
            "GetObjectTagging": _tagging,
            "RestoreObject": _restore,
            **WRITES,
        }
        self.clear()

    def clear(self) -> None:
        self.buckets: dict[str, Bucket] = {}
        self.auth = S3Auth(Settings())

    def identify(self, request: Request) -> None:
        bucket, slash, key = request.path[1:].partition("/")
        request.container = bucket
        request.key = decode_path(key) if slash else ""
        request.operation = _object_operation(request) if request.key else _bucket_operation(request)

    def handle(self, request: Request) -> Reply:
        now = self._clock()
        try:
            return self._answer(request, now)
        except S3Error as error:
            return error_reply(error, request, now)

    def _answer(self, request: Request, now: float) -> Reply:
        bucket = self.buckets.get(request.container)
        self.auth.allow(request, bucket.region if bucket else "us-east-1", now)
        operation = self._operations.get(request.operation)
        if operation is None:
            raise S3Error(501, "NotImplemented")
        if bucket is None:
            raise S3Error(404, "NoSuchBucket", more={"BucketName": request.container})
        if request.key and len(request.key.encode("utf-8", "surrogatepass")) > _KEY_BYTES:
            raise S3Error(400, "KeyTooLongError", "Your key is too long")
        return operation(bucket, request, now)

    def failure(self, request: Request, status: int, code: str, message: str = "") -> Reply:
        return error_reply(plain_error(status, code, message), request, self._clock())

    def busy(self, request: Request) -> Reply:
        return self.failure(request, 503, "SlowDown")

    def expired(self, request: Request) -> Reply:
        return self.failure(request, 400, "ExpiredToken")


def _object_operation(request: Request) -> str:
    params = request.params
    if request.method == "GET":
        if "tagging" in params:
            return "GetObjectTagging"
        return "GetObjectAttributes" if "attributes" in params else "GetObject"
    if request.method == "HEAD":
        return "HeadObject"
    if request.method == "POST" and "restore" in params:
        return "RestoreObject"
    if "uploads" in params or "uploadId" in params:
        return multipart_operation(request)
    return f"{request.method.title()}Object"


def _bucket_operation(request: Request) -> str:
    params = request.params
    if request.method == "HEAD":
        return "HeadBucket"
    if request.method == "GET" and request.container:
        if "versions" in params:
            return "ListObjectVersions"
        if "location" in params:
            return "GetBucketLocation"
        return "ListObjectsV2" if params.get("list-type") == "2" else "ListObjects"
    return f"{request.method.title()}Bucket"


def _head_bucket(bucket: Bucket, request: Request, now: float) -> Reply:
    """200 with the region; another signing region is told with 301, as for buckets elsewhere."""
    headers = common_headers(now) | {"x-amz-bucket-region": bucket.region}
    signed_for = _REGION.search(request.headers.get("authorization", ""))
    if signed_for and signed_for.group(1) != bucket.region:
        return Reply(301, headers)
    return Reply(200 if bucket.listable else 403, headers)


def _location(bucket: Bucket, request: Request, now: float) -> Reply:
    return xml_reply(200, common_headers(now), f"<LocationConstraint>{bucket.region}</LocationConstraint>")


def _tagging(bucket: Bucket, request: Request, now: float) -> Reply:
    tags = wanted_version(bucket, request).spec.tags
    inner = "".join(f"<Tag>{elements({'Key': name, 'Value': value})}</Tag>" for name, value in tags.items())
    return xml_reply(200, common_headers(now), f"<Tagging><TagSet>{inner}</TagSet></Tagging>")


def _restore(bucket: Bucket, request: Request, now: float) -> Reply:
    """RestoreObject starts (202), extends (200) or refuses (409); the control API finishes it."""
    version = wanted_version(bucket, request)
    if version.spec.storage_class not in ARCHIVED_CLASSES and version.spec.archive_status is None:
        raise S3Error(403, "InvalidObjectState", more={"StorageClass": version.spec.storage_class})
    if version.restore and 'ongoing-request="true"' in version.restore:
        raise S3Error(409, "RestoreAlreadyInProgress")
    if version.restore:
        return Reply(200, common_headers(now))
    version.restore = 'ongoing-request="true"'
    return Reply(202, common_headers(now))
