"""What an S3 answer says about an object, as the properties and metadata of a blob, and what is lost on the way."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import quote

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


@dataclass(frozen=True, slots=True)
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
    notes: list[str] = []
    encoding = _without_aws_chunked(headers.get("content-encoding"), notes)
    metadata = _metadata(headers, names, notes)
    for header, note in _LOST.items():
        if headers.get(header) not in (None, "0"):
            notes.append(note)
    properties = BlobProperties(
        content_type=_ascii(headers.get("content-type"), notes),
        content_encoding=_ascii(encoding, notes),
        content_language=_ascii(headers.get("content-language"), notes),
        content_disposition=_disposition(headers.get("content-disposition"), notes),
        cache_control=_ascii(headers.get("cache-control"), notes),
        metadata=metadata,
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
