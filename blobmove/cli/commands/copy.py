"""`blobmove copy`: approval, settings, the run, its summary."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from blobmove.cli.approval import approve_copy, can_ask
from blobmove.cli.endings import told_even_so
from blobmove.cli.faces import open_faces
from blobmove.cli.flags import ANY_PATH, Shared, assemble, begin, chosen, setting, shared
from blobmove.cli.way_back import check_direction, way_back
from blobmove.cli.words import ADDRESS, CONCURRENCY, DURATION, SCHEDULER, TIMETABLE, WORKERS, size_between
from blobmove.core.model import State
from blobmove.core.settings import AccessTier, ContentFrom, CopySettings, DatabaseAuth, IfExists, Route, StatusSettings
from blobmove.core.units import KIB, MIB
from blobmove.views.copy_text import dry_run_text, question_text, summary_text
from blobmove.views.jsonl import summary_document

if TYPE_CHECKING:
    from blobmove.core.results import CopySummary

_AZURE_BLOCK = 4000 * MIB
_AZURE_PUT_BLOB = 5000 * MIB
_FILE = click.Path(dir_okay=False, path_type=Path)  # looked at only where it is needed: it may be another command's
_UNTOUCHED = (State.PENDING, State.SKIPPED, State.REFUSED)


def _max_errors(_ctx: click.Context, _param: click.Parameter, value: int) -> int | None:
    return value or None


@click.command("copy")
@setting("--resume", is_flag=True, help="Go on with a started plan; always safe, also on a fresh one.")
@setting("--retry-failed", is_flag=True, help="Take up again what failed, was archived, or did not verify.")
@setting("--concurrency", type=CONCURRENCY, default="auto", metavar="auto|N", help="Objects in flight.")
@setting("--max-memory", type=size_between(64 * MIB), default="384MiB", metavar="SIZE",
         help="Memory; half of it for bodies. With --workers, unless given, at least 256 MiB for each.")
@setting("--bandwidth", type=TIMETABLE, metavar="RATE|TIMETABLE",
         help='A limit like 50M, or by time of day like "08:00,50M 19:00,off".')
@setting("--block-size", type=size_between(64 * KIB, _AZURE_BLOCK), default="32MiB", metavar="SIZE",
         help="Blocks of large objects.")
@setting("--whole-object-limit", type=size_between(0, _AZURE_PUT_BLOB), default="32MiB", metavar="SIZE",
         help="Up to this size an object is written in one request.")
@chosen("--transfer", among=Route, default="stream",
        help="Through this machine, pulled by Azure from S3 (server), or whichever works (auto).")
@chosen("--content-from", among=ContentFrom, default="head",
        help="Content headers of pulled objects: asked from S3, or the type in the Rails row.")
@chosen("--if-exists", among=IfExists, default="compare", help="What to do with a blob that is already there.")
@chosen("--access-tier", among=AccessTier, help="The tier of new blobs.  [default: the account's]")
@setting("--max-duration", type=DURATION, metavar="DURATION", help="Stop after 90s, 15m, 2h (exit 6).")
@setting("--max-errors", type=click.IntRange(min=0), default=1000, callback=_max_errors, metavar="N",
         help="Stop after so many failed objects (exit 6); 0: never.")
@setting("--throttle-file", type=ANY_PATH, metavar="FILE", help="While it exists, start nothing new.")
@setting("--metrics-addr", type=ADDRESS, metavar="HOST:PORT",
         help="Serve Prometheus metrics there while it runs, without a password: 127.0.0.1:9464.")
@setting("--workers", type=WORKERS, metavar="auto|N", help="Work in N processes of this machine (auto: one a core).")
@setting("--scheduler", type=SCHEDULER, metavar="ADDRESS",
         help="Work on a Dask cluster: tcp://HOST:PORT or tls://HOST:PORT.")
@setting("--reverse", is_flag=True, help="The way back: from Azure to S3, with --from-rails or --keys.")
@setting("--keys", type=_FILE, metavar="FILE",
         help="With --reverse: the keys to copy, as `flip-service --born` writes them.")
@setting("--from-rails", is_flag=True, help="With --reverse: the rows that were born on Azure, as the database says.")
@setting("--to", "to_service", default="", metavar="NAME", show_default=False,
         help="With --from-rails: the service they name.  [default: the one of the journal's flips]")
@setting("--database-url-file", type=_FILE, metavar="FILE",
         help="With --from-rails: a file with the database's URL; else DATABASE_URL.")
@chosen("--database-auth", among=DatabaseAuth, default="password",
        help="With --from-rails: the URL's password, or a token of Microsoft Entra.")
@setting("--dry-run", "-n", is_flag=True, help="Say what would be copied, and change nothing.")
@shared
def command(dry_run: bool, **given: Any) -> int:  # noqa: ANN401
    """Move what the plan says.

    Can be stopped (Ctrl-C) or killed at any moment; `blobmove copy --resume` goes on. With --reverse it is the way
    back: what was born on Azure is copied to S3, and nothing there is ever overwritten.
    """
    words = begin(given)
    settings = _with_room(assemble(CopySettings, given))
    check_direction(settings)
    if settings.reverse:
        return way_back(settings, words, dry_run=dry_run)
    from blobmove.cli import wiring

    if dry_run:
        return _dry_run(wiring.read_status(StatusSettings(checkpoint=settings.checkpoint)).summary, words)
    if not words.yes and (can_ask(words) or not settings.resume):
        _approve(wiring.read_status(StatusSettings(checkpoint=settings.checkpoint)).summary, settings, words)
    with open_faces(words, lines=True, metrics=settings.metrics_addr) as faces:
        def tell(summary: CopySummary) -> None:
            faces.tell(summary_text(summary, paint=faces.paint), summary_document(summary))

        with told_even_so(tell, faces.listener) as listener:
            summary, code = wiring.run_copy(settings, listener)
        tell(summary)
    return code


def _with_room(settings: CopySettings) -> CopySettings:
    """Several workers of this machine have more memory than one process, unless the operator has said how much."""
    given = click.get_current_context().get_parameter_source("max_memory") is not ParameterSource.DEFAULT
    if settings.workers is None or given:
        return settings
    from blobmove.cli.clustering import room

    return replace(settings, max_memory=room(settings.workers))


def _approve(summary: CopySummary, settings: CopySettings, words: Shared) -> None:
    """Ask, unless the plan has been started: then it was approved before, or the run refuses with better words."""
    if not is_started(summary):
        approve_copy(question_text(summary, str(settings.checkpoint)), words, resume=settings.resume)


def is_started(summary: CopySummary) -> bool:
    """Whether any object of the plan has been tried."""
    return any(number for state, number in summary.totals.objects.items() if state not in _UNTOUCHED)


def _dry_run(summary: CopySummary, words: Shared) -> int:
    with open_faces(words) as faces:
        faces.tell(dry_run_text(summary, paint=faces.paint), summary_document(summary) | {"dry_run": True})
    return 0
