"""What an S3 answer says about an object, as the properties and metadata of a blob, and what is lost on the way."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from functools import lru_cache
from typing import Final
from urllib.parse import quote

from blobmove.core.frozen import frozen

METADATA_LIMIT: Final = 8 * 1024
"""Names and values of a blob's metadata together, in bytes (azure-blob.md section 3.4)."""

_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_INVALID: Final = re.compile(r"[^A-Za-z0-9_]")
_FILENAME: Final = re.compile(r'filename="((?:[^"\\]|\\.)*)"')
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_META: Final = "x-amz-meta-"


class MetadataNames(StrEnum):
    """What to do with a metadata name that is no C# identifier (`--metadata-names`)."""

    RENAME = "rename"
    DROP = "drop"
    REFUSE = "refuse"


@frozen
class BlobProperties:
    """The properties a blob is written with; values are ASCII, None is not sent."""

    content_type: str | None = None
    content_encoding: str | None = None
    content_language: str | None = None
    content_disposition: str | None = None
    cache_control: str | None = None
    metadata: tuple[tuple[str, str], ...] = ()


class MetadataRefused(ValueError):
    """Raised when the metadata cannot be kept under the policy asked for; the text is the reason code."""


def blob_properties(headers: Mapping[str, str], names: MetadataNames) -> tuple[BlobProperties, tuple[str, ...]]:
    """Properties and notes for one S3 answer (header names in lower case).

    Notes name what differs at the destination: `metadata-renamed`, `metadata-dropped`, `metadata-encoded`,
    `header-encoded`, `aws-chunked-removed`, `expires-lost`, `redirect-lost`, `tags-not-copied`.
    Raises MetadataRefused (`metadata-name`, `metadata-collision`, `metadata-too-large`).
    """
    told = headers.get
    has_metadata, lost = _told_of(tuple(headers))
    if lost:
        lost = tuple(name for name in lost if headers[name] != "0")
    known = _without_metadata(
        told("content-type"), told("content-encoding"), told("content-language"), told("content-disposition"),
        told("cache-control"), lost,
    )
    if not has_metadata:
        return known
    properties, already = known
    notes: list[str] = []
    metadata = _metadata(headers, names, notes)
    return replace(properties, metadata=metadata), tuple(dict.fromkeys((*notes, *already)))


@lru_cache(maxsize=1024)
def _told_of(names: tuple[str, ...]) -> tuple[bool, tuple[str, ...]]:
    """Whether there is metadata among these headers, and which cannot be kept: answers differ in few of them."""
    return any(name.startswith(_META) for name in names), tuple(name for name in _LOST if name in names)


@lru_cache(maxsize=4096)
def _without_metadata(
    content_type: str | None, encoding: str | None, language: str | None, disposition: str | None,
    cache_control: str | None, lost: tuple[str, ...],
) -> tuple[BlobProperties, tuple[str, ...]]:
    """Kept, since a bucket's objects differ in few of these: 6 us an object less."""
    notes: list[str] = []
    encoding = _without_aws_chunked(encoding, notes)
    notes += (_LOST[name] for name in lost)
    properties = BlobProperties(
        content_type=_ascii(content_type, notes),
        content_encoding=_ascii(encoding, notes),
        content_language=_ascii(language, notes),
        content_disposition=_disposition(disposition, notes),
        cache_control=_ascii(cache_control, notes),
    )
    return properties, tuple(dict.fromkeys(notes))


_LOST: Final = {
    "expires": "expires-lost",
    "x-amz-website-redirect-location": "redirect-lost",
    "x-amz-tagging-count": "tags-not-copied",
    "x-blobmove-unreadable": "header-unreadable",  # the S3 door's word: a value in no known encoding was left out
}


def _without_aws_chunked(value: str | None, notes: list[str]) -> str | None:
    # An artefact of the upload that S3-compatible stores keep (case H07).
    if not value or "aws-chunked" not in value:
        return value
    notes.append("aws-chunked-removed")
    kept = [part.strip() for part in value.split(",") if part.strip() != "aws-chunked"]
    return ", ".join(kept) or None


def _ascii(value: str | None, notes: list[str]) -> str | None:
    if value is None or value.isascii():
        return value or None
    notes.append("header-encoded")
    return quote(value, safe=" !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")


