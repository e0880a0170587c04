"""`blobmove demo`: hands over to the demo, which uses the commands as a user would."""

from __future__ import annotations

from pathlib import Path

import click

_FORMATS = ("parquet", "orc", "csv")


@click.command("demo")
@click.option("--keep", is_flag=True, help="Leave the servers running and print how to use them.")
@click.option("--objects", type=click.IntRange(min=200), default=3100, show_default=True, metavar="N",
              help="Objects of the sample company.")
@click.option("--inventory-format", type=click.Choice(_FORMATS), default="parquet", show_default=True,
              help="The format of the S3 Inventory report.")
@click.option("--workdir", type=click.Path(path_type=Path), metavar="DIR",
              help="An empty folder to work in, instead of a temporary one.")
def command(keep: bool, objects: int, inventory_format: str, workdir: Path | None) -> int:
    """The whole journey, offline, on emulators it starts itself: about two minutes."""
    from blobmove.demo.run import main

    return main(keep=keep, objects=objects, workdir=workdir, inventory_format=inventory_format)
