"""`blobmove verify`: words to settings, result to text and exit code."""

from __future__ import annotations

from typing import Any

import click

from blobmove.cli.faces import open_faces
from blobmove.cli.flags import assemble, begin, chosen, setting, shared
from blobmove.cli.words import PERCENT, SCHEDULER, WORKERS
from blobmove.core.settings import How, VerifySettings
from blobmove.views.jsonl import verify_document
from blobmove.views.verify_text import verify_text


@click.command("verify")
@chosen("--how", among=How, default="listing", help="By Azure's listing (size, MD5), or by reading every byte.")
@setting("--sample", type=PERCENT, default="100", metavar="PERCENT", help="Look at a share of the objects only.")
@setting("--workers", type=WORKERS, metavar="auto|N", help="Read in N processes of this machine (auto: one a core).")
@setting("--scheduler", type=SCHEDULER, metavar="ADDRESS",
         help="Read on a Dask cluster: tcp://HOST:PORT or tls://HOST:PORT.")
@shared
def command(**given: Any) -> int:  # noqa: ANN401
    """Ask Azure again and compare with what was recorded; exit 5 for a difference, 1 for unreadable blobs."""
    words = begin(given)
    settings = assemble(VerifySettings, given)
    with open_faces(words) as faces:
        from blobmove.cli import wiring

        result, code = wiring.run_verify(settings, faces.listener)
        faces.tell(verify_text(result, paint=faces.paint), verify_document(result))
    return code
