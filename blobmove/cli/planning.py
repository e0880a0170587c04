"""Wiring of `plan`: which list, which database, which checkpoint, and everything the plan is to remember."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, aclosing, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from anyio import get_cancelled_exc_class

from blobmove.checkpoint.values import Setup, read_setup
from blobmove.checkpoint.writer import CheckpointWriter
from blobmove.cli.doors import endpoint, s3_settings
from blobmove.cli.words import parse_destination, parse_source
from blobmove.core.errors import BlobmoveError, Interrupted, RefusedError, UsageError
from blobmove.core.events import Listener, Note
from blobmove.core.forecast import PRICES
from blobmove.core.frozen import frozen
from blobmove.core.headers import MetadataNames
from blobmove.core.model import Destination, ObjectVersion, Source
from blobmove.core.plan_results import PlanResult
from blobmove.core.plan_settings import PlanSettings
from blobmove.core.selection import Selection
from blobmove.core.settings import Addressing
from blobmove.operations.plan import Ask, ObjectList, Plan
from blobmove.stores.azure.control import AzureControl, container_missing
from blobmove.stores.inventory.data_files import in_thread, rows
from blobmove.stores.inventory.keyfile import key_batches
from blobmove.stores.inventory.report import Location, Report, find_report, locate
from blobmove.stores.inventory.report_files import FolderFiles, ReportFiles
from blobmove.stores.s3.control import S3Control


@frozen
class Ends:
    """Source and destination of the checkpoint, and what it remembered from the plan before."""

    source: Source
    destination: Destination
    remembered: dict[str, Any]


async def plan(settings: PlanSettings, listener: Listener) -> PlanResult:
    """Read the list, check it, adopt it. A checkpoint begun here is removed again when the first plan fails."""
    with CheckpointWriter(settings.checkpoint, "plan", create=True) as writer:
        try:
            return await _plan(settings, listener, writer)
        except BaseException as error:
            _end(writer, error)
            writer.discard_unplanned()
            raise


def _end(writer: CheckpointWriter, error: BaseException) -> None:
    """Note how a plan has failed; of a bug nothing is noted, nor where the disk has no room for it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, BlobmoveError):
        code, why = error.exit_code, error.code
    elif isinstance(error, KeyboardInterrupt | get_cancelled_exc_class()):  # Ctrl-C: nothing else cancels a plan
        code, why = Interrupted.exit_code, "interrupted"
    else:
        return
    if writer.run_id:
        with suppress(BlobmoveError, sqlite3.Error):
            writer.end_run(code, {"stopped": why})


async def _plan(settings: PlanSettings, listener: Listener, writer: CheckpointWriter) -> PlanResult:
    ends = find_ends(settings, read_setup(writer.db))
    settings = as_before(settings, ends.remembered)
    selection = _selection(settings, ends)
    async with AsyncExitStack() as stack:
        s3 = await stack.enter_async_context(S3Control(s3_settings(ends.source.bucket, _addressing(settings, ends))))
        region = await s3.locate()
        hierarchical = await _check_container(ends, settings.create_container, listener)
        selection = replace(selection, hierarchical=hierarchical)
        workdir = stack.enter_context(_workdir(settings.checkpoint))
        objects = await _objects(settings, ends, s3, stack, (selection, workdir, listener))
        with ExitStack() as database:
            rails = _rails(settings, database)
            ask = Ask(
                plan=secrets.token_hex(3), source=str(ends.source), destination=str(ends.destination),
                planned_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
                selection=selection, settings=_remember(settings, ends, selection, region, await s3.base()),
                services=frozenset(settings.service), prices=_prices(settings.prices),
            )
            writer.begin_run(ask.plan)
            result = await Plan(ask, objects, rails, writer, listener).run()
    writer.end_run(0, {"listed": result.listed, "to_copy": result.to_copy})
    return result


