"""Wiring of `doctor`: which ends there are, every door opened, and what cannot be opened told as a finding."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from blobmove.checkpoint.reader import CheckpointReader
from blobmove.cli.doors import s3_settings
from blobmove.cli.planning import database_url, open_report
from blobmove.cli.words import parse_destination, parse_source
from blobmove.core.diagnosis import Area, Diagnosis, Finding, Level, failed
from blobmove.core.errors import BlobmoveError, Side
from blobmove.core.frozen import frozen
from blobmove.core.plan_settings import DoctorSettings
from blobmove.core.settings import Addressing, DatabaseAuth, for_checkpoint
from blobmove.operations import doctor_destination, doctor_here, doctor_rails, doctor_source
from blobmove.operations.doctor import SECONDS, Look, aside, side_by_side
from blobmove.operations.status import status
from blobmove.stores.azure.account import find_access
from blobmove.stores.azure.control import AzureControl
from blobmove.stores.http import HttpClient
from blobmove.stores.inventory.report import locate
from blobmove.stores.inventory.report_files import FolderFiles
from blobmove.stores.s3.control import S3Control

if TYPE_CHECKING:
    from blobmove.core.model import Destination, Source
    from blobmove.stores.inventory.report import Report

T = TypeVar("T")


@frozen
class Known:
    """The ends to look at: as given, else as the checkpoint has them."""

    source: Source | None
    destination: Destination | None
    inventory: str | None
    remembered: dict[str, Any]


async def diagnose(settings: DoctorSettings) -> Diagnosis:
    """Look at everything at once. Never raises for what an operator can cure: that is what it finds."""
    started = time.monotonic()
    known = await _in_time(partial(_known, settings), _as_given(settings))
    found: list[Finding] = []
    async with AsyncExitStack() as stack:
        looks: list[Look] = []
        for open_looks in (_source, _destination):
            looks += await open_looks(settings, known, stack, found.append)
        looks += _database(settings, found.append)
        looks += doctor_here.looks_at(settings.checkpoint, settings.source, settings.destination)
        if known.source is None and known.destination is None:
            found.append(Finding(Area.CHECKPOINT, "ends", Level.WARNING, "neither source nor destination is known here",
                                 "no flag, no blobmove.toml and no checkpoint names them",
                                 "run it where blobmove.toml lies, or name --source and --destination"))
        await side_by_side(looks, found.append)
    diagnosis = Diagnosis(
        source=str(known.source) if known.source else None,
        destination=str(known.destination) if known.destination else None,
        checkpoint=str(settings.checkpoint),
        findings=tuple(sorted(found, key=lambda finding: list(Area).index(finding.area))),
        seconds=time.monotonic() - started,
    )
    again = for_checkpoint("blobmove doctor", settings.checkpoint)
    return replace(diagnosis, next=await _in_time(partial(_next, settings, diagnosis), again))


async def _in_time(body: Callable[[], T], otherwise: T) -> T:
    """What the checkpoint answers; `otherwise` where its file system hangs, which its own look tells."""
    with anyio.move_on_after(SECONDS):
        return await aside(body)
    return otherwise


def _as_given(settings: DoctorSettings) -> Known:
    return Known(settings.source, settings.destination, settings.inventory, {})


def _known(settings: DoctorSettings) -> Known:
    """A checkpoint that cannot be read is looked at by its own look; here it just knows nothing."""
    try:
        with CheckpointReader(settings.checkpoint) as reader:
            setup = reader.setup()
    except BlobmoveError:
        return _as_given(settings)
    # What the plan remembers is about its own source: its inventory lists that one.
    remembered = {} if settings.source and str(settings.source) != setup.source else setup.settings
    return Known(settings.source or parse_source(setup.source),
                 settings.destination or parse_destination(setup.destination),
                 settings.inventory or remembered.get("inventory"), remembered)


Telling = Callable[[Finding], None]


async def _source(settings: DoctorSettings, known: Known, stack: AsyncExitStack, tell: Telling) -> list[Look]:
    if known.source is None:
        tell(_absent(Area.SOURCE, "bucket", "blobmove doctor --source s3://BUCKET"))
        return []
    remembered = known.remembered
    if settings.s3_addressing is not Addressing.AUTO:
        remembered = {**remembered, "addressing": settings.s3_addressing.value}
    control = await stack.enter_async_context(S3Control(s3_settings(known.source.bucket, remembered)))
    http = HttpClient(Side.SOURCE, ca_file=os.environ.get("AWS_CA_BUNDLE"))
    stack.push_async_callback(http.close)
    bucket, inventory = known.source.bucket, known.inventory

    async def report() -> Report:
        assert inventory is not None  # noqa: S101 - asked for only then
        workdir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="blobmove-doctor-")))
        location = await aside(partial(locate, inventory))
        found, _files = await open_report(location, bucket, stack, workdir, _FolderAside)
        return found

    return doctor_source.looks_at(doctor_source.SourceEnd(
        known.source, control, http, report if inventory else None, settings.probe))


class _FolderAside:
    """ReportFiles of a local folder that may be on a share that hangs: nothing waits for it longer than a look.

    What is fetched is copied, not linked: so it is read from the working directory, and only this here can hang.
    """

    def __init__(self, root: Path) -> None:
        self._files = FolderFiles(root)

    async def list_folders(self, prefix: str) -> list[str]:
        return await aside(partial(self._files.folders, prefix))

    async def fetch(self, key: str, path: Path) -> None:
        path.write_bytes(await aside(partial(self._files.content, key)))


async def _destination(settings: DoctorSettings, known: Known, stack: AsyncExitStack, tell: Telling) -> list[Look]:
    if known.destination is None:
        tell(_absent(Area.DESTINATION, "container", "blobmove doctor --destination "
                     "https://ACCOUNT.blob.core.windows.net/CONTAINER"))
        return []
    try:
        access = find_access(known.destination, os.environ)
    except BlobmoveError as error:  # a variable that names another account, a key that is none
        tell(failed(Area.DESTINATION, "credentials", error))
        return []
    control = await stack.enter_async_context(AzureControl(known.destination, access))
    http = HttpClient(Side.DESTINATION, ca_file=os.environ.get("SSL_CERT_FILE"))
    stack.push_async_callback(http.close)
    return doctor_destination.looks_at(doctor_destination.DestinationEnd(
        known.destination, access, control, http, settings.probe))


def _database(settings: DoctorSettings, tell: Telling) -> list[Look]:
    try:
        url = database_url(settings.database_url_file)
    except BlobmoveError as error:
        tell(failed(Area.DATABASE, "table", error))
        return []
    if url is None:
        tell(_absent(Area.DATABASE, "table", "set DATABASE_URL as Rails does, or --database-url-file FILE"))
        return []

    def open_table() -> Any:  # noqa: ANN401 - the drivers load only now, in the thread that uses them
        from blobmove.stores.rails.database import RailsDatabase

        return RailsDatabase.from_text(url, entra=settings.database_auth is DatabaseAuth.ENTRA)

    return doctor_rails.looks_at(open_table, settings.service)


def _absent(area: Area, check: str, hint: str) -> Finding:
    return Finding(area, check, Level.ABSENT, "not configured", hint=hint)


def _next(settings: DoctorSettings, diagnosis: Diagnosis) -> str:
    """What to type next: once nothing is in the way, the next step of the journey."""
    if diagnosis.count(Level.FAILURE) or diagnosis.source is None or diagnosis.destination is None:
        return for_checkpoint("blobmove doctor", settings.checkpoint)
    if not settings.checkpoint.exists():
        return for_checkpoint("blobmove plan", settings.checkpoint)
    try:
        return status(settings.checkpoint, all_failures=False).summary.next
    except BlobmoveError:
        return for_checkpoint("blobmove doctor", settings.checkpoint)
