"""`blobmove doctor`: words to settings, findings to lines and exit code."""

from __future__ import annotations

from typing import Any

import click

from blobmove.cli.faces import open_faces
from blobmove.cli.flags import READABLE, assemble, begin, chosen, setting, shared
from blobmove.cli.words import DESTINATION, SOURCE
from blobmove.core.plan_settings import DoctorSettings
from blobmove.core.settings import Addressing, DatabaseAuth
from blobmove.views.doctor_text import doctor_text
from blobmove.views.jsonl import doctor_document


@click.command("doctor")
@setting("--source", type=SOURCE, metavar="s3://BUCKET[/PREFIX]", help="The source, if the checkpoint has none yet.")
@setting("--destination", type=DESTINATION, metavar="URL", help="The destination, likewise.")
@setting("--inventory", metavar="MANIFEST|FOLDER", help="The S3 Inventory to find the newest report of.")
@setting("--service", multiple=True, metavar="NAME", help="A service name that rows should carry; repeatable.")
@setting("--database-url-file", type=READABLE, metavar="FILE",
         help="A file with the database's URL; else DATABASE_URL.")
@chosen("--database-auth", among=DatabaseAuth, default="password",
        help="How to log in: the URL's password, or a token of Microsoft Entra.")
@chosen("--s3-addressing", among=Addressing, default="auto", help="How the bucket is named in requests.")
@setting("--probe", is_flag=True, help="Write, read and remove one blob; measure speed and latency.")
@shared
def command(**given: Any) -> int:  # noqa: ANN401
    """Say what works and what does not, and how to mend it.

    Source, destination, database, checkpoint and this machine: all at once, each look bounded in time. Changes nothing
    without --probe. Exit code 0: all well, 1: something was found, 2: settings cannot work, 4: access was refused.

    \b
      blobmove doctor --source s3://uploads --destination https://acme.blob.core.windows.net/uploads
      blobmove doctor --probe
    """
    words = begin(given)
    settings = assemble(DoctorSettings, given)
    with open_faces(words) as faces:
        from blobmove.cli import wiring

        diagnosis = wiring.run_doctor(settings)
        faces.tell(doctor_text(diagnosis, paint=faces.paint), doctor_document(diagnosis))
    return diagnosis.exit_code
