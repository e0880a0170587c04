"""The errors of this door: each names the file, what is wrong with it, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from blobmove.core.errors import RefusedError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

NEXT_REPORT: Final = (
    "S3 writes a new report every day or week: name an older one (.../YYYY-MM-DDTHH-MMZ/manifest.json), "
    "or wait for the next"
)


def bad_manifest(where: str, cause: str) -> RefusedError:
    """The manifest cannot be believed: wrong checksum, not JSON, a field missing or of the wrong kind."""
    message = f"the inventory's manifest {where} cannot be used"
    return RefusedError("E422-MANIFEST", message, cause=cause, hint=NEXT_REPORT)


def bad_data_file(name: str, cause: str) -> RefusedError:
    """A data file is not what the manifest promises, or cannot be read."""
    return RefusedError(
        "E422-INVENTORY-FILE",
        f"the inventory's data file {name} is damaged",
        cause=cause,
        hint=f"nothing was planned; fetch the file again if this is a copy of the report. {NEXT_REPORT}",
    )


def no_data_file(name: str, tried: list[str]) -> RefusedError:
    """A data file that the manifest names is nowhere."""
    return RefusedError(
        "E404-INVENTORY-FILE",
        f"the inventory's data file {name} is missing",
        cause=f"looked for {' and '.join(tried)}",
        hint="nothing was planned; a copied report needs its data/ folder beside the dated folder "
        "(aws s3 sync s3://DESTINATION/PREFIX/SOURCE/CONFIG-ID/ FOLDER)",
    )


def no_room(name: str, size: int, folder: Path) -> UsageError:
    """The disk that data files pass through is full; they are fetched one at a time."""
    return UsageError(
        "E507-INVENTORY-FILE",
        f"no room for the inventory's data file {name}",
        cause=f"{size:,} bytes do not fit into {folder}",
        hint="make room there, or put the checkpoint on a larger disk: data files pass through its folder",
    )


def incomplete(where: str) -> RefusedError:
    """No manifest.checksum: S3 writes it last, so the report is still being delivered or was copied in part."""
    return RefusedError(
        "E409-INVENTORY-INCOMPLETE",
        f"the inventory report {where} is not complete",
        cause="manifest.checksum, which S3 writes last, is not there",
        hint="copy manifest.checksum too if this is a copy of the report; else wait until S3 has delivered it",
    )
