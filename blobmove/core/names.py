"""S3 key to blob name: which keys Azure would rewrite or refuse, decided before the first byte.

Every accepted key is its own blob name, byte for byte, so the mapping is injective by construction. Azure silently
strips trailing dots, resolves dot segments and turns a backslash into a slash (azure-blob.md section 3.2): such a
key would overwrite another blob or be unreachable from the app, and is refused. Where the account has a hierarchical
namespace (Data Lake Gen2), folders are real: empty segments vanish, and fewer segments are taken (section 3.3).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_CHARACTERS: Final = 1024
MAX_SEGMENTS: Final = 254
MAX_FOLDERS: Final = 61
"""Segments where folders are real: 63, of which account and container are two."""

_SUSPECT: Final = re.compile("[\x00-\x1f\x7f-\x9f\\\\\ufffe\uffff\ud800-\udfff]|\\.(?:/|\\Z)")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")
_NOT_CHARACTERS: Final = re.compile("[\ufffe\uffff\ud800-\udfff]")


def refusal(key: str, *, hierarchical: bool = False) -> str | None:
    """The reason why Azure cannot hold a blob of this name, or None if it can.

    Reasons: `name-empty`, `name-too-long`, `name-too-many-segments`, `name-control-character`,
    `name-not-a-character`, `name-backslash`, `name-dot-segment`, `name-trailing-dot`; `name-empty-segment` where the
    namespace is hierarchical.
    """
    if hierarchical:
        if key and has_empty_segment(key):
            return "name-empty-segment"
        if key.count("/") >= MAX_FOLDERS:
            return "name-too-many-segments"
    if not key:
        return "name-empty"
    if len(key) > MAX_CHARACTERS:
        return "name-too-long"
    if key.count("/") >= MAX_SEGMENTS:
        return "name-too-many-segments"
    if _SUSPECT.search(key) is None:
        return None
    return _which(key)


def has_empty_segment(key: str) -> bool:
    """Whether a slash has nothing before or behind it."""
    return "//" in key or key.startswith("/") or key.endswith("/")


def folders(name: str) -> Iterator[str]:
    """The folders that a blob of this name lies in, where folders are real; no blob can have the name of one."""
    at = name.find("/")
    while at >= 0:
        yield name[:at]
        at = name.find("/", at + 1)


def _which(key: str) -> str:
    if _CONTROL.search(key):
        return "name-control-character"
    if _NOT_CHARACTERS.search(key):
        return "name-not-a-character"
    if "\\" in key:
        return "name-backslash"
    if any(segment in (".", "..") for segment in key.split("/")):
        return "name-dot-segment"
    return "name-trailing-dot"


def older_version_name(key: str, version_id: str) -> str:
    """The blob name of an older version (`--versions all`): beside the current one, never over it.

    The suffix cannot clash with an S3 key in practice and is plain ASCII; the checkpoint refuses a clash anyway.
    """
    return f"{key}~version~{version_id}"
