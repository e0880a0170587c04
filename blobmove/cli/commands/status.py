"""`blobmove status`: where things stand, once or again and again."""

from __future__ import annotations

import sys
import time
from typing import Any

import click

from blobmove.cli.faces import Faces, open_faces
from blobmove.cli.flags import assemble, begin, setting, shared
from blobmove.core.settings import StatusSettings
from blobmove.views.copy_text import status_text
from blobmove.views.jsonl import status_document

_CLEAR = "\x1b[H\x1b[2J"


@click.command("status")
@setting("--watch", is_flag=False, flag_value="2", type=click.FloatRange(min=0.2), metavar="[SECONDS]",
         help="Look again every so many seconds, until nothing runs any more.  [default: 2]")
@setting("--failed", is_flag=True, help="Name the objects that are not well, and why.")
@shared
def command(watch: float | None, **given: Any) -> int:  # noqa: ANN401
    """Where things stand, from the checkpoint alone; works while a copy runs."""
    words = begin(given)
    settings = assemble(StatusSettings, given)
    with open_faces(words) as faces:
        while _look(settings, faces, repaint=watch is not None) and watch is not None:
            time.sleep(watch)
    return 0


def _look(settings: StatusSettings, faces: Faces, *, repaint: bool) -> bool:
    """Show the present state; whether something is running."""
    from blobmove.cli import wiring

    status = wiring.read_status(settings)
    clear = _CLEAR if repaint and not faces.json and sys.stdout.isatty() else ""
    faces.tell(clear + status_text(status, paint=faces.paint), status_document(status))
    return status.running is not None
