"""What an operator asked for, as typed values: one frozen dataclass a command; the larger ones are next door.

The porch builds them from flags, variables and `blobmove.toml`; the operations read them. No secret is among them:
credentials are found by the doors.
"""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path

from blobmove.core.frozen import frozen
from blobmove.core.timetable import Timetable
from blobmove.core.units import MIB

DEFAULT_CHECKPOINT = Path("blobmove.db")


def for_checkpoint(command: str, checkpoint: Path) -> str:
    """A command to type next: with `--checkpoint` where that is not the default."""
    return command if checkpoint == DEFAULT_CHECKPOINT else f"{command} --checkpoint {shlex.quote(str(checkpoint))}"


class Addressing(StrEnum):
    """How a bucket is named in a request to S3 (`--s3-addressing`)."""

    AUTO = "auto"
    PATH = "path"
    VIRTUAL = "virtual"


class IfExists(StrEnum):
    """What to do with a blob that is already there (`--if-exists`)."""

    COMPARE = "compare"
    OVERWRITE = "overwrite"
    FAIL = "fail"


class AccessTier(StrEnum):
    """The tier new blobs are written to (`--access-tier`); without one the account's default holds."""

    HOT = "Hot"
    COOL = "Cool"
    COLD = "Cold"
    ARCHIVE = "Archive"


class Route(StrEnum):
    """How bytes get to Azure (`--transfer`): through this machine, pulled by Azure itself, or whichever fits."""

    STREAM = "stream"
    SERVER = "server"
    AUTO = "auto"


class ContentFrom(StrEnum):
    """Who says what a pulled object's content headers are (`--content-from`): S3, asked by HEAD, or the Rails row."""

    HEAD = "head"
    RAILS = "rails"


class DatabaseAuth(StrEnum):
    """How to log in to the application's database (`--database-auth`)."""

    PASSWORD = "password"  # noqa: S105 - a word of a flag
    ENTRA = "entra"


@frozen
class Address:
    """Where to listen: a host name or an address by number, and a port (0: any that is free)."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class How(StrEnum):
    """How `verify` looks: at the listing's sizes and MD5s, or at every byte."""

    LISTING = "listing"
    READ = "read"


@frozen(kw_only=True)
class CopySettings:
    """`copy`.

    Which objects: `resume` goes on with a started plan; `retry_failed` takes up failed and archived ones again.
    How much at once: `concurrency` objects in flight (None: found by itself), `max_memory` bytes (half of it
    for bodies), `bandwidth` in bytes a second by time of day (None: no limit), `block_size` and
    `whole_object_limit` in bytes.
    How bytes travel: `transfer`; for objects that Azure pulls `content_from` says where their headers come from.
    What is written: `if_exists`, `access_tier` (None: the account's default).
    When to stop: `max_duration` in seconds, `max_errors` failed objects (None: never);
    while the file `throttle_file` exists no new object starts.
    Who looks on: `metrics_addr` is where the metrics are served while the run lasts (None: nowhere).
    Who works: `workers` processes of this machine (0: one a core), or those of the Dask cluster at `scheduler`; with
    neither, this process alone.
    The way back: `reverse` copies from Azure to S3 what the file `keys` names, or (`from_rails`) the rows that name
    the service `to_service` ("": the one of the journal's flips) and that no flip has let name it; `database_url_file`
    holds the URL, else DATABASE_URL does; `database_auth` is how to log in.
    """

    checkpoint: Path = DEFAULT_CHECKPOINT
    resume: bool = False
    retry_failed: bool = False
    concurrency: int | None = None
    max_memory: int = 384 * MIB
    bandwidth: Timetable | None = None
    block_size: int = 32 * MIB
    whole_object_limit: int = 32 * MIB
    transfer: Route = Route.STREAM
    content_from: ContentFrom = ContentFrom.HEAD
    if_exists: IfExists = IfExists.COMPARE
    access_tier: AccessTier | None = None
    max_duration: float | None = None
    max_errors: int | None = 1000
    throttle_file: Path | None = None
    metrics_addr: Address | None = None
    workers: int | None = None
    scheduler: str | None = None
    reverse: bool = False
    keys: Path | None = None
    from_rails: bool = False
    to_service: str = ""
    database_url_file: Path | None = None
    database_auth: DatabaseAuth = DatabaseAuth.PASSWORD


@frozen(kw_only=True)
class VerifySettings:
    """`verify`: `sample` is the share of objects to look at, in percent (0-100, above 0).

    `workers` and `scheduler` as in CopySettings; only reading can be shared.
    """

    checkpoint: Path = DEFAULT_CHECKPOINT
    how: How = How.LISTING
    sample: float = 100.0
    workers: int | None = None
    scheduler: str | None = None


@frozen(kw_only=True)
class StatusSettings:
    """`status`: `failed` asks for the objects that are not well, too."""

    checkpoint: Path = DEFAULT_CHECKPOINT
    failed: bool = False


@frozen(kw_only=True)
class ReportSettings:
    """`report`: `objects` is the file for a record a planned object, its ending names the format; `html` the page."""

    objects: Path | None = None
    html: Path | None = None
    checkpoint: Path = DEFAULT_CHECKPOINT
