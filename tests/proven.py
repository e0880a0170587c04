"""What the ledger answers for a page at once, made from what it tells of single keys: for ledgers of tests, and as the
word that the checkpoint's own answer is held to."""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Mapping, Sequence

from blobmove.core.flipping import ProvenBlob, ProvenRow
from blobmove.core.model import PROVEN_STATES
from blobmove.core.rows import ProvenRows


def proven_row(proven: ProvenBlob) -> ProvenRow | None:
    """What a row must say to pass at once: the ledger's answer to most rows. None when each needs a closer look."""
    if proven.state not in PROVEN_STATES or proven.verified is False or proven.blob_name != proven.key:
        return None
    if proven.size is None or proven.md5 is None:
        return None
    return proven.key, proven.size, b2a_base64(proven.md5, newline=False).decode("ascii")


def proven_rows(proven: Mapping[str, ProvenBlob], keys: Sequence[str]) -> ProvenRows:
    """The answer to these keys, in their order; none where one of them holds a zero byte."""
    found = [row for key in keys if key in proven and (row := proven_row(proven[key])) is not None]
    return ProvenRows() if any("\0" in row[0] for row in found) else ProvenRows.of(found)