@contextmanager
def _workdir(checkpoint: Path) -> Iterator[Path]:
    """One data file of the report at a time lies here: beside the checkpoint, where there is room for it.

    The name is fixed, so that what a killed plan left is found and removed; the checkpoint is held meanwhile.
    """
    folder = checkpoint.resolve().with_name(f".{checkpoint.name}-report")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def find_ends(settings: PlanSettings, known: Setup | None) -> Ends:
    """Source and destination from the flags or the checkpoint. Raises RefusedError when they contradict."""
    if known is None:
        if settings.source is None or settings.destination is None:
            raise UsageError("E400-USAGE", "the first plan needs --source and --destination")
        return Ends(settings.source, settings.destination, {})
    source = settings.source or parse_source(known.source)
    destination = settings.destination or parse_destination(known.destination)
    if str(source) != known.source or str(destination) != known.destination:
        raise RefusedError(
            "E409-CHECKPOINT", f"{settings.checkpoint} belongs to another migration",
            cause=f"it is for {known.source} -> {known.destination}, asked was {source} -> {destination}",
            hint="name another file with --checkpoint: one migration, one file",
        )
    return Ends(source, destination, known.settings)


def as_before(settings: PlanSettings, remembered: Mapping[str, Any]) -> PlanSettings:
    """A plan that names no list repeats the plan before: its list, and whatever of its choice is not given anew."""
    if not remembered or settings.inventory or settings.listing or settings.keys:
        return settings
    keys = remembered.get("keys")
    return replace(
        settings,
        inventory=remembered.get("inventory"), listing=bool(remembered.get("list")), keys=Path(keys) if keys else None,
        prefix=settings.prefix or str(remembered.get("prefix", "")),
        exclude=settings.exclude or tuple(remembered.get("exclude", ())),
        all_versions=settings.all_versions or bool(remembered.get("all_versions")),
        only_referenced=settings.only_referenced or bool(remembered.get("only_referenced")),
        service=settings.service or tuple(remembered.get("service", ())),
        metadata_names=_names_as_before(settings, remembered),
    )


def _names_as_before(settings: PlanSettings, remembered: Mapping[str, Any]) -> MetadataNames:
    if settings.metadata_names is not MetadataNames.RENAME:
        return settings.metadata_names
    return MetadataNames(remembered.get("metadata_names", "rename"))


def _addressing(settings: PlanSettings, ends: Ends) -> dict[str, Any]:
    remembered = {name: value for name, value in ends.remembered.items() if name != "base"}  # found anew
    if settings.s3_addressing is not Addressing.AUTO:
        remembered["addressing"] = settings.s3_addressing.value
    return remembered


def _selection(settings: PlanSettings, ends: Ends) -> Selection:
    prefix = settings.prefix or ends.source.prefix
    if not prefix.startswith(ends.source.prefix):
        raise UsageError("E400-PREFIX", f"--prefix {prefix} does not lie within {ends.source}",
                         cause="a prefix is a whole one, counted from the beginning of the key",
                         hint=f"--prefix {ends.source.prefix}{prefix}")
    return Selection(
        prefix=prefix, excludes=settings.exclude,
        all_versions=settings.all_versions, only_referenced=settings.only_referenced,
    )


def _remember(
    settings: PlanSettings, ends: Ends, selection: Selection, region: str, base: str
) -> dict[str, Any]:
    """What later commands and the next plan need to know. No secrets: endpoints and names only."""
    keys = str(settings.keys) if settings.keys and str(settings.keys) != "-" else None  # nobody can read that again
    listing = {"inventory": settings.inventory, "list": settings.listing, "keys": keys}
    return {
        **listing, "region": region, "endpoint": endpoint(), "base": None if "@" in base else base,
        "addressing": _addressing(settings, ends).get("addressing", "auto"),
        "prefix": selection.prefix, "exclude": list(selection.excludes), "all_versions": selection.all_versions,
        "only_referenced": selection.only_referenced, "service": list(settings.service),
        "metadata_names": settings.metadata_names.value, "hierarchical": selection.hierarchical,
    }


async def _check_container(ends: Ends, create: bool, listener: Listener) -> bool | None:
    """The container is there, or is made; whether folders are real in it, None where that was never told."""
    async with AzureControl(ends.destination) as azure:
        if not await azure.container_exists():
            if not create:
                raise container_missing(ends.destination)
            await azure.create_container()
            listener(Note(f"Created the container {ends.destination.container}"))
        told = await azure.hierarchical()
        return ends.remembered.get("hierarchical") if told is None else told


