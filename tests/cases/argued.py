"""The cases that this program answers otherwise than they say, and why; their tests assert what it does instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ARGUED: Final[Mapping[str, str]] = {
    "F23": "a current version is pinned by its ETag: by its version id a GET would still find it after it was"
           " overwritten or deleted; it is `changed`, and the next plan copies the newer one (design.md section 4)",
    "I03": "every part is asked for and the ETag recomputed: nothing differs that a note could name (s3.md section 2)",
    "R07": "the plan counts objects without a row, not their bytes or cost (`objects_without_row`, cli.md)",
    "R11": "no flag repairs types (cli.md): S3's is kept, the row is flipped; only `--transfer server --content-from"
           " rails`, which asks S3 for nothing, takes the type of the row, and so repairs it",
    "R13": "no command lists blobs that lost their row after the copy (cli.md); a plan after it counts the object as"
           " one without a row",
    "R15": "an undo tells how many rows name the service, not which of them need a reverse copy (cli.md)",
    "T01": "cli.md has no policy for tags: they are not read, and the loss is noted and counted (`tags-not-copied`)",
    "T03": "as T01 (cli.md): tags are not read, so the permission is not needed and no plan asks for it",
    "V09": "`copy --resume` takes no inventory, the list is fixed in the checkpoint; a newer one is a new plan and is"
           " adopted (design.md section 4), one of another bucket or destination is refused",
}
