"""What `doctor` looks at on Azure: credentials, the container, the kind of account, the clock; a write if asked."""

from __future__ import annotations

import hashlib
import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import anyio

from blobmove.core.diagnosis import ACCESS, Area, Finding, Level, clock
from blobmove.core.errors import Kind, StoreError
from blobmove.core.frozen import frozen
from blobmove.core.headers import BlobProperties
from blobmove.core.units import KIB, MIB, format_bytes, format_duration, format_rate
from blobmove.operations.doctor import LONG, SECONDS, Look, Tell, bounded, side_by_side
from blobmove.stores.azure.blobs import Condition
from blobmove.stores.azure.blocklist import read_page
from blobmove.stores.azure.look import kind_of_access, read_sas
from blobmove.stores.clock import clock_offset

if TYPE_CHECKING:
    from blobmove.core.model import Destination
    from blobmove.stores.azure.account import AccountAccess
    from blobmove.stores.azure.blobs import AzureBlobs
    from blobmove.stores.azure.control import AzureControl
    from blobmove.stores.http import HttpClient

PROBE_BYTES: Final = 8 * MIB
SMALL_BYTES: Final = 4 * KIB
REMOVAL_SECONDS: Final = 15.0
"""So long a probe that is over, or was cancelled, may still take to remove its blob."""
_UNSURE: Final = (Kind.TRANSIENT, Kind.THROTTLED, Kind.UNREACHABLE)
"""Ends of a request after which nobody knows whether it was carried out."""
_EXPIRES_SOON: Final = 24 * 3600.0
_HNS_HINT: Final = "az storage account create --kind StorageV2 --hns false ...   (it cannot be switched off later)"


@frozen
class DestinationEnd:
    """The destination, opened. With `probe` one blob is written and removed."""

    destination: Destination
    access: AccountAccess
    control: AzureControl
    http: HttpClient
    probe: bool = False


def looks_at(end: DestinationEnd) -> list[Look]:
    """Two that do not wait for each other: what the credentials allow, and the clock, which needs none."""

    async def allowed(tell: Tell) -> None:
        await _allowed(end, tell)

    async def time_of_day(tell: Tell) -> None:
        offset = await clock_offset(end.http, f"{end.destination}?restype=container")
        if offset is not None:
            tell(clock(Area.DESTINATION, "Azure", offset))

    return [Look(Area.DESTINATION, "access", allowed, 2 * SECONDS + LONG),
            Look(Area.DESTINATION, "clock", time_of_day)]


async def _allowed(end: DestinationEnd, tell: Tell) -> None:
    """Without credentials there is nothing to ask; else container and account at once."""
    opened: list[AzureBlobs] = []

    async def credentials(told: Tell) -> None:
        opened.append(await end.control.blobs(end.http))
        await opened[0].allowed()  # a token has to be got
        told(_credentials(end.access, end.control.token_kind))

    if not await bounded(Look(Area.DESTINATION, "credentials", credentials), tell):
        return
    (blobs,) = opened
    await side_by_side([
        Look(Area.DESTINATION, "container", lambda told: _container_and_blob(end, blobs, told), SECONDS + LONG),
        Look(Area.DESTINATION, "account", lambda told: _account(blobs, told)),
    ], tell)


def _credentials(access: AccountAccess, token_kind: str) -> Finding:
    text = kind_of_access(access, os.environ, token_kind)
    if not access.sas:
        return Finding(Area.DESTINATION, "credentials", Level.OK, text)
    facts = read_sas(access.sas)
    if facts.missing:
        return Finding(Area.DESTINATION, "credentials", Level.FAILURE, f"{text}: allows only `{facts.rights}`",
                       f"`{facts.missing}` is missing", "make a new one with --permissions rwcl", "E403-DESTINATION",
                       ACCESS)
    text += f": allows `{facts.rights}`" if facts.rights else ": its rights are those of a stored policy"
    if facts.ends is None:
        return Finding(Area.DESTINATION, "credentials", Level.OK, text)
    left = (facts.ends - datetime.now(UTC)).total_seconds()
    figures = {"expires_seconds": round(left)}
    if left <= 0:
        return Finding(Area.DESTINATION, "credentials", Level.FAILURE, f"{text}, and has expired",
                       f"it was good until {facts.ends:%Y-%m-%d %H:%M} UTC", "export a new AZURE_STORAGE_SAS_TOKEN",
                       "E401-DESTINATION", ACCESS, figures)
    text += f", for another {format_duration(left)}"
    soon = left < _EXPIRES_SOON
    return Finding(Area.DESTINATION, "credentials", Level.WARNING if soon else Level.OK, text,
                   "it cannot be renewed here; a copy that outlasts it stops" if soon else "",
                   "export one that lasts longer than the copy" if soon else "", figures=figures)


async def _container_and_blob(end: DestinationEnd, blobs: AzureBlobs, tell: Tell) -> None:
    """What verify does, and then what copy does, if that was asked for."""
    if not await bounded(Look(Area.DESTINATION, "container", lambda told: _container(end, blobs, told)), tell):
        return
    if end.probe:
        await bounded(Look(Area.DESTINATION, "write", lambda told: _probe(blobs, told), LONG), tell)
    else:
        tell(Finding(Area.DESTINATION, "write", Level.ABSENT, "not tried: --probe writes one blob and removes it",
                     hint="blobmove doctor --probe"))