Surroundings = tuple[Selection, Path, Listener]


async def _objects(
    settings: PlanSettings, ends: Ends, s3: S3Control, stack: AsyncExitStack, around: Surroundings
) -> ObjectList:
    """The list of objects that was asked for."""
    selection, workdir, listener = around
    if settings.inventory:
        return await _inventory(settings.inventory, ends, stack, workdir, listener)
    if settings.listing:
        listener(Note(f"Listing {ends.source}"))
        list_pages = s3.list_all_versions if selection.all_versions else s3.list_versions
        pages = list_pages(selection.prefix)
        return ObjectList(await _closing(stack, pages), "list", None, 0)
    if settings.keys:
        file = None if str(settings.keys) == "-" else settings.keys
        return ObjectList(await _closing(stack, in_thread(key_batches(file, ends.source.bucket))), "keys", None, 1)
    raise UsageError("E400-USAGE", "a plan needs one of --inventory, --list and --keys")


async def open_report(
    location: Location, source_bucket: str, stack: AsyncExitStack, workdir: Path,
    folder: Callable[[Path], ReportFiles] = FolderFiles,
) -> tuple[Report, ReportFiles]:
    """The report at what `--inventory` names, and where its files are; `folder` opens a local one.

    Raises what find_report and S3Control do.
    """
    files: ReportFiles
    if location.bucket is not None:
        bucket = await stack.enter_async_context(S3Control(s3_settings(location.bucket, {})))
        await bucket.locate()
        files = bucket
    elif location.root is not None:
        files = folder(location.root)
    return await find_report(files, location, source_bucket, workdir), files


async def _inventory(
    text: str, ends: Ends, stack: AsyncExitStack, workdir: Path, listener: Listener
) -> ObjectList:
    report, files = await open_report(locate(text), ends.source.bucket, stack, workdir)
    manifest = report.manifest
    for note in report.notes:
        listener(Note(note))
    created = manifest.created.isoformat(timespec="minutes").replace("+00:00", "Z")
    listener(Note(f"Reading the inventory of {created}: {len(manifest.files)} {manifest.format} files"))
    return ObjectList(await _closing(stack, rows(manifest, files, workdir)), manifest.format, created,
                      len(manifest.files))


async def _closing(
    stack: AsyncExitStack, batches: AsyncIterator[list[ObjectVersion]]
) -> AsyncIterator[Sequence[ObjectVersion]]:
    if isinstance(batches, AsyncGenerator):
        await stack.enter_async_context(aclosing(batches))
    return batches


def _rails(settings: PlanSettings, stack: ExitStack) -> Any:  # noqa: ANN401 - an iterator of batches, or None
    url = database_url(settings.database_url_file)
    if url is None:
        if settings.only_referenced or settings.service:
            flag = "--only-referenced" if settings.only_referenced else "--service"
            raise UsageError("E400-DATABASE-URL", f"{flag} needs the Rails database, and none is named",
                             hint="set DATABASE_URL as Rails does, or name a file with --database-url-file")
        return None
    from blobmove.stores.rails.database import RailsDatabase

    database = stack.enter_context(RailsDatabase.from_text(url))
    return database.stream(attached=True)


def database_url(file: Path | None) -> str | None:
    """The database's URL from the file named, else from DATABASE_URL, else None."""
    if file is None:
        return os.environ.get("DATABASE_URL") or None
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("E404-DATABASE-URL", f"{file} cannot be read", cause=str(error)) from None


def _prices(file: Path | None) -> dict[str, float]:
    """The price list, with what the file says put over it. Raises UsageError."""
    if file is None:
        return dict(PRICES)
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        prices = {name: float(value) for name, value in told.items()}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise UsageError("E400-PRICES", f"{file} is not a price list", cause=str(error),
                         hint=f"a JSON object with numbers for: {', '.join(PRICES)}") from None
    unknown = sorted(set(prices) - set(PRICES))
    if unknown:
        raise UsageError("E400-PRICES", f"{file} names unknown prices: {', '.join(unknown)}",
                         hint=f"known are: {', '.join(PRICES)}")
    return {**PRICES, **prices}


