"""Where the value of a setting came from: flag, variable, file or default."""

from __future__ import annotations

import click
from click.core import ParameterSource

from blobmove.cli.configfile import META_FILE


def origin_of(ctx: click.Context, param: click.Parameter) -> str:
    """`flag`, the name of the variable, the name of the file, or `default`."""
    source = ctx.get_parameter_source(param.name or "")
    if source is ParameterSource.ENVIRONMENT:
        return str(param.envvar)
    if source is ParameterSource.DEFAULT_MAP:
        return str(ctx.meta.get(META_FILE, "the settings file"))
    return "default" if source in (ParameterSource.DEFAULT, None) else "flag"
