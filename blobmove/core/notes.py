"""What the database or the metadata say otherwise of a file whose copy is proven: reported, never obeyed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from blobmove.core.digests import from_base64

if TYPE_CHECKING:
    from blobmove.core.model import RailsFacts

_CLAIM: Final = "md5chksum"
"""The metadata name under which rclone keeps the MD5 of the whole file, in base64."""


def rails_notes(
    rails: RailsFacts | None, size: int, md5: bytes | None, sha256: bytes | None
) -> tuple[str, ...]:
    """Where the row differs from the file: the file is copied, the row not flipped. Digests of the bytes, if known.

    Notes: `rails-md5-differs`, `rails-sha256-differs`, `rails-size-differs`.
    """
    if rails is None:
        return ()
    if rails.size == size and rails.md5 == md5 and rails.sha256 is None:
        return ()  # nearly always
    found = (
        ("rails-md5-differs", _differ(rails.md5, md5)),
        ("rails-sha256-differs", _differ(rails.sha256, sha256)),
        ("rails-size-differs", rails.size != size),
    )
    return tuple(note for note, differs in found if differs)


def metadata_notes(metadata: Sequence[tuple[str, str]], md5: bytes | None) -> tuple[str, ...]:
    """`metadata-md5-differs` where the metadata claim another MD5 than that of the bytes (case M13)."""
    if not metadata:
        return ()
    claimed = from_base64(dict(metadata).get(_CLAIM))
    is_md5 = claimed is not None and len(claimed) == 16
    return ("metadata-md5-differs",) if is_md5 and _differ(claimed, md5) else ()


def _differ(told: bytes | None, seen: bytes | None) -> bool:
    return told is not None and seen is not None and told != seen
