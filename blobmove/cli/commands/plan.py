"""`blobmove plan`: words to settings, result to page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from blobmove.cli.faces import open_faces
from blobmove.cli.flags import ANY_PATH, READABLE, READABLE_OR_STDIN, Shared, assemble, begin, chosen, setting, shared
from blobmove.cli.words import DESTINATION, SOURCE
from blobmove.core.crew import workers_for
from blobmove.core.errors import UsageError
from blobmove.core.events import Note
from blobmove.core.headers import MetadataNames
from blobmove.core.plan_settings import PlanSettings
from blobmove.core.settings import Addressing
from blobmove.views.jsonl import plan_document
from blobmove.views.plan_text import plan_text


def _all_versions(_ctx: click.Context, _param: click.Parameter, value: str) -> bool:
    return value == "all"


@click.command("plan")
@setting("--source", type=SOURCE, metavar="s3://BUCKET[/PREFIX]", help="Where the objects are.")
@setting("--destination", type=DESTINATION, metavar="URL",
         help="Where they go: https://ACCOUNT.blob.core.windows.net/CONTAINER.")
@setting("--create-container", is_flag=True, help="Make the container if it is not there.")
@setting("--inventory", metavar="MANIFEST|FOLDER",
         help="An S3 Inventory, on s3:// or here: a manifest.json, or a configuration's folder (newest report).")
@setting("--list", "listing", is_flag=True, help="List the bucket instead.")
@setting("--keys", type=READABLE_OR_STDIN, metavar="FILE",
         help="Take the keys of a file instead, one a line; - is standard input.")
@setting("--prefix", default="", metavar="TEXT", help="Only keys that begin with this.")
@setting("--exclude", multiple=True, metavar="GLOB", help="Leave out keys that match; repeatable. * also matches /.")
@setting("--versions", "all_versions", type=click.Choice(["latest", "all"]), default="latest", callback=_all_versions,
         help="Which versions to move.")
@setting("--only-referenced", is_flag=True, help="Only objects that a row of active_storage_blobs names.")
@setting("--service", multiple=True, metavar="NAME", help="The service names whose files are here; repeatable.")
@setting("--database-url-file", type=READABLE, metavar="FILE",
         help="A file with the database's URL; else DATABASE_URL.")
@chosen("--metadata-names", among=MetadataNames, default="rename", help="Metadata names that Azure refuses.")
@setting("--prices", type=READABLE, metavar="FILE", help="A price list (JSON) to replace ours.")
@setting("--target-hours", type=click.FloatRange(min=0, min_open=True), metavar="H",
         help="Say which speed it takes to be done in so many hours.")
@setting("--html", type=ANY_PATH, metavar="FILE", help="Also write the plan as one page for whoever decides.")
@chosen("--s3-addressing", among=Addressing, default="auto", help="How the bucket is named in requests.")
@shared
def command(**given: Any) -> int:  # noqa: ANN401
    """Read the inventory, check it against Rails, size the copy.

    Writes the checkpoint file; copies nothing. Once planned, the two ends are remembered.

    \b
      blobmove plan --source s3://uploads --destination https://acme.blob.core.windows.net/uploads \\
                    --inventory s3://inventory/uploads/daily/
    """
    words = begin(given)
    settings = assemble(PlanSettings, given)
    _check(settings, words)
    with open_faces(words) as faces:
        from blobmove.cli import wiring

        result = wiring.run_plan(settings, faces.listener)
        document = plan_document(result)
        if settings.target_hours is not None:
            seconds = settings.target_hours * 3600
            document["forecast"]["target"] = {"seconds": seconds, "bytes_per_second": result.to_copy_bytes / seconds,
                                              "objects_per_second": result.to_copy / seconds,
                                              "workers": workers_for(result.to_copy, result.to_copy_bytes,
                                                                     settings.target_hours)}
        faces.tell(plan_text(result, target_hours=settings.target_hours, paint=faces.paint), document)
        if settings.html is not None:  # last: a page that fails must not hide an hour's result
            from blobmove.views.plan_page import write_plan_page

            write_plan_page(settings.html, result, settings.target_hours)
            faces.listener(Note(f"The page of the plan is {settings.html}"))
    return 0


def _check(settings: PlanSettings, words: Shared) -> None:
    """What can be known before anything is opened. Raises UsageError."""
    if settings.html is not None:
        from blobmove.views.page import check_place

        check_place(settings.html, "plan")
    named = [flag for flag, value in (("--inventory", settings.inventory), ("--list", settings.listing),
                                      ("--keys", settings.keys)) if value]
    if len(named) > 1:
        raise UsageError("E400-USAGE", f"{' and '.join(named)} exclude each other", hint=f"keep {named[0]}")
    outer = settings.source.prefix if settings.source is not None and settings.prefix else ""
    if not settings.prefix.startswith(outer):
        raise UsageError("E400-PREFIX", f"--prefix {settings.prefix} does not lie within {settings.source}",
                         cause="a prefix is a whole one, counted from the beginning of the key",
                         hint=f"--prefix {outer}{settings.prefix}")
    if not Path(words.checkpoint).exists():
        _check_first(settings, bool(named))


def _check_first(settings: PlanSettings, has_list: bool) -> None:
    first = f"{settings.checkpoint} does not exist yet, so this is the first plan"
    if settings.source is None:
        raise UsageError("E400-USAGE", "the first plan needs --source", cause=first, hint="--source s3://BUCKET")
    if settings.destination is None:
        from blobmove.core.containers import suggest_container

        url = f"https://ACCOUNT.blob.core.windows.net/{suggest_container(settings.source.bucket)}"
        raise UsageError("E400-USAGE", "the first plan needs --destination", cause=first, hint=f"--destination {url}")
    if not has_list:
        raise UsageError("E400-USAGE", "the first plan needs one of --inventory, --list and --keys", cause=first,
                         hint="--list is right for small buckets, --inventory s3://... for large ones")
