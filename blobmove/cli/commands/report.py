"""`blobmove report`: the record of every planned object, in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from blobmove.cli.faces import open_faces
from blobmove.cli.flags import ANY_PATH, assemble, begin, setting, shared
from blobmove.core.errors import UsageError
from blobmove.core.settings import ReportSettings
from blobmove.views.layout import plural
from blobmove.views.objects import check_ending


@click.command("report")
@setting("--objects", type=ANY_PATH, metavar="FILE", help="Where to write: .csv, .jsonl or .parquet.")
@shared
def command(objects: Path | None, **given: Any) -> int:  # noqa: ANN401
    """Write one record for each planned object: where it is, and how it was proven."""
    words = begin(given)
    if objects is None:
        raise UsageError("E400-USAGE", "report needs a file to write", hint="blobmove report --objects objects.csv")
    check_ending(objects)
    settings = assemble(ReportSettings, {**given, "objects": objects})
    with open_faces(words) as faces:
        from blobmove.cli import wiring

        rows = wiring.write_report(settings)
        faces.tell(f"{plural(rows, 'object')} written to {objects}",
                   {"format": 1, "command": "report", "objects": str(objects), "rows": rows})
    return 0
