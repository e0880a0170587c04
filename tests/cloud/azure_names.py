"""What the real service makes of names and metadata (azure-blob.md sections 3.1, 3.2, 3.4)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from tests.cloud.azure_answers import AzureError
from tests.cloud.wire import Request, decode_path

_CONTAINER: Final = re.compile(r"(?:\$root|\$web|\$logs|[a-z0-9](?:-?[a-z0-9]){2,62})\Z")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f\x81\ud800-\udfff]")
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_CHARACTERS: Final = 1024
_SEGMENTS: Final = 254
_METADATA_BYTES: Final = 8 * 1024
_META: Final = "x-ms-meta-"


@lru_cache(maxsize=4096)
def service_name(path: str) -> str:
    """The name under which the live service stores what this (percent-encoded) path names.

    Backslashes become slashes, `.` and `..` segments are resolved, dots at the end are cut off, all silently
    (azure-sdk-for-rust #5275, Connect_SDK #71). Raises AzureError for control characters, more than 1,024 characters
    or 254 segments.
    """
    name = decode_path(path).replace("\\", "/")
    if "." in name:
        name = _resolved(name)
    if _CONTROL.search(name):
        raise AzureError(400, "InvalidResourceName")
    if not 1 <= len(name) <= _CHARACTERS or name.count("/") >= _SEGMENTS:
        raise AzureError(400, "OutOfRangeInput")
    return name


def _resolved(name: str) -> str:
    kept: list[str] = []
    for segment in name.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    return "/".join(kept).rstrip(".")


def check_container_name(name: str) -> None:
    if not 3 <= len(name) <= 63 or _CONTAINER.match(name) is None:
        raise AzureError(400, "InvalidResourceName")


def metadata_of(request: Request) -> dict[str, str]:
    """The metadata of a write. Raises AzureError: C# identifiers, ASCII values, 8 KiB together, no name twice."""
    found: dict[str, str] = {}
    size = 0
    for header in [one for one in request.headers if one.startswith(_META)]:
        name, value = header[len(_META):], request.headers[header]
        if not name:
            raise AzureError(400, "EmptyMetadataKey", "The key for one of the metadata key-value pairs is empty.")
        if _IDENTIFIER.match(name) is None or not value.isascii() or header in request.repeated:
            raise AzureError(400, "InvalidMetadata")
        found[name] = value
        size += len(name) + len(value)
    if size > _METADATA_BYTES:
        raise AzureError(400, "MetadataTooLarge")
    return found
