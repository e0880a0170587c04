"""Find the report that `--inventory` names: a manifest, the newest complete one of a prefix, or a local folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from anyio import to_thread

from blobmove.core.errors import RefusedError, UsageError
from blobmove.core.frozen import frozen
from blobmove.stores.inventory.faults import incomplete
from blobmove.stores.inventory.manifest import Manifest, read_manifest

if TYPE_CHECKING:
    from blobmove.stores.inventory.report_files import ReportFiles

MANIFEST: Final = "manifest.json"
CHECKSUM: Final = "manifest.checksum"

_DATED: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\dZ")
_HINT: Final = "name a manifest.json, s3://DESTINATION/PREFIX/SOURCE/CONFIG-ID/, or a local folder with a copy of it"
_SEARCH_DEPTH: Final = 6
"""How far below a local folder the dated folders may lie: a copied bucket has PREFIX/.../SOURCE/CONFIG-ID/."""


@frozen
class Location:
    """What `--inventory` named. `bucket` is None for a local report, whose keys are then paths below `root`.

    `key` is the key of a manifest, or a prefix ("" or ending in `/`) to look below.
    """

    text: str
    bucket: str | None
    root: Path | None
    key: str


@frozen
class Report:
    """The report to be read, and what the operator should know about how it was chosen."""

    manifest: Manifest
    notes: tuple[str, ...] = ()


def locate(text: str) -> Location:
    """Understand `s3://DEST/.../manifest.json`, `s3://DEST/PREFIX/SRC/CONFIG-ID/`, a local folder or manifest.json.

    Slashes are kept as typed: with a destination prefix ending in `/` there are two in a row (s3.md section 1.3).
    Raises UsageError: E400-INVENTORY for another form, E404-INVENTORY for a local path that is not there.
    """
    scheme, separator, rest = text.partition("://")
    if not separator:
        return _locate_here(text)
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise _not_a_report(text)
    if key and not key.endswith(("/", ".json")):
        key += "/"
    return Location(text, bucket, None, key)


async def find_report(files: ReportFiles, location: Location, source_bucket: str, workdir: Path) -> Report:
    """The report at `location`, proven complete and by its checksum, and of `source_bucket`.

    Of several dated reports the newest complete one is taken, and `notes` name those passed over. `workdir` must
    exist; nothing is left in it. Raises UsageError E404-INVENTORY (no report) and E400-INVENTORY (several
    inventories), RefusedError E409-INVENTORY-INCOMPLETE, E422-MANIFEST and E409-INVENTORY-BUCKET.
    """
    report = await _find(files, location, source_bucket, workdir)
    if report.manifest.source_bucket != source_bucket:
        raise RefusedError(
            "E409-INVENTORY-BUCKET",
            f"the inventory lists the bucket {report.manifest.source_bucket}, the plan is for {source_bucket}",
            cause=f"sourceBucket of {report.manifest.key}",
            hint=f"--source s3://{report.manifest.source_bucket}, or the inventory of {source_bucket}",
        )
    return report


async def _find(files: ReportFiles, location: Location, source_bucket: str, workdir: Path) -> Report:
    if location.key.endswith(".json"):
        return await _named(files, location.key, workdir, location)
    if _DATED.fullmatch(_last(location.key)):
        return await _named(files, location.key + MANIFEST, workdir, location)
    found = await _dated_folders(files, location.key, _SEARCH_DEPTH if location.root else 0)
    return await _newest(files, _one_inventory(found, source_bucket, location), workdir)


async def _dated_folders(files: ReportFiles, prefix: str, depth: int) -> dict[str, list[str]]:
    """Prefix of an inventory → its dated folders, for every inventory at `prefix` or at most `depth` below it."""
    folders = await files.list_folders(prefix)
    dated = [folder for folder in folders if _DATED.fullmatch(_last(folder))]
    if dated:
        return {prefix: dated}
    found: dict[str, list[str]] = {}
    if depth:
        for folder in folders:
            found |= await _dated_folders(files, folder, depth - 1)
    return found


def _one_inventory(found: dict[str, list[str]], source_bucket: str, location: Location) -> list[str]:
    """The dated folders of the one inventory meant; where there are several, of the one of the planned bucket."""
    if not found:
        raise UsageError(
            "E404-INVENTORY",
            f"no inventory report at {location.text}",
            cause="no folder named YYYY-MM-DDTHH-MMZ there",
            hint=f"{_HINT}; the first report can take 48 hours, plan --list does not wait for it",
        )
    ours = [prefix for prefix in found if _last(prefix.rstrip("/").rpartition("/")[0]) == source_bucket]
    candidates = ours or list(found)
    if len(candidates) > 1:
        raise UsageError(
            "E400-INVENTORY",
            f"several inventories at {location.text}",
            cause=", ".join(sorted(candidates)),
            hint=f"--inventory {location.text.rstrip('/')}/{min(candidates)}",
        )
    return found[candidates[0]]


async def _newest(files: ReportFiles, dated: list[str], workdir: Path) -> Report:
    notes: list[str] = []
    for folder in sorted(dated, reverse=True):
        content, checksum = await _load(files, folder + MANIFEST, workdir)
        if content is not None and checksum is not None:
            return Report(read_manifest(content, checksum, folder + MANIFEST), tuple(notes))
        notes.append(f"the inventory report {_last(folder)} is not complete yet: an older one is used")
    raise incomplete(max(dated))


async def _named(files: ReportFiles, key: str, workdir: Path, location: Location) -> Report:
    content, checksum = await _load(files, key, workdir)
    if content is None:
        raise UsageError(
            "E404-INVENTORY", f"no inventory report at {location.text}", cause=f"no {key} there", hint=_HINT
        )
    if checksum is None:
        raise incomplete(key)
    return Report(read_manifest(content, checksum, key))


async def _load(files: ReportFiles, key: str, workdir: Path) -> tuple[bytes | None, bytes | None]:
    """manifest.json and its checksum. The checksum comes first: S3 writes it last, so the other is whole then."""
    checksum = await _content(files, f"{key.removesuffix(_last(key))}{CHECKSUM}", workdir / CHECKSUM)
    return await _content(files, key, workdir / MANIFEST), checksum


async def _content(files: ReportFiles, key: str, path: Path) -> bytes | None:
    try:
        await files.fetch(key, path)
        return await to_thread.run_sync(path.read_bytes)
    except FileNotFoundError:
        return None
    finally:
        path.unlink(missing_ok=True)


def _locate_here(text: str) -> Location:
    path = Path(text).expanduser().absolute()
    if path.is_dir() and (path / MANIFEST).is_file():
        path = path / MANIFEST
    if path.is_dir():
        return Location(text, None, path, "")
    if not path.exists():
        raise UsageError(
            "E404-INVENTORY",
            f"no inventory at {text}",
            cause="no such file or folder",
            hint=_HINT,
        )
    if path.suffix != ".json":
        raise _not_a_report(text)
    return Location(text, None, path.parent.parent, f"{path.parent.name}/{path.name}")


def _not_a_report(text: str) -> UsageError:
    return UsageError(
        "E400-INVENTORY",
        f"{text} is not an inventory report",
        hint=_HINT,
    )


def _last(prefix: str) -> str:
    return prefix.rstrip("/").rpartition("/")[2]
