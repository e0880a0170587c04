"""What `doctor` looks at on S3: credentials, the bucket, one object of it, the inventory, the clock."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from blobmove.core.diagnosis import Area, Finding, Level, clock, inventory
from blobmove.core.errors import Kind, StoreError
from blobmove.core.frozen import frozen
from blobmove.core.selection import ARCHIVE_CLASSES
from blobmove.core.units import MIB, format_bytes, format_count, format_duration, format_rate
from blobmove.operations.doctor import LONG, SECONDS, Look, Tell, bounded, side_by_side
from blobmove.stores.clock import clock_offset

if TYPE_CHECKING:
    from blobmove.core.model import ObjectVersion, Source
    from blobmove.stores.http import HttpClient
    from blobmove.stores.inventory.report import Report
    from blobmove.stores.s3.control import S3Control
    from blobmove.stores.s3.objects import S3Objects

PROBE_BYTES: Final = 8 * MIB
TRIES: Final = 5
INVENTORY_SECONDS: Final = 2 * SECONDS
"""Here five questions follow each other: the bucket, its folders, a checksum, a manifest, often of a second report."""
_EXPIRES_SOON: Final = 3600.0

_KINDS: Final = {
    "env": "keys of the environment (AWS_ACCESS_KEY_ID)",
    "shared-credentials-file": "keys of ~/.aws/credentials",
    "config-file": "keys of ~/.aws/config",
    "sso": "single sign-on (aws sso login)",
    "login": "aws login",
    "assume-role": "an assumed role",
    "assume-role-with-web-identity": "a web identity (IRSA)",
    "container-role": "the role of the container (ECS, EKS Pod Identity)",
    "iam-role": "the role of the machine (instance profile)",
    "custom-process": "a credential_process",
}
"""The SDK's words (CredentialProvider.METHOD in botocore) in ours."""


@frozen
class SourceEnd:
    """The source, opened. `report` finds the inventory's newest report, None where no inventory is named."""

    source: Source
    control: S3Control
    http: HttpClient
    report: Callable[[], Awaitable[Report]] | None = None
    probe: bool = False


def looks_at(end: SourceEnd) -> list[Look]:
    """Two that do not wait for each other: what the credentials allow, and the clock, which needs none."""

    async def allowed(tell: Tell) -> None:
        await _allowed(end, tell)

    async def time_of_day(tell: Tell) -> None:
        offset = await clock_offset(end.http, _address(end))
        if offset is not None:
            tell(clock(Area.SOURCE, "S3", offset))

    return [Look(Area.SOURCE, "access", allowed, seconds=2 * SECONDS + LONG), Look(Area.SOURCE, "clock", time_of_day)]


def _address(end: SourceEnd) -> str:
    settings = end.control.settings
    if settings.endpoint:
        return settings.endpoint.rstrip("/") + "/"
    domain = "amazonaws.com.cn" if (settings.region or "").startswith("cn-") else "amazonaws.com"
    return f"https://s3.{settings.region}.{domain}/" if settings.region else f"https://s3.{domain}/"


async def _allowed(end: SourceEnd, tell: Tell) -> None:
    """Without credentials there is nothing to ask; else bucket and inventory at once."""
    if not await bounded(Look(Area.SOURCE, "credentials", lambda told: _credentials(end, told)), tell):
        return
    looks = [Look(Area.SOURCE, "bucket", lambda told: _bucket_and_object(end, told), seconds=SECONDS + LONG)]
    if end.report is not None:
        looks.append(Look(Area.SOURCE, "inventory", lambda told: _inventory(end, told), INVENTORY_SECONDS))
    await side_by_side(looks, tell)
    if end.report is None:
        tell(Finding(Area.SOURCE, "inventory", Level.ABSENT, "not configured: plan will need --list or --keys",
                     hint="--inventory s3://DESTINATION/PREFIX/BUCKET/CONFIG-ID/"))


