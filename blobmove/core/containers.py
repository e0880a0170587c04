"""Names of Azure containers: what is allowed, and which one to propose for an S3 bucket."""

from __future__ import annotations

import re
from typing import Final

MAX_LENGTH: Final = 63
MIN_LENGTH: Final = 3
SPECIAL: Final = frozenset({"$web"})
"""Containers with a reserved name that files may be copied into (azure-blob.md section 3.1)."""

_VALID: Final = re.compile(r"[a-z0-9](?:[a-z0-9]|-(?=[a-z0-9]))*")


def container_problem(name: str) -> str | None:
    """Why Azure would refuse a container of this name, as half a sentence, or None if it would not.

    The rules: 3 to 63 characters of `a-z`, `0-9` and `-`; a letter or digit first and last; no two hyphens in a row.
    """
    if name in SPECIAL:
        return None
    if not MIN_LENGTH <= len(name) <= MAX_LENGTH:
        return f"it has {len(name)} characters, Azure wants {MIN_LENGTH} to {MAX_LENGTH}"
    if name != name.lower():
        return "it has capital letters"
    if "--" in name:
        return "it has two hyphens in a row"
    if name[0] == "-" or name[-1] == "-":
        return "it begins or ends with a hyphen"
    if _VALID.fullmatch(name) is None:
        return "only a-z, 0-9 and hyphens are allowed"
    return None


def suggest_container(bucket: str) -> str:
    """A valid container name for a bucket, the one AzCopy would choose: the operator's own choice always wins.

    Dots become hyphens, and a run of n hyphens becomes `-n-` (AzCopy `azcopy/s3NameResolver.go`); what is still not
    allowed (capitals and underscores of old buckets) is lowered or becomes a hyphen; cut at 63 characters.
    """
    name = re.sub(r"[^a-z0-9-]", "-", bucket.lower()).strip("-")
    name = re.sub(r"-{2,}", lambda run: f"-{len(run[0])}-", name)
    name = name[:MAX_LENGTH].rstrip("-")
    return name if len(name) >= MIN_LENGTH else f"{name}-blobs".lstrip("-")
