"""A company with more files than one batch holds, and what must be true of its copy whatever happens to it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.acceptance.commands import Process, Run, Terminal, clean_environment
from tests.acceptance.forks import Forks
from tests.cloud.control import Cloud
from tests.cloud.specs import ObjectSpec, SeriesSpec, Weather
from tests.crash.company import BLOCK, LARGE, MOVING

BUCKET: Final = "src"
CONTAINER: Final = "dst"
SMALL: Final = 400
SPREAD: Final = (
    ObjectSpec(key="giant/one-part", size=30 * BLOCK + 1, recipe="seeded:giant-1", checksum="CRC64NVME"),
    ObjectSpec(key="giant/in parts", parts=(1_500_001, 70_001, 2_700_000), recipe="seeded:giant-2"),
)
"""Objects of so many blocks that all workers stage them together."""


def environment_of(cloud: Cloud, home: Path) -> dict[str, str]:
    """What the tool, here or on a worker, needs to find this cloud and its credentials."""
    environment = clean_environment(home, cloud.s3_url, cloud.azure_url)
    del environment["AZURE_STORAGE_CONNECTION_STRING"]
    here = {"PYTHONPATH": os.environ["PYTHONPATH"]} if "PYTHONPATH" in os.environ else {}
    return environment | cloud.environment() | here


@dataclass(slots=True)
class Company:
    """One bucket into one container. `planned` objects, all of which can be copied."""

    cloud: Cloud
    terminal: Terminal
    planned: int

    @classmethod
    def found(
        cls, cloud: Cloud, folder: Path, *, small: int = SMALL, specs: Sequence[ObjectSpec] = LARGE, seed: int = 0,
        forks: Forks | None = None,
    ) -> Company:
        desk = folder / "desk"
        desk.mkdir()
        cloud.reset()
        cloud.bucket(BUCKET)
        cloud.container(CONTAINER)
        environment = environment_of(cloud, desk)
        if small:
            cloud.put_series(BUCKET, SeriesSpec(pattern="small/{n:05d}", count=small, smallest=0, largest=2 * BLOCK,
                                                seed=seed, recipe="seeded"))
        if specs:
            cloud.put(BUCKET, *specs)
        secrets = [environment["AWS_SECRET_ACCESS_KEY"], environment["AZURE_STORAGE_SAS_TOKEN"].rpartition("sig=")[2]]
        return cls(cloud, Terminal(desk, environment, forks, secrets), small + len(specs))

    def slow(self, milliseconds: float) -> None:
        """Both sides answer after so long."""
        for side in ("s3", "azure"):
            self.cloud.weather(side, Weather(latency_ms=milliseconds, jitter_ms=milliseconds / 2))

    @property
    def checkpoint(self) -> Path:
        return self.terminal.folder / "blobmove.db"

    def plan(self) -> Run:
        destination = self.cloud.destination(CONTAINER)
        return self.terminal.run("plan", "--source", f"s3://{BUCKET}", "--destination", destination, "--list", "--json")

    def copy_words(self, *words: str) -> tuple[str, ...]:
        return ("copy", "--resume", "--json", "--log-file", "copy.log", *MOVING, *words)

    def copy(self, *words: str, expect: int | None = 0) -> dict[str, Any]:
        """`copy --resume`; its summary, whose outcomes add up to the plan."""
        run = self.terminal.run(*self.copy_words(*words), expect=expect)
        return self.adds_up(run.summary)

    def start(self, *words: str) -> Process:
        return self.terminal.start(*self.copy_words(*words))

    def adds_up(self, summary: dict[str, Any]) -> dict[str, Any]:
        assert summary["planned"] == sum(summary["outcomes"].values()) == self.planned, summary
        return summary

    def settled(self) -> int:
        """Objects that are no longer pending, as `status` says."""
        told = self.adds_up(self.terminal.run("status", "--json").document)
        return self.planned - int(told["outcomes"]["pending"])

    def written(self) -> int:
        """Blobs that Azure has confirmed."""
        answers = self.cloud.counts().azure.answers
        return sum(answers.get(name, {}).get("201", 0) for name in ("PutBlob", "PutBlockList"))

    def nothing_is_wrong(self) -> None:
        """What is on Azure is what S3 holds, and was written once."""
        compared = self.cloud.compare(BUCKET, CONTAINER)
        assert (compared.different, compared.wrong_md5, compared.extra) == ([], [], [])
        twice = [name for name, blob in self.cloud.blobs(CONTAINER).items() if blob.writes > 1]
        assert twice == []

    def all_is_there(self) -> None:
        """Every object byte for byte, and `verify` says so, too."""
        self.nothing_is_wrong()
        assert self.cloud.compare(BUCKET, CONTAINER).identical == self.planned
        assert self.terminal.run("verify", "--json").document["identical"] == self.planned
