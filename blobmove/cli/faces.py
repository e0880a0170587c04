"""Chooses the faces of a run: who listens to its events, and in which form its result is told."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import click

from blobmove.core.events import Note
from blobmove.core.frozen import frozen
from blobmove.core.secrets import redact
from blobmove.views.layout import Paint
from blobmove.views.listeners import FanOut

if TYPE_CHECKING:
    from blobmove.cli.flags import Shared
    from blobmove.core.events import Listener
    from blobmove.core.settings import Address


@frozen
class Faces:
    """The listener to hand to an operation, and the way to tell a result on stdout."""

    listener: Listener
    paint: Paint
    json: bool

    def tell(self, text: str, document: Mapping[str, Any]) -> None:
        """The result: text for people or, with --json, one document in one line."""
        if self.json:
            click.echo(json.dumps(document, ensure_ascii=False))
        else:
            click.echo(redact(text), color=True if self.paint.on else None)


@contextmanager
def open_faces(shared: Shared, *, lines: bool = False, metrics: Address | None = None) -> Iterator[Faces]:
    """Open the faces asked for and close them after the run; `lines`: events are JSON lines on stdout (`copy`).

    `metrics` is where to serve them. Raises OSError where the log file cannot be opened, UsageError where nothing
    can be served.
    """
    with ExitStack() as stack:
        fan = FanOut()
        if shared.log_file is not None:
            from blobmove.views.logfile import LogFile

            fan.add(stack.enter_context(LogFile.open(shared.log_file)))
        if shared.json and lines:
            from blobmove.views.jsonl import EventLines

            fan.add(EventLines(sys.stdout))
        _add_stderr(fan, shared, stack)
        stack.enter_context(_library_log(shared.verbose > 1))
        if metrics is not None:
            _add_metrics(fan, metrics, stack)
        yield Faces(fan, paint_for(shared, sys.stdout.isatty()), shared.json)


def _add_stderr(fan: FanOut, shared: Shared, stack: ExitStack) -> None:
    if shared.log_format == "json":
        from blobmove.views.logfile import LogFile

        fan.add(stack.enter_context(LogFile.on_stream(sys.stderr)))
        return
    from blobmove.views.progress import Progress, Style

    terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    style = Style.chosen(shared.progress, terminal=terminal, quiet=shared.quiet)
    fan.add(stack.enter_context(Progress(sys.stderr, style, paint_for(shared, terminal), talkative=shared.verbose > 0,
                                         quiet=shared.quiet)))


def _add_metrics(fan: FanOut, address: Address, stack: ExitStack) -> None:
    from blobmove.views.metrics import Metrics
    from blobmove.views.metrics_door import served

    metrics = Metrics()
    where = stack.enter_context(served(metrics.text, address))
    fan.add(metrics)
    fan(Note(where))


@contextmanager
def _library_log(wanted: bool) -> Iterator[None]:
    """The libraries' own warnings stay out of the way unless asked for: ours say the same in better words."""
    from blobmove.views.redacting import RedactingFilter

    root, handler = logging.getLogger(), logging.StreamHandler(sys.stderr)
    former = root.level
    handler.addFilter(RedactingFilter())
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(message)s"))
    handler.setLevel(logging.DEBUG if wanted else logging.CRITICAL)
    root.addHandler(handler)
    if wanted:
        root.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(former)


def paint_for(shared: Shared, terminal: bool) -> Paint:
    """Colour on a terminal, unless it is unwanted or dumb; FORCE_COLOR overrules the terminal, not the wish."""
    if shared.no_color or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return Paint(on=False)
    return Paint(on=terminal or bool(os.environ.get("FORCE_COLOR")))
