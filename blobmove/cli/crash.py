"""The crash file: what the authors need to find a bug, without anything an operator must keep to himself."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import traceback
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from blobmove.cli.failures import known_secrets
from blobmove.core.secrets import redact

if TYPE_CHECKING:
    from blobmove.cli.invocation import Invocation

_PACKAGES: Final = (
    "blobmove", "aiobotocore", "botocore", "azure-storage-blob", "azure-identity", "certifi", "awscrt", "anyio",
    "uvloop", "sqlalchemy", "pymysql", "pyarrow", "click", "tqdm",
)
_PREFIXES: Final = ("BLOBMOVE_", "AWS_", "AZURE_")


def write_crash_file(error: BaseException, invocation: Invocation) -> Path | None:
    """Write `blobmove-crash-<time>.txt` here, or in the temporary folder; None where neither is possible."""
    now = datetime.now(UTC)
    text = redact(crash_text(error, invocation, now), known_secrets())
    name = f"blobmove-crash-{now:%Y%m%dT%H%M%S}-{os.getpid()}.txt"
    for folder in (Path.cwd(), Path(tempfile.gettempdir())):
        try:
            path = folder / name
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                file.write(text)
        except OSError:
            continue
        return path
    return None


def crash_text(error: BaseException, invocation: Invocation, now: datetime) -> str:
    """The content: versions, words, settings, names (never values) of variables, traceback."""
    lines = [f"blobmove crash report of {now:%Y-%m-%dT%H:%M:%SZ}", ""]
    lines += [f"python {sys.version.split()[0]} on {platform.platform()}"]
    lines += [f"{package} {_version(package)}" for package in _PACKAGES]
    lines += ["", "command: blobmove " + " ".join(invocation.words), "settings:"]
    lines += [f"  {name} = {value}" for name, value in invocation.settings.items()]
    lines += ["variables set (values are not recorded):"]
    lines += [f"  {name}" for name in sorted(os.environ) if name.startswith(_PREFIXES) or name == "DATABASE_URL"]
    lines += ["", *traceback.format_exception(error)]
    return "\n".join(lines)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
