"""Asking before something is moved or changed; without a terminal nothing ever waits for an answer."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from blobmove.core.errors import RefusedError, UsageError

if TYPE_CHECKING:
    from blobmove.cli.flags import Shared


def can_ask(shared: Shared) -> bool:
    """Whether somebody sits at both ends of a terminal and did not forbid questions."""
    return not shared.no_input and sys.stdin.isatty() and sys.stderr.isatty()


def approve_copy(question: str, shared: Shared, *, resume: bool, command: str = "blobmove copy") -> None:
    """Get a `yes` for a copy that has not begun.

    `--yes` is one. On a terminal the word must be typed. Elsewhere `--resume` is enough: it is always safe, and
    must never wait. `command` is what the hints begin with. Raises RefusedError (exit 3).
    """
    if shared.yes:
        return
    if not can_ask(shared):
        if resume:
            return
        raise RefusedError("E412-APPROVAL", "nobody has approved this copy, and there is nobody to ask",
                           cause="--no-input was given" if shared.no_input else "this is not a terminal",
                           hint=f"{command} --yes")
    click.echo(question, err=True)
    if _answer("Copy them? Only 'yes' will be accepted: ") != "yes":
        raise RefusedError("E412-APPROVAL", "not approved: nothing has been copied", hint=f"{command} --resume")


def approve_flip(name: str, confirm: str | None, shared: Shared) -> None:
    """Get the name of the service typed, or given as `--confirm NAME`.

    Raises UsageError for a wrong `--confirm`, RefusedError (exit 3) where nobody confirms.
    """
    if confirm is not None:
        if confirm != name:
            raise UsageError("E400-CONFIRM", f"--confirm names {confirm!r}, but the service is {name!r}",
                             hint=f"--confirm {name}")
        return
    if not can_ask(shared):
        raise RefusedError("E412-CONFIRM", "nobody has confirmed this change, and there is nobody to ask",
                           hint=f"add --confirm {name}")
    click.echo("This changes where the live application reads its files.", err=True)
    if _answer(f"Type the name of the service ({name}) to continue: ") != name:
        raise RefusedError("E412-CONFIRM", "not confirmed: nothing has been changed")


def _answer(question: str) -> str:
    """One line from the terminal; the question goes to stderr, since stdout belongs to results."""
    click.echo(question, err=True, nl=False)
    line = sys.stdin.readline()
    if not line.endswith("\n"):
        click.echo(err=True)  # Ctrl-D leaves the cursor behind the question
    return line.strip()