def _disposition(value: str | None, notes: list[str]) -> str | None:
    """A file name outside ASCII as RFC 5987 says, so that every client reads the same name (case H09)."""
    if value is None or value.isascii():
        return value or None
    found = _FILENAME.search(value)
    if found is None:
        return _ascii(value, notes)
    notes.append("header-encoded")
    quoted = found.group(1)
    plain = quoted.encode("ascii", "replace").decode().replace("?", "_")
    rest = _ascii(value[: found.start()], []) or ""
    tail = _ascii(value[found.end():], []) or ""
    if "filename*" in value.lower():
        return f"{rest}filename=\"{plain}\"{tail}"  # the name is there in full already
    name = _ESCAPED.sub(r"\1", quoted)
    return f"{rest}filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}{tail}"


def _metadata(headers: Mapping[str, str], names: MetadataNames, notes: list[str]) -> tuple[tuple[str, str], ...]:
    kept: dict[str, str] = {}
    for header, value in headers.items():
        if header.startswith(_META):
            for name, text in _pairs(header[len(_META):], _wire_value(value, notes), names, notes):
                if name in kept:
                    raise MetadataRefused("metadata-collision")
                kept[name] = text
    if sum(len(name) + len(value) for name, value in kept.items()) > METADATA_LIMIT:
        raise MetadataRefused("metadata-too-large")
    return tuple(kept.items())


def _pairs(name: str, value: str, names: MetadataNames, notes: list[str]) -> list[tuple[str, str]]:
    name = name.lower()
    if _IDENTIFIER.match(name):
        return [(name, value)]
    if names is MetadataNames.REFUSE:
        raise MetadataRefused("metadata-name")
    if names is MetadataNames.DROP:
        notes.append("metadata-dropped")
        return []
    notes.append("metadata-renamed")
    plain = _INVALID.sub("_", name)
    original = name if name.isascii() else quote(name, safe="")
    return [(f"rename_{plain}", value), (f"rename_key_{plain}", original)]


def _wire_value(value: str, notes: list[str]) -> str:
    """ASCII on the wire and recoverable: text outside ASCII as RFC 2047, as S3 itself shows it (case M09)."""
    if value.isascii():
        return value
    notes.append("metadata-encoded")
    return f"=?UTF-8?B?{base64.b64encode(value.encode()).decode()}?="


_CARRIED: Final = ("content-type", "content-encoding", "content-language", "content-disposition", "cache-control")
_BLOB_META: Final = "x-ms-meta-"
_RENAMED: Final = "rename_"
_RENAMED_KEY: Final = "rename_key_"
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")

OBJECT_METADATA_LIMIT: Final = 2 * 1024
"""Names and values of an object's metadata together, in bytes (s3.md section 4: PutObject)."""


def object_headers(headers: Mapping[str, str], *, without: str = "") -> tuple[tuple[str, str], ...]:
    """The headers to write an object with, from those of a blob (names in lower case): the way back.

    Pairs `rename_NAME` and `rename_key_NAME` become the metadata name they stand for; `without` is a metadata name
    to leave out. Raises MetadataRefused (`metadata-collision`, `metadata-too-large`).
    """
    carried = [(name, headers[name]) for name in _CARRIED if headers.get(name)]
    blob = {name[len(_BLOB_META):].lower(): value for name, value in headers.items() if name.startswith(_BLOB_META)}
    blob.pop(without, None)
    metadata: dict[str, str] = {}
    for name, value in blob.items():
        original = _original_name(name, blob)
        if original is None:
            continue
        if original in metadata:
            raise MetadataRefused("metadata-collision")
        metadata[original] = value
    if sum(len(name.encode()) + len(value.encode()) for name, value in metadata.items()) > OBJECT_METADATA_LIMIT:
        raise MetadataRefused("metadata-too-large")
    return (*carried, *((f"{_META}{name}", value) for name, value in metadata.items()))


def _original_name(name: str, blob: Mapping[str, str]) -> str | None:
    """The name under which S3 knew this metadata; None for the half of a pair that only holds the name."""
    if name.startswith(_RENAMED_KEY) and f"{_RENAMED}{name[len(_RENAMED_KEY):]}" in blob:
        return None if _TOKEN.match(blob[name]) else name
    if name.startswith(_RENAMED):
        told = blob.get(f"{_RENAMED_KEY}{name[len(_RENAMED):]}", "")
        return told.lower() if _TOKEN.match(told) else name
    return name
