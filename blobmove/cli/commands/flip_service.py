"""`blobmove flip-service`: confirmation, settings, the run or the list of runs."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import click

from blobmove.cli.approval import approve_flip
from blobmove.cli.faces import open_faces
from blobmove.cli.flags import ANY_PATH, READABLE, Shared, assemble, begin, chosen, setting, shared
from blobmove.cli.verdicts import of_flip
from blobmove.core.errors import UsageError
from blobmove.core.flip_settings import FlipSettings
from blobmove.core.settings import DatabaseAuth
from blobmove.views.flip_text import born_text, flip_text, runs_text
from blobmove.views.jsonl import born_document, flip_document, runs_document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from blobmove.checkpoint.journal import FlipRun

_RUN: Final = re.compile(r"[1-9][0-9]{0,17}").fullmatch
"""The number of a run as --runs shows it: another spelling of one would be found by some and not by others."""


@click.command("flip-service")
@setting("--from", "from_services", multiple=True, metavar="NAME", help="The service rows name now; repeatable.")
@setting("--to", "to_service", default="", metavar="NAME", help="The service they shall name.")
@setting("--dry-run", "-n", is_flag=True, help="Say what would be flipped, and change nothing.")
@setting("--undo", is_flag=False, flag_value="last", default="", metavar="[RUN]",
         help="Take back the last run, or the run of this number.")
@setting("--batch-size", type=click.IntRange(1, 10_000), default=5000, metavar="N",
         help="Rows a transaction at most; it begins with 1000 and finds its own pace.")
@setting("--ids", type=READABLE, metavar="FILE", help="Only the rows with the ids in this file, one a line.")
@setting("--limit", type=click.IntRange(min=1), metavar="N",
         help="Flip so many rows at most (exit 6 if any are left).")
@setting("--sleep-ratio", type=click.FloatRange(min=0), default=1.0, metavar="R",
         help="Pause after each batch, as a multiple of its duration.")
@setting("--max-lag", type=click.FloatRange(min=0), metavar="SECONDS",
         help="Wait while a replica is further behind.  [default: 1 where replicas or a query are named]")
@setting("--replica-url-file", type=READABLE, multiple=True, metavar="FILE",
         help="A file with the URLs of replicas, one a line; repeatable. Also BLOBMOVE_REPLICA_URLS.")
@setting("--lag-query", metavar="SQL", help="Ask this for the lag: one number of seconds; NULL waits.")
@setting("--max-threads-running", type=click.IntRange(min=1), metavar="N",
         help="Wait while more statements are running on the server.")
@setting("--critical-threads-running", type=click.IntRange(min=1), metavar="N",
         help="Stop once more statements are running (exit 6).")
@setting("--pause-file", type=ANY_PATH, metavar="FILE", help="While it exists, wait.")
@setting("--stop-file", type=ANY_PATH, metavar="FILE", help="Once it exists, stop after the batch at hand.")
@setting("--skip-verify", is_flag=True, help="Do not insist on a finished `blobmove verify`.")
@setting("--sql", type=ANY_PATH, metavar="FILE", help="Write the statements to a file instead of running them.")
@setting("--born", type=ANY_PATH, metavar="FILE",
         help="Write the keys of rows that were born on the service of --to, and change nothing.")
@setting("--any-server", is_flag=True, help="Go on although another server answers, as after a fail-over.")
@setting("--allow-replica", is_flag=True, help="Go on although the server itself replicates from another one.")
@setting("--runs", is_flag=True, help="List the runs in the journal.")
@setting("--confirm", metavar="NAME", help="The name given with --to once more: the approval where nobody is asked.")
@setting("--database-url-file", type=READABLE, metavar="FILE",
         help="A file with the database's URL; else DATABASE_URL.")
@chosen("--database-auth", among=DatabaseAuth, default="password",
        help="How to log in: the URL's password, or a token of Microsoft Entra.")
@shared
def command(runs: bool, confirm: str | None, **given: Any) -> int:  # noqa: ANN401
    """Point active_storage_blobs.service_name at Azure, in batches.

    Only rows whose file is proven to be on Azure are touched. Every old value is journaled first; --undo takes a run
    back.

    \b
      blobmove flip-service --from amazon --to azure --dry-run
      blobmove flip-service --from amazon --to azure
      blobmove flip-service --undo
    """
    words = begin(given)
    settings = assemble(FlipSettings, given)
    if not runs:
        _check(settings)
    from blobmove.cli import wiring

    with open_faces(words) as faces:
        if runs:
            journal = wiring.list_flip_runs(settings.checkpoint)
            faces.tell(runs_text(journal), runs_document(journal))
            return 0
        if settings.born is not None:
            born = wiring.list_born(settings, settings.born, faces.listener)
            faces.tell(born_text(born), born_document(born))
            return 0
        if not (settings.dry_run or settings.sql):
            if settings.undo:
                known = wiring.list_flip_runs(settings.checkpoint)
                settings = _confirm_undo(settings, confirm, words, known)
            else:
                approve_flip(settings.to_service, confirm, words)
                settings = replace(settings, confirmed=True)
        result = wiring.run_flip(settings, faces.listener)
        faces.tell(flip_text(result, paint=faces.paint), flip_document(result))
    return of_flip(result)


def _check(settings: FlipSettings) -> None:
    if settings.undo and settings.undo != "last" and not _RUN(settings.undo):
        raise UsageError("E400-USAGE", f"--undo {settings.undo}: a run is a number",
                         hint="blobmove flip-service --runs lists them")
    if settings.dry_run and settings.sql is not None:
        raise UsageError("E400-USAGE", "--dry-run would leave the file of --sql unwritten",
                         hint="--sql alone: it changes nothing either")
    if not settings.undo and not settings.to_service:
        raise UsageError("E400-USAGE", "flip-service needs --to, the name of the service in config/storage.yml",
                         hint="blobmove flip-service --to azure --dry-run")


def _confirm_undo(
    settings: FlipSettings, confirm: str | None, words: Shared, runs: Sequence[FlipRun]
) -> FlipSettings:
    """An undo is confirmed with the name that its run had flipped to, and takes back that run and no other. Raises
    UsageError E404-RUN where there is no such run: then there is nothing to confirm."""
    is_last = settings.undo == "last"
    wanted = _last_with_rows(runs) if is_last else [one for one in runs if str(one.id) == settings.undo]
    if not wanted:
        told = "holds no flip that could be undone" if is_last else f"holds no run {settings.undo}"
        raise UsageError("E404-RUN", f"the journal {told}", hint="blobmove flip-service --runs")
    approve_flip(wanted[0].to_service, confirm, words)
    return replace(settings, undo=str(wanted[0].id), confirmed=True)


def _last_with_rows(runs: Sequence[FlipRun]) -> list[FlipRun]:
    """The newest flip that has rows to take back, or may have: a batch of which nobody knows."""
    undone = {run.id: sum(one.flipped for one in runs if one.undo_of == run.id) for run in runs}
    left = [run for run in runs if run.undo_of is None and (run.flipped > undone[run.id] or run.unsettled)]
    return sorted(left, key=lambda run: run.id)[-1:]
