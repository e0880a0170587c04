"""Which rows of an inventory become transfers, and why the others do not."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from blobmove.core.frozen import frozen
from blobmove.core.model import ARCHIVED, State
from blobmove.core.names import older_version_name, refusal

if TYPE_CHECKING:
    from blobmove.core.model import ObjectVersion

ARCHIVE_CLASSES: Final = frozenset({"GLACIER", "DEEP_ARCHIVE"})
"""Classes that must be restored before a GET answers; GLACIER_IR is readable as it is (s3.md section 5)."""


@frozen
class Selection:
    """What the operator asked to move. `excludes` are globs over whole keys, `*` also matches `/`.

    `hierarchical`: whether folders are real where it is to go; None where nobody may ask.
    """

    prefix: str = ""
    excludes: tuple[str, ...] = ()
    all_versions: bool = False
    only_referenced: bool = False
    hierarchical: bool | None = None


@frozen
class Decision:
    """What becomes of one row: pending, skipped or refused with a reason; `blob_name` where it is not the key."""

    state: State
    reason: str = ""
    blob_name: str | None = None


def decide(version: ObjectVersion, selection: Selection, referenced: bool | None) -> Decision:
    """The fate of one inventory row; `referenced` says whether a Rails row names the key (None: not known).

    Skip reasons: `delete-marker`, `old-version`, `folder-placeholder`, `excluded`, `not-referenced`, `archived`.
    Refusals: those of core.names.
    """
    reason = _skip_reason(version, selection, referenced)
    if reason is not None:
        return Decision(State.SKIPPED, reason)
    name = version.key
    if not version.is_latest:
        name = older_version_name(version.key, version.version_id or "null")
    refused = refusal(name, hierarchical=bool(selection.hierarchical))
    if refused is not None:
        return Decision(State.REFUSED, refused)
    return Decision(State.PENDING, "", None if name == version.key else name)


def _skip_reason(version: ObjectVersion, selection: Selection, referenced: bool | None) -> str | None:
    if version.is_delete_marker:
        return "delete-marker"
    if not version.is_latest and not selection.all_versions:
        return "old-version"
    if version.size == 0 and version.key.endswith("/"):
        return "folder-placeholder"
    if any(fnmatchcase(version.key, pattern) for pattern in selection.excludes):
        return "excluded"
    if selection.only_referenced and referenced is False:
        return "not-referenced"
    if is_archived(version):
        return ARCHIVED
    return None


def is_archived(version: ObjectVersion) -> bool:
    """Whether the report says that a GET would answer InvalidObjectState."""
    tier = (version.archive_tier or "").upper()
    return version.storage_class in ARCHIVE_CLASSES or ("ARCHIVE" in tier and "INSTANT" not in tier)
