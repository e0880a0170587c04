"""The list of commands, and the group that imports a command's module only when it is run."""

from __future__ import annotations

from importlib import import_module
from typing import Final

import click

from blobmove import __version__

VERBS: Final[dict[str, tuple[str, str]]] = {
    # name: (module in blobmove.cli.commands, what it does in one line)
    "doctor": ("doctor", "Say what works and what does not, and how to mend it."),
    "plan": ("plan", "Read the inventory, check it against Rails, size the copy."),
    "copy": ("copy", "Move what the plan says."),
    "verify": ("verify", "Ask Azure again and compare."),
    "flip-service": ("flip_service", "Point active_storage_blobs.service_name at Azure, in batches."),
    "status": ("status", "Where things stand; works while a copy runs."),
    "report": ("report", "Write the auditor's page, or a record of each object."),
    "config": ("config", "Show the settings in force and where each came from."),
    "demo": ("demo", "The whole journey on emulators it starts itself."),
}


def load(name: str) -> click.Command:
    """The command of that name. Raises KeyError for an unknown one."""
    module = import_module(f"blobmove.cli.commands.{VERBS[name][0]}")
    command: click.Command = module.command
    return command


class LazyGroup(click.Group):
    """A group that knows its commands by name, so that `--help` imports none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the journey, not of the alphabet."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module now."""
        return load(cmd_name) if cmd_name in VERBS else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Like click's, with our names to choose from when it was mistyped."""
        if args[0] not in VERBS and not args[0].startswith("-"):
            raise click.exceptions.NoSuchCommand(args[0], possibilities=list(VERBS), ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """From the table, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_module, line) in VERBS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, message="blobmove %(version)s")
def porch() -> None:
    """Move a Rails company's files from S3 to Azure Blob: planned, proven, resumable, reversible.

    \b
      blobmove plan --source s3://BUCKET --destination https://ACCOUNT.blob.core.windows.net/CONTAINER --list
      blobmove copy --resume
      blobmove verify
      blobmove flip-service --to NAME --dry-run

    Every flag can be given as BLOBMOVE_<FLAG> or in blobmove.toml. Credentials are found, never typed.
    """
