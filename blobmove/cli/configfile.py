"""blobmove.toml: read once, checked key by key, handed to click as defaults of the flags."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from blobmove.core.errors import UsageError
from blobmove.core.secrets import is_secret_name, redact

DEFAULT_FILE: Final = Path("blobmove.toml")
META_FILE: Final = "blobmove.config_file"
"""Where the context remembers which file was read."""

_ANSWERS: Final = frozenset({"yes", "confirm", "undo", "config", "reverse"})
_ENDS: Final[Mapping[str, Mapping[str, str]]] = {
    # The sections named after things instead of commands: their keys and the flag each stands for.
    "source": {"bucket": "", "prefix": "", "inventory": "inventory", "addressing": "s3_addressing"},
    "destination": {"account_url": "", "container": "", "create_container": "create_container"},
    "database": {"url_file": "database_url_file", "services": "service"},
}

Known = Mapping[str, Mapping[str, click.Option]]
"""Command name -> key of the file -> the option it sets."""


def adopt_file(ctx: click.Context, _param: click.Parameter, value: Path | None) -> None:
    """Callback of `--config`: makes the file's values the defaults of this command's flags.

    Raises UsageError for a file that is no TOML, an unknown key (E400-CONFIG) and a secret (E400-SECRET).
    """
    path = value or (DEFAULT_FILE if DEFAULT_FILE.is_file() else None)
    if path is None or ctx.resilient_parsing:
        return
    ctx.meta[META_FILE] = path
    settings = read_file(path, known_keys())
    wanted = keys_of(ctx.command)
    ctx.default_map = {str(wanted[key].name): value for key, value in settings.of(ctx.info_name or "").items()
                       if key in wanted}


def keys_of(command: click.Command) -> dict[str, click.Option]:
    """The keys of the file that a command understands: its long flags with underscores."""
    found = {}
    for param in command.params:
        if isinstance(param, click.Option):
            flag = next((name for name in param.opts if name.startswith("--")), None)
            if flag not in (None, "--help"):
                found[str(flag).removeprefix("--").replace("-", "_")] = param
    return found


def known_keys() -> dict[str, dict[str, click.Option]]:
    """All commands and their keys. Imports the commands, which are cheap: the heavy rooms are not among it."""
    from blobmove.cli.verbs import VERBS, load

    return {name: keys_of(load(name)) for name in VERBS}


class FileSettings:
    """The checked content of a settings file: values for all commands, and values for one."""

    def __init__(self, everywhere: dict[str, Any], by_command: dict[str, dict[str, Any]]) -> None:
        self._everywhere = everywhere
        self._by_command = by_command

    def of(self, command: str) -> dict[str, Any]:
        """The values for one command: those of its own section win."""
        return self._everywhere | self._by_command.get(command, {})


def read_file(path: Path, known: Known) -> FileSettings:
    """Read and check a settings file against the known commands and keys. Raises UsageError."""
    import tomllib

    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError("E400-CONFIG", f"{path} cannot be read as TOML", cause=str(error),
                         hint='text is written in quotes: source = "s3://bucket"') from None
    everything = {key: option for keys in known.values() for key, option in keys.items()}
    everywhere: dict[str, Any] = {}
    by_command: dict[str, dict[str, Any]] = {}
    for name, value in content.items():
        command = name.replace("_", "-")
        if isinstance(value, dict) and name in _ENDS:
            everywhere |= _end(path, name, value, everything)
        elif isinstance(value, dict) and command in known:
            by_command[command] = _keys(path, f"{name}.", value, known[command])
        else:
            everywhere |= _keys(path, "", {name: value}, everything, [*known, *_ENDS])
    return FileSettings(everywhere, by_command)


def _keys(path: Path, where: str, table: Mapping[str, Any], options: Mapping[str, click.Option],
          also: list[str] | None = None) -> dict[str, Any]:
    checked = {}
    for name, value in table.items():
        key = name.replace("-", "_")
        _refuse_secret(path, where + name, name, value, known=key in options)
        if key in _ANSWERS:
            raise UsageError("E400-CONFIG", f"`{where}{name}` in {path} is an answer, not a setting",
                             hint=f"give it on the command line: --{key}")
        if key not in options:
            raise _unknown(path, where, name, [*options, *(also or [])])
        checked[key] = _fit(path, where + name, value, options[key])
    return checked


def _fit(path: Path, name: str, value: Any, option: click.Option) -> Any:  # noqa: ANN401
    if option.multiple:
        value = value if isinstance(value, list) else [value]
        if all(isinstance(item, str) for item in value):
            return value
    elif option.is_flag and not isinstance(value, bool):
        raise UsageError("E400-CONFIG", f"`{name}` in {path} is neither true nor false", hint=f"{name} = true")
    elif isinstance(value, str | int | float):
        return value
    raise UsageError("E400-CONFIG", f"`{name}` in {path} has a value of the wrong kind",
                     hint=f'{name} = ["one", "two"]' if option.multiple else f'{name} = "..."')


def _end(path: Path, section: str, table: dict[str, Any], options: Mapping[str, click.Option]) -> dict[str, Any]:
    """`[source]`, `[destination]`, `[database]`: the parts of the two addresses joined, the others as flags."""
    names = _ENDS[section]
    found: dict[str, Any] = {}
    for name, value in table.items():
        known = name in names
        _refuse_secret(path, f"{section}.{name}", name, value, known=known)
        if not known:
            raise _unknown(path, f"{section}.", name, list(names))
        if names[name]:
            found[names[name]] = _fit(path, f"{section}.{name}", value, options[names[name]])
    if "bucket" in table:
        prefix = table.get("prefix", "")
        found["source"] = f"s3://{table['bucket']}" + (f"/{prefix}" if prefix else "")
    elif "prefix" in table:
        found["prefix"] = table["prefix"]
    if ("account_url" in table) != ("container" in table):
        raise UsageError("E400-CONFIG", f"[destination] in {path} needs both account_url and container")
    if "account_url" in table:
        found["destination"] = f"{str(table['account_url']).rstrip('/')}/{table['container']}"
    return found


def _refuse_secret(path: Path, where: str, name: str, value: object, *, known: bool) -> None:
    if (not known and is_secret_name(name)) or (isinstance(value, str) and redact(value) != value):
        raise UsageError(
            "E400-SECRET", f"`{where}` in {path} is a secret, and secrets do not belong in this file",
            cause="the file is shared and kept; blobmove reads secrets from the environment only",
            hint="remove the line; export AWS_PROFILE, AZURE_STORAGE_SAS_TOKEN or DATABASE_URL instead",
        )


def _unknown(path: Path, where: str, name: str, possible: list[str]) -> UsageError:
    from difflib import get_close_matches

    close = get_close_matches(name.replace("-", "_"), possible, n=1)
    hint = f"did you mean `{where}{close[0]}`?" if close else "`blobmove config show` lists every setting"
    return UsageError("E400-CONFIG", f"unknown setting `{where}{name}` in {path}", hint=hint)