async def _container(end: DestinationEnd, blobs: AzureBlobs, tell: Tell) -> None:
    """One name of the listing."""
    started = time.monotonic()
    found, _marker = read_page(await blobs.list_page("", most=1))
    took = time.monotonic() - started
    filled = "not empty: what is there is compared, never overwritten unseen" if found else "empty"
    tell(Finding(Area.DESTINATION, "container", Level.OK, f"{end.destination}: exists, list allowed, {filled}",
                 figures={"latency_seconds": round(took, 4)}))


async def _account(blobs: AzureBlobs, tell: Tell) -> None:
    """Get Account Information. A hierarchical namespace is no place for keys like `a` beside `a/b`."""
    try:
        told = await blobs.account()
    except StoreError as error:
        if error.kind in _UNSURE:
            raise
        tell(Finding(Area.DESTINATION, "account", Level.OK,
                     f"its kind may not be asked with these credentials ({error.code})",
                     hint="az storage account show --name ACCOUNT --query isHnsEnabled   (must be false)"))
        return
    name = " ".join(told[header] for header in ("x-ms-account-kind", "x-ms-sku-name") if header in told)
    if told.get("x-ms-is-hns-enabled", "").lower() == "true":
        tell(Finding(Area.DESTINATION, "account", Level.FAILURE, f"{name} with a hierarchical namespace (Data Lake)",
                     "there folders are real: of `a` and `a/b` only one can be written, and 63 segments are the most",
                     _HNS_HINT, "E400-HNS", 2))
        return
    old = told.get("x-ms-account-kind") == "Storage"
    tell(Finding(Area.DESTINATION, "account", Level.WARNING if old else Level.OK,
                 f"{name or 'kind not told'}, flat namespace",
                 "the first general purpose kind has no access tiers" if old else "",
                 "az storage account update --name ACCOUNT --set kind=StorageV2 --access-tier Hot" if old else ""))


async def _probe(blobs: AzureBlobs, tell: Tell) -> None:
    """Write, read back and delete one blob whose name nobody else can have; its speed is that of one connection."""
    name = f"blobmove-probe-{uuid4().hex}"
    small, large = os.urandom(SMALL_BYTES), os.urandom(PROBE_BYTES)
    etag: str | None = None
    written = True  # or it may have been: until somebody says no
    left: Finding | None = None
    try:
        try:
            etag = await _write(blobs, name, small)
        except StoreError as error:
            written = error.kind in _UNSURE
            raise
        started = time.monotonic()
        back = await blobs.read(name, 0, len(small), etag=etag)
        latency = time.monotonic() - started
        up, etag = await _timed(blobs, name, large, etag)
        started = time.monotonic()
        whole = await blobs.read(name, 0, len(large), etag=etag)
        down = len(large) / max(time.monotonic() - started, 1e-6)
    finally:
        if written and (left := await _remove(blobs, name, etag)):
            tell(left)
    if bytes(back) != small or bytes(whole) != large:
        tell(Finding(Area.DESTINATION, "write", Level.FAILURE, "a blob came back with other bytes than were written",
                     "something between here and Azure changes them", "try without the proxy", "E422-PROBE"))
        return
    tell(Finding(Area.DESTINATION, "write", Level.OK,
                 f"write, read{'' if left else ' and delete'} allowed; an answer after {latency * 1000:,.0f} ms",
                 figures={"latency_seconds": round(latency, 4)}))
    tell(Finding(Area.DESTINATION, "speed", Level.OK,
                 f"{format_rate(up)} to Azure, {format_rate(down)} back, {format_bytes(PROBE_BYTES)} in one request",
                 figures={"bytes": PROBE_BYTES, "write_bytes_per_second": round(up),
                          "read_bytes_per_second": round(down)}))


async def _write(blobs: AzureBlobs, name: str, body: bytes) -> str:
    return await blobs.put_blob(name, body, md5=hashlib.md5(body).digest(), properties=BlobProperties())


async def _timed(blobs: AzureBlobs, name: str, body: bytes, etag: str) -> tuple[float, str]:
    """Overwrite our own blob: bytes a second, and its new etag."""
    md5, condition = hashlib.md5(body).digest(), Condition(etag)
    started = time.monotonic()
    fresh = await blobs.put_blob(name, body, md5=md5, properties=BlobProperties(), condition=condition)
    return len(body) / max(time.monotonic() - started, 1e-6), fresh


async def _remove(blobs: AzureBlobs, name: str, etag: str | None) -> Finding | None:
    """Remove it, also where the look is cancelled; what to say where it stays, or may do so."""
    left: Finding | None = _left(name, f"no answer within {format_duration(REMOVAL_SECONDS)}")
    with anyio.move_on_after(REMOVAL_SECONDS, shield=True):
        try:
            await _delete(blobs, name, etag)
            left = None
        except StoreError as error:
            left = _left(name, f"{error.code}: {error.detail}".removesuffix(": "))
    return left


async def _delete(blobs: AzureBlobs, name: str, etag: str | None) -> None:
    """Where an answer was lost (no etag, or an older one) it is looked for: the name is ours alone."""
    if etag is not None:
        try:
            await blobs.delete(name, etag)
        except StoreError as error:
            if error.kind is not Kind.EXISTS:
                raise
        else:
            return
    facts = await blobs.properties(name)
    if facts is not None:
        await blobs.delete(name, facts.etag)


def _left(name: str, cause: str) -> Finding:
    return Finding(Area.DESTINATION, "write", Level.WARNING,
                   f"the blob {name} could not be removed again, or looked for", cause,
                   "remove it by hand if it is there; blobmove itself needs no right to delete",
                   figures={"bytes": PROBE_BYTES})
