"""What an operator asked of `plan` and of `doctor`, which look at the two ends: see core.settings."""

from __future__ import annotations

from pathlib import Path

from blobmove.core.frozen import frozen
from blobmove.core.headers import MetadataNames
from blobmove.core.model import Destination, Source
from blobmove.core.settings import DEFAULT_CHECKPOINT, Addressing, DatabaseAuth


@frozen(kw_only=True)
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


@frozen(kw_only=True)
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
