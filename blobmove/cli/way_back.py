"""The porch of `copy --reverse`: which flags go together, approval, the run, its result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click
from click.core import ParameterSource

from blobmove.cli.approval import approve_copy, can_ask
from blobmove.cli.endings import told_even_so
from blobmove.cli.faces import open_faces
from blobmove.core.errors import UsageError
from blobmove.core.results import ReverseResult
from blobmove.views.copy_text import dry_run_text, question_text, reverse_text
from blobmove.views.jsonl import reverse_document, summary_document

if TYPE_CHECKING:
    from blobmove.cli.flags import Shared
    from blobmove.core.settings import CopySettings

_BACK_ONLY: Final = ("keys", "from_rails", "to_service", "database_url_file", "database_auth")
_FORWARD_ONLY: Final = ("if_exists", "access_tier", "transfer", "content_from", "workers", "scheduler")


def check_direction(settings: CopySettings) -> None:
    """Raises UsageError for a flag typed that means nothing in this direction, and for a way back without a list.

    What stands in a variable or in the settings file may be meant for another run: it is left aside.
    """
    if not settings.reverse:
        stray = _typed(_BACK_ONLY)
        if stray:
            raise UsageError("E400-USAGE", f"{stray} goes with --reverse only",
                             hint="a copy takes what the plan says; its list is `blobmove plan`'s")
        return
    stray = _typed(_FORWARD_ONLY)
    if stray:
        raise UsageError("E400-USAGE", f"{stray} does not go with --reverse", hint=f"leave {stray} off")
    if _typed(("keys",)) and settings.from_rails:
        raise UsageError("E400-USAGE", "--keys and --from-rails are two lists", hint="leave one of both off")
    if settings.keys is None and not settings.from_rails:
        raise UsageError("E400-USAGE", "--reverse needs a list: --from-rails or --keys FILE",
                         hint="blobmove copy --reverse --from-rails --dry-run")


def _typed(names: tuple[str, ...]) -> str:
    """The first flag of these fields that stands on the command line, "" for none."""
    ctx = click.get_current_context()
    flags = {param.name: param.opts[0] for param in ctx.command.params}
    return next((flags[name] for name in names if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE), "")


def way_back(settings: CopySettings, words: Shared, *, dry_run: bool) -> int:
    """Run it, or with `dry_run` say what it would be asked for; the exit code."""
    from blobmove.cli import wiring

    with open_faces(words, lines=not dry_run, metrics=None if dry_run else settings.metrics_addr) as faces:
        if dry_run:
            ahead = wiring.look_ahead(settings, faces.listener)
            faces.tell(dry_run_text(ahead, paint=faces.paint), summary_document(ahead) | {"dry_run": True})
            return 0
        if not words.yes and (can_ask(words) or not settings.resume):
            question = question_text(wiring.look_ahead(settings, faces.listener), str(settings.checkpoint))
            approve_copy(question, words, resume=settings.resume, command="blobmove copy --reverse")

        def tell(result: ReverseResult) -> None:
            faces.tell(reverse_text(result, paint=faces.paint), reverse_document(result))

        with told_even_so(lambda summary: tell(ReverseResult(summary)), faces.listener) as listener:
            result, code = wiring.run_reverse(settings, listener)
        tell(result)
    return code
