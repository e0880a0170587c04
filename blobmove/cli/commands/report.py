"""`blobmove report`: the page for the auditor, and the record of every planned object, in files."""

from __future__ import annotations

from typing import Any

import click

from blobmove.cli.faces import open_faces
from blobmove.cli.flags import ANY_PATH, assemble, begin, setting, shared
from blobmove.core.errors import UsageError
from blobmove.core.settings import ReportSettings
from blobmove.views.layout import plural
from blobmove.views.objects import check_ending


@click.command("report")
@setting("--html", type=ANY_PATH, metavar="FILE", help="Where to write the page: one file, to keep and to show.")
@setting("--objects", type=ANY_PATH, metavar="FILE", help="Where to write the records: .csv, .jsonl or .parquet.")
@shared
def command(**given: Any) -> int:  # noqa: ANN401
    """Write the page for the auditor, or one record for each planned object.

    The page tells what was planned, how it ended and how that is known; the records are the list behind it.

    \b
      blobmove report --html report.html --objects objects.csv
    """
    words = begin(given)
    settings = assemble(ReportSettings, given)
    _check(settings)
    with open_faces(words) as faces:
        from blobmove.cli import wiring

        rows = wiring.write_report(settings)
        told = [f"the page is {settings.html}"] if settings.html is not None else []
        if settings.objects is not None:
            told.insert(0, f"{plural(rows, 'object')} written to {settings.objects}")
        faces.tell("\n".join(told), {"format": 1, "command": "report", **_files(settings), "rows": rows})
    return 0


def _check(settings: ReportSettings) -> None:
    if settings.objects is None and settings.html is None:
        raise UsageError("E400-USAGE", "report needs a file to write",
                         hint="blobmove report --html report.html --objects objects.csv")
    if settings.objects is not None:
        check_ending(settings.objects)
    if settings.html is not None:
        from blobmove.views.page import check_place

        check_place(settings.html, "report")


def _files(settings: ReportSettings) -> dict[str, str | None]:
    named = {"objects": settings.objects, "html": settings.html}
    return {name: None if path is None else str(path) for name, path in named.items()}
