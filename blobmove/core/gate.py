"""The gate of the flip: which rows may change their service, page by page or, after a closer look, row by row.

Everything is compared here, code point by code point: the collation of the table has no say.
"""

from __future__ import annotations

from binascii import b2a_base64
from typing import TYPE_CHECKING, Final

from blobmove.core.model import PROVEN_STATES, State
from blobmove.core.rails import parse_rails_checksum

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from blobmove.core.flipping import Candidate, ProvenBlob
    from blobmove.core.rows import ProvenRows, Rows

_LEFT_BEHIND: Final = {
    State.REFUSED: "refused-name",
    State.GONE: "gone-from-source",
    State.SKIPPED: "skipped-by-plan",
}


def needs_look(rows: Rows, proven: ProvenRows) -> list[int]:
    """The positions of the rows that do not say, to the letter, what one of `proven` says.

    Nearly all do, and mostly all of a page, which then is compared as a whole: to look at each row by itself takes
    twenty times as long.
    """
    backslash = "\\" in proven.keys  # see gate; a key that is not there needs a look anyway
    if proven.are(rows) and not backslash:
        return []
    known = proven.each()
    told = enumerate(zip(rows.keys, rows.sizes, rows.checksums, strict=True))
    return [at for at, one in told if one not in known or (backslash and "\\" in one[0])]


def refusals(rows: Sequence[Candidate], looked: Sequence[int], proven: Mapping[str, ProvenBlob]) -> dict[int, str]:
    """Of the rows at the positions `looked`: those that do not pass, with the reason."""
    judged = ((at, gate(rows[at], proven.get(rows[at].key))) for at in looked)
    return {at: reason for at, reason in judged if reason}


def gate(row: Candidate, proven: ProvenBlob | None) -> str:
    """ "" when the row's file is proven to be on Azure under the row's key, else the reason to leave it alone."""
    key = row.key
    if proven is None or proven.key != key:
        return "not-in-plan"
    state = proven.state
    if state is not State.COPIED and state not in PROVEN_STATES:  # nearly all are; hashing one takes its time
        return _LEFT_BEHIND.get(state, "not-copied")
    if proven.verified is False:
        return "verify-differs"
    if "\\" in key:
        return "refused-name"  # the azure-blob gem asks for a/b where the key is a\b
    if proven.blob_name != key:
        return "renamed"
    if proven.size != row.byte_size:
        return "size-differs"
    return _checksum_gate(row.checksum, proven)


def _checksum_gate(checksum: str | None, proven: ProvenBlob) -> str:
    if checksum is None:
        return ""  # composed blobs have none: size and proof decide
    if proven.md5 is not None and checksum == b2a_base64(proven.md5, newline=False).decode("ascii"):
        return ""  # as Rails writes it, and quicker than taking the text apart
    md5, sha256 = parse_rails_checksum(checksum)
    if sha256 is not None:
        # Rails' Azure services compare MD5 only: after a flip Blob#open would raise IntegrityError.
        return "checksum-differs" if proven.sha256 not in (None, sha256) else "sha256-checksum"
    if md5 is None:
        return "checksum-unreadable"
    if proven.md5 is None:
        return "md5-unknown"
    return "" if proven.md5 == md5 else "checksum-differs"
