"""What the auditor's page says of outcomes, proofs, reasons and notes: a sentence each, in no need of a manual."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from blobmove.core.model import State
from blobmove.core.units import format_count
from blobmove.views.plan_text import REASONS

if TYPE_CHECKING:
    from blobmove.checkpoint.reader import RunRow
    from blobmove.checkpoint.story import Doubt, Story

_ERROR: Final = re.compile(r"E(\d{3})-(SOURCE|DESTINATION)")
RUNNING: Final = "running"
NO_END: Final = "no end recorded"
"""Of a run: it was killed, its machine stopped, or it failed in a way that left no word."""
_SIDES: Final = {"SOURCE": "S3", "DESTINATION": "Azure"}

MEANING: Final = {
    State.COPIED: "written to Azure by blobmove, the bytes proven",
    State.PRESENT: "was on Azure already, the bytes proven identical",
    State.SKIPPED: "left out by the plan, on purpose; the reasons are below",
    State.REFUSED: "Azure cannot hold the name",
    State.CHANGED: "another version lay in S3 by the time it was read; a newer plan adopts it",
    State.GONE: "deleted from S3 between the plan and the copy",
    State.CONFLICT: "Azure holds something else under the name; it was left alone",
    State.FAILED: "could not be copied; the reasons are below",
    State.PENDING: "not copied yet",
}
PROVEN_BY: Final = {
    "etag-md5": "The ETag that S3 had stored is the MD5 of the object. Azure computed the MD5 of what arrived and "
                "would have refused other bytes; large objects were compared before they were committed.",
    "crc64nvme": "The CRC-64 of the whole object that S3 had stored equals that of the bytes that were written.",
    "crc32c": "The CRC-32C of the whole object that S3 had stored equals that of the bytes that were written.",
    "crc32": "The CRC-32 of the whole object that S3 had stored equals that of the bytes that were written.",
    "sha256": "The SHA-256 of the whole object that S3 had stored equals that of the bytes that were written.",
    "sha1": "The SHA-1 of the whole object that S3 had stored equals that of the bytes that were written.",
    "multipart-etag": "The object was uploaded in parts. Its ETag, the MD5 over the MD5s of its parts, was computed "
                      "again from the same parts and is the same.",
    "composite": "S3 had stored a checksum over the checksums of the parts. It was computed again and is the same.",
    "rails-md5": "The checksum that Rails wrote into its row at upload equals that of the bytes that were written.",
    "read-back": "Neither S3 nor Rails had a checksum. The object was read twice from S3 and once from Azure, and all "
                 "three were the same. This is the weakest proof.",
}
"""The proofs of docs/explanation/integrity.md, a sentence each."""

OUTCOMES: Final = {
    **REASONS,
    "metadata-name": "refused: a metadata name that Azure does not take (--metadata-names refuse)",
    "metadata-collision": "refused: two metadata names would become one",
    "metadata-too-large": "refused: more than 8 KiB of metadata",
    "source-changed": "S3 holds another version than the plan saw; a newer plan adopts it",
    "deleted-at-source": "deleted from S3 between the plan and the copy",
    "destination-exists": "a blob of that name was there already (--if-exists fail)",
    "destination-differs": "a blob of that name was there and is something else, or cannot be shown to be the same",
    "destination-keeps-changing": "somebody else wrote that blob at the same time",
    "E403-PULL": "Azure could not pull the object from S3 by itself (--transfer server)",
}
"""The reasons of docs/reference/errors.md."""

NOTES: Final = {
    "metadata-renamed": "a metadata name that Azure does not take was kept as a pair: new name, and old name",
    "metadata-dropped": "such a name was left out, as asked for",
    "metadata-encoded": "a metadata value outside ASCII was encoded (RFC 2047)",
    "header-unreadable": "a header in no known encoding was left out",
    "header-encoded": "a content header outside ASCII was percent-encoded",
    "aws-chunked-removed": "a left-over of the upload was taken out of Content-Encoding",
    "expires-lost": "the object has Expires, for which a blob has no place",
    "redirect-lost": "the object has a website redirect, for which a blob has no place",
    "tags-not-copied": "the object has tags; they are not copied",
    "metadata-md5-differs": "an MD5 in the metadata is not that of the file in S3; kept as it is",
    "content-md5-differs": "the Content-MD5 claimed for a blob is not that of its bytes",
    "server-side": "Azure pulled the object from S3 by itself; nothing differs",
    "rails-md5-differs": "the MD5 in the Rails row is not that of the file in S3; copied, but not flipped",
    "rails-sha256-differs": "the SHA-256 in the Rails row is not that of the file in S3; copied, but not flipped",
    "rails-size-differs": "the size in the Rails row is not that of the file in S3; copied, but not flipped",
}
"""The notes of docs/reference/errors.md."""


DOUBTS: Final = {
    "never": "No verification has come to its end yet.",
    "different": "It found objects that are different or missing: `copy --resume --retry-failed` copies them again.",
    "unreadable": "It could not read some blobs and says nothing of those: verify again.",
    "sample": "It says nothing of the objects outside the sample.",
    "copied": "A copy came after it that settled objects, or that left no number of them: verify again.",
}
"""Why the last verification does not speak for all that was copied; "unfinished" has words of its own."""


def doubt_text(story: Story, doubt: Doubt) -> str:
    """A sentence for each."""
    if story.unfinished is not None and doubt == "unfinished":
        return _unfinished(story.unfinished, running=story.running, later=story.verified is not None)
    return DOUBTS[doubt]


def _unfinished(run: RunRow, *, running: int | None, later: bool) -> str:
    who = f"Run {run.id}, a {'later ' if later else ''}verification,"
    if run.exit_code is None:
        return f"{who} is running." if run.id == running else f"{who} has no end recorded: verify again."
    if run.exit_code >= 128:
        looked = sum(int(run.summary.get(name, 0)) for name in ("identical", "different", "missing"))
        return f"{who} was broken off after {format_count(looked)} objects: verify again."
    why = run.summary.get("stopped")
    return f"{who} ended with exit code {run.exit_code}{f' ({why})' if why else ''}: verify again."


def reason_text(reason: str) -> str:
    """A sentence for a reason or for the code of a failure; "" for one that is not known here."""
    found = _ERROR.fullmatch(reason)
    if found is None:
        return OUTCOMES.get(reason, "")
    status, side = found[1], _SIDES[found[2]]
    if status == "000":
        return f"no answer from {side}, also after all tries"
    if status == "422":
        return f"the bytes did not have their checksum on the side of {side}, in none of the attempts"
    return f"{side} refused this object with HTTP status {status}"