async def _credentials(end: SourceEnd, tell: Tell) -> None:
    kind, ends = await end.control.kind_of_credentials()
    text = _KINDS.get(kind, kind)
    if ends is None:
        tell(Finding(Area.SOURCE, "credentials", Level.OK, text))
        return
    left = (ends - datetime.now(UTC)).total_seconds()
    text += f", for another {format_duration(max(0.0, left))}"
    figures = {"expires_seconds": round(left)}
    renewed = kind not in ("sso", "login")  # roles are renewed by themselves, as long as the SDK can
    level = Level.OK if renewed or left > _EXPIRES_SOON else Level.WARNING
    hint = "" if level is Level.OK else "aws sso login"
    tell(Finding(Area.SOURCE, "credentials", level, text, hint=hint, figures=figures))


async def _bucket_and_object(end: SourceEnd, tell: Tell) -> None:
    """What plan does, and then what copy does."""
    page: list[ObjectVersion] = []
    if await bounded(Look(Area.SOURCE, "bucket", lambda told: _bucket(end, page, told)), tell):
        seconds = LONG if end.probe else SECONDS
        await bounded(Look(Area.SOURCE, "objects", lambda told: _read(end, page, told), seconds), tell)


async def _bucket(end: SourceEnd, page: list[ObjectVersion], tell: Tell) -> None:
    """HeadBucket and one page of the listing, which is left in `page`."""
    region = await end.control.locate()
    async with aclosing(end.control.list_versions(end.source.prefix)) as pages:  # type: ignore[type-var]
        page += await anext(pages, [])
    where = end.control.settings.endpoint or region
    many = "1,000 objects or more" if len(page) >= 1000 else f"{len(page)} object{'' if len(page) == 1 else 's'}"
    tell(Finding(Area.SOURCE, "bucket", Level.OK if page else Level.WARNING,
                 f"{end.source} ({where}): reachable, list allowed, {many}",
                 "" if page else "nothing is there to copy", "" if page else "check bucket and prefix of --source"))


async def _readable(objects: S3Objects, page: list[ObjectVersion]) -> ObjectVersion | None:
    """The largest object that gives its first byte; others may be archived without saying so, or gone by now."""
    open_ones = [one for one in page if one.size and one.storage_class not in ARCHIVE_CLASSES]
    for one in sorted(open_ones, key=lambda version: -(version.size or 0))[:TRIES]:
        try:
            await objects.get(one.key, etag=None, byte_range=(0, 1))
        except StoreError as error:
            if error.kind not in (Kind.ARCHIVED, Kind.MISSING):
                raise
        else:
            return one
    return None


async def _read(end: SourceEnd, page: list[ObjectVersion], tell: Tell) -> None:
    objects = await end.control.objects(end.http)
    one = await _readable(objects, page)  # it opens the connection, too
    if one is None:
        tell(Finding(Area.SOURCE, "objects", Level.ABSENT, "not tried: no object of the first page can be read",
                     hint="empty, archived or gone; a plan tells them apart"))
        return
    started = time.monotonic()
    await objects.get(one.key, etag=None, byte_range=(0, 1))
    took = time.monotonic() - started
    tell(Finding(Area.SOURCE, "objects", Level.OK, f"read allowed; the first byte after {_milliseconds(took)}",
                 figures={"latency_seconds": round(took, 4)}))
    if end.probe:
        size = min(one.size or 0, PROBE_BYTES)
        started = time.monotonic()
        await objects.get(one.key, etag=None, byte_range=(0, size))
        rate = size / max(time.monotonic() - started, 1e-6)
        tell(Finding(Area.SOURCE, "speed", Level.OK,
                     f"{format_rate(rate)} from S3, {format_bytes(size)} in one request",
                     figures={"bytes": size, "bytes_per_second": round(rate)}))


async def _inventory(end: SourceEnd, tell: Tell) -> None:
    assert end.report is not None  # noqa: S101 - looked at by the caller
    report = await end.report()
    manifest = report.manifest
    created = manifest.created.isoformat(timespec="minutes").replace("+00:00", "Z")
    told = f"{manifest.format} of {created}, data files: {format_count(len(manifest.files))}, as its checksum says"
    tell(inventory(told, (datetime.now(UTC) - manifest.created).total_seconds()))
    for note in report.notes:
        tell(Finding(Area.SOURCE, "inventory", Level.WARNING, note))


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms"
