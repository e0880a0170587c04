"""What an operator asked for, as typed values: one frozen dataclass a command.

The porch builds them from flags, variables and `blobmove.toml`; the operations read them. No secret is among them:
credentials are found by the doors.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from blobmove.core.headers import MetadataNames
from blobmove.core.model import Destination, Source
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


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorSettings:
    """`doctor`: the ends to look at (None: those of the checkpoint, if it has any), and how they are reached.

    `source`, `destination`, `inventory`, `s3_addressing`, `service`, `database_url_file` and `database_auth` as in
    PlanSettings and FlipSettings; `probe` lets it write and remove one blob.
    """

    checkpoint: Path = DEFAULT_CHECKPOINT
    source: Source | None = None
    destination: Destination | None = None
    inventory: str | None = None
    s3_addressing: Addressing = Addressing.AUTO
    service: tuple[str, ...] = ()
    database_url_file: Path | None = None
    database_auth: DatabaseAuth = DatabaseAuth.PASSWORD
    probe: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSettings:
    """`plan`.

    Ends: `source`, `destination` are None where the checkpoint already knows them; `create_container` makes the
    container if it is missing; `s3_addressing` is how the bucket is named in requests.
    List of objects: at most one of `inventory` (s3:// address of a manifest or of a configuration's folder, or a
    local path), `listing` and `keys` (a file with one key a line); none of them means: as the plan before.
    Choice: keys under `prefix` (it lies within the source's own), without those that match one of the globs
    `exclude`; `all_versions` takes older versions too; `only_referenced` only what a Rails row names.
    Rails: rows of the services `service` (none named: all that are not the destination's);
    `database_url_file` holds the URL, else DATABASE_URL does.
    Names and money: `metadata_names` for names Azure refuses; `prices` replaces the price list (JSON file);
    `target_hours` is the time the copy should take; `html` the file for the plan's page.
    """

    checkpoint: Path = DEFAULT_CHECKPOINT
    source: Source | None = None
    destination: Destination | None = None
    create_container: bool = False
    s3_addressing: Addressing = Addressing.AUTO
    inventory: str | None = None
    listing: bool = False
    keys: Path | None = None
    prefix: str = ""
    exclude: tuple[str, ...] = ()
    all_versions: bool = False
    only_referenced: bool = False
    service: tuple[str, ...] = ()
    database_url_file: Path | None = None
    metadata_names: MetadataNames = MetadataNames.RENAME
    prices: Path | None = None
    target_hours: float | None = None
    html: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifySettings:
    """`verify`: `sample` is the share of objects to look at, in percent (0-100, above 0).

    `workers` and `scheduler` as in CopySettings; only reading can be shared.
    """

    checkpoint: Path = DEFAULT_CHECKPOINT
    how: How = How.LISTING
    sample: float = 100.0
    workers: int | None = None
    scheduler: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusSettings:
    """`status`: `failed` asks for the objects that are not well, too."""

    checkpoint: Path = DEFAULT_CHECKPOINT
    failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSettings:
    """`report`: `objects` is the file for a record a planned object, its ending names the format; `html` the page."""

    objects: Path | None = None
    html: Path | None = None
    checkpoint: Path = DEFAULT_CHECKPOINT


@dataclass(frozen=True, slots=True, kw_only=True)
class FlipSettings:
    """`flip-service`.

    Which rows: those that name one of `from_services` (none named: the only other one there is), only the ids in
    the file `ids` if given, at most `limit` of them. `to_service` is the new name ("" only for an undo).
    What: `dry_run` changes nothing; `undo` is "" for no undo, "last" or the number of the run to take back;
    `sql` is a file to write the statements to instead of running them.
    How: at most `batch_size` rows a transaction; after each a pause of `sleep_ratio` times its duration; while
    `pause_file` exists the flip waits, once `stop_file` exists it ends; `skip_verify` waives a finished `verify`.
    Throttle: it waits while a replica is more than `max_lag` seconds behind, as the replicas of `replica_url_file`
    or the number of `lag_query` tell, or more than `max_threads_running` statements run; above
    `critical_threads_running` it ends.
    Where: `database_url_file` holds the URL, else DATABASE_URL does; `database_auth` is how to log in.
    Approval: `confirmed` once the operator has named the service that rows will leave or enter; `any_server` and
    `allow_replica` as in operations.flip_doors.Approval.
    `born` is a file to write the keys to that were born on the new service, instead of flipping.
    """

    checkpoint: Path = DEFAULT_CHECKPOINT
    from_services: tuple[str, ...] = ()
    to_service: str = ""
    dry_run: bool = False
    undo: str = ""
    batch_size: int = 5000
    ids: Path | None = None
    limit: int | None = None
    sleep_ratio: float = 1.0
    pause_file: Path | None = None
    stop_file: Path | None = None
    skip_verify: bool = False
    sql: Path | None = None
    max_lag: float | None = None
    replica_url_file: tuple[Path, ...] = ()
    lag_query: str | None = None
    max_threads_running: int | None = None
    critical_threads_running: int | None = None
    any_server: bool = False
    allow_replica: bool = False
    born: Path | None = None
    database_url_file: Path | None = None
    database_auth: DatabaseAuth = DatabaseAuth.PASSWORD
    confirmed: bool = False
