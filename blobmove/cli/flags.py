"""How flags are declared, each also as `BLOBMOVE_` variable and key of blobmove.toml, and those all commands have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from enum import Enum
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from blobmove.cli.configfile import adopt_file
from blobmove.cli.invocation import Invocation
from blobmove.core.frozen import frozen

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
S = TypeVar("S")

READABLE: Final = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)
"""A file that must be there."""
READABLE_OR_STDIN: Final = click.Path(exists=True, dir_okay=False, readable=True, allow_dash=True, path_type=Path)
"""A file that must be there, or `-` for standard input."""
ANY_PATH: Final = click.Path(path_type=Path)
"""A file that may come to be."""


def setting(flag: str, *more: str, **attributes: Any) -> Decorator:  # noqa: ANN401
    """A click option that can also be given as `BLOBMOVE_<FLAG>`; `more` are short forms and the field's name."""
    variable = "BLOBMOVE_" + flag.removeprefix("--").replace("-", "_").upper()
    attributes.setdefault("show_default", attributes.get("default") not in (None, False, ()))
    return click.option(flag, *more, envvar=variable, **attributes)


def chosen(flag: str, *more: str, among: type[Enum], **attributes: Any) -> Decorator:  # noqa: ANN401
    """An option whose value is a member of an enum, typed as the member's value in any case."""
    values = [str(member.value) for member in among]

    def member(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Enum | None:
        return None if value is None else among(value)

    return setting(flag, *more, type=click.Choice(values, case_sensitive=False), callback=member, **attributes)


@frozen
class Shared:
    """The flags every command has: where to look, how to talk, whether to ask.

    `verbose` counts -v; `no_input` fails instead of asking.
    """

    checkpoint: Path
    json: bool
    quiet: bool
    verbose: int
    log_file: Path | None
    log_format: str
    progress: str
    no_color: bool
    yes: bool
    no_input: bool


_SHARED: Final[tuple[Decorator, ...]] = (
    setting("--checkpoint", type=click.Path(dir_okay=False, path_type=Path), default="blobmove.db",
            help="The checkpoint file; one migration, one file."),
    setting("--config", type=READABLE, is_eager=True, expose_value=False, callback=adopt_file,
            help="The settings file.  [default: ./blobmove.toml if present]"),
    setting("--json", is_flag=True, help="Results as JSON on stdout."),
    setting("--quiet", "-q", is_flag=True, help="Say only what is wrong."),
    setting("--verbose", "-v", count=True, help="Say more; twice for the log of the libraries."),
    setting("--log-file", type=click.Path(dir_okay=False, path_type=Path), help="Append every event as a JSON line."),
    setting("--log-format", type=click.Choice(["text", "json"]), default="text", help="How stderr is written."),
    setting("--progress", type=click.Choice(["auto", "bar", "line", "none"]), default="auto",
            help="A bar on a terminal, a line a minute elsewhere."),
    setting("--no-color", is_flag=True, help="No colour; NO_COLOR does the same."),
    setting("--yes", is_flag=True, help="Approve without being asked."),
    setting("--no-input", is_flag=True, help="Fail instead of asking."),
)


def shared(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the flags all commands have; they are accepted after the verb."""
    for option in reversed(_SHARED):
        command = option(command)
    return command


def begin(given: Mapping[str, Any]) -> Shared:
    """The shared flags of the running command; from now on a failure is told the way they ask for."""
    words = assemble(Shared, given)
    invocation = click.get_current_context().find_object(Invocation)
    if invocation is not None:
        invocation.json = words.json
        invocation.settings = dict(given)
    return words


def assemble(kind: type[S], given: Mapping[str, Any]) -> S:
    """A settings dataclass from the values click has parsed, by the names of its fields.

    tests/cli/test_flags.py proves that each field of each settings class has an option of a fitting type.
    """
    values = {field.name: given[field.name] for field in fields(kind) if field.name in given}  # type: ignore[arg-type]
    return kind(**values)
