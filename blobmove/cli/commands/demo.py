"""`blobmove demo`: hands over to the demo, which uses the commands as a user would."""

from __future__ import annotations

import click

from blobmove.core.errors import UsageError


@click.command("demo")
@click.option("--keep", is_flag=True, help="Leave the servers running and print how to use them.")
def command(keep: bool) -> int:
    """The whole journey, offline, on emulators it starts itself: about two minutes."""
    try:
        from blobmove.demo.run import main
    except ModuleNotFoundError as missing:
        raise UsageError("E404-EXTRA", "the demo's emulators are not installed", cause=f"no module {missing.name}",
                         hint="pip install 'blobmove[demo]'") from None
    return main(keep=keep)
