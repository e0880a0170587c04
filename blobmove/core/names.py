"""S3 key to blob name: which keys Azure would rewrite or refuse, decided before the first byte.

Every accepted key is its own blob name, byte for byte, so the mapping is injective by construction. Azure silently
strips trailing dots, resolves dot segments and turns a backslash into a slash (azure-blob.md section 3.2): such a
key would overwrite another blob or be unreachable from the app, and is refused.
"""

from __future__ import annotations

import re
from typing import Final

MAX_CHARACTERS: Final = 1024
MAX_SEGMENTS: Final = 254

_SUSPECT: Final = re.compile("[\x00-\x1f\x7f-\x9f\\\\\ufffe\uffff\ud800-\udfff]|\\.(?:/|\\Z)")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")
_NOT_CHARACTERS: Final = re.compile("[\ufffe\uffff\ud800-\udfff]")


def refusal(key: str) -> str | None:
    """The reason why Azure cannot hold a blob of this name, or None if it can.

    Reasons: `name-empty`, `name-too-long`, `name-too-many-segments`, `name-control-character`,
    `name-not-a-character`, `name-backslash`, `name-dot-segment`, `name-trailing-dot`.
    """
    if not key:
        return "name-empty"
    if len(key) > MAX_CHARACTERS:
        return "name-too-long"
    if key.count("/") >= MAX_SEGMENTS:
        return "name-too-many-segments"
    if _SUSPECT.search(key) is None:
        return None
    return _which(key)


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
