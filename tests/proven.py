"""What the ledger answers for a page at once, made from what it tells of single keys: for ledgers of tests, and as the
word that the checkpoint's own answer is held to."""

from __future__ import annotations

from binascii import b2a_base64

from blobmove.core.flipping import ProvenBlob, ProvenRow
from blobmove.core.model import PROVEN_STATES


def proven_row(proven: ProvenBlob) -> ProvenRow | None:
    """What a row must say to pass at once: the ledger's answer to most rows. None when each needs a closer look."""
    if proven.state not in PROVEN_STATES or proven.verified is False or proven.blob_name != proven.key:
        return None
    if proven.size is None or proven.md5 is None:
        return None
    return proven.key, proven.size, b2a_base64(proven.md5, newline=False).decode("ascii")
