"""`blobmove config show`: every setting, its value, and where it came from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from blobmove.cli.configfile import META_FILE, keys_of
from blobmove.cli.faces import open_faces
from blobmove.cli.flags import Shared, begin, shared
from blobmove.cli.origin import origin_of
from blobmove.cli.verbs import VERBS, load
from blobmove.core.secrets import redact
from blobmove.views.layout import columns

Line = tuple[str, str, str, str]
"""Command (or `shared`), setting, value as it would be typed, origin."""

_WITHOUT_SETTINGS = ("config", "demo")


@click.group("config")
def command() -> None:
    """Show the settings in force and where each came from."""


@command.command("show")
@shared
def show(**given: Any) -> int:  # noqa: ANN401
    """Print each setting, its value and its origin: a flag, a variable, a file or the default. Never a secret."""
    words = begin(given)
    context = click.get_current_context()
    file = context.meta.get(META_FILE)
    lines = list(_shared_lines(context))
    for name in VERBS:
        if name not in _WITHOUT_SETTINGS:
            lines += _lines_of(name, context)
    _tell(lines, None if file is None else str(file), words)
    return 0


def _shared_lines(context: click.Context) -> Iterator[Line]:
    for key, option in keys_of(context.command).items():
        value = context.meta.get(META_FILE) if key == "config" else context.params.get(str(option.name))
        yield "shared", key, _typed(value), origin_of(context, option)


def _lines_of(name: str, context: click.Context) -> Iterator[Line]:
    """Parse the command as if called with no flag: values are checked, and the raw words are shown."""
    command = load(name)
    shared_keys = keys_of(context.command)
    file = context.params.get("config") or context.meta.get(META_FILE)
    arguments = ["--config", str(file)] if file else []
    parent = context.find_root()
    with command.make_context(name, arguments, parent=parent) as inner:
        for key, option in keys_of(command).items():
            if key not in shared_keys:
                yield name, key, _typed(option.consume_value(inner, {})[0]), origin_of(inner, option)


def _typed(value: object) -> str:
    """As one would type it; what click uses for "not given" is nothing of these and shown as nothing."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return redact(" ".join(map(str, value)))
    return redact(str(value)) if isinstance(value, str | int | float | Path) else ""


def _tell(lines: list[Line], file: str | None, words: Shared) -> None:
    settings = [{"command": command, "name": name, "value": value, "source": origin}
                for command, name, value, origin in lines]
    head = f"Settings file: {file or 'none (./blobmove.toml is not there)'}"
    text = [head, "", *columns([("COMMAND", "SETTING", "VALUE", "FROM"), *lines], "<<<<", indent="")]
    with open_faces(words) as faces:
        faces.tell("\n".join(text), {"format": 1, "command": "config show", "file": file, "settings": settings})
