"""A large object killed at about 60 %: the next run sends the missing blocks and those that were in flight, no more."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

import pytest

from tests.acceptance.forks import Forks
from tests.cloud.control import Cloud
from tests.cloud.facts import StoredBlob
from tests.cloud.specs import ObjectSpec, Rule
from tests.crash.company import BUCKET, CONTAINER, Company

MIB: Final = 1 << 20
KEY: Final = "warehouse.tif"
SHARE: Final = 0.6


@dataclass(frozen=True, slots=True)
class Giant:
    """One large object and how it is cut. `reads_again`: its digest needs every byte in order."""

    size: int
    block: int
    proof: str
    reads_again: bool = True

    def __str__(self) -> str:
        return f"{self.size // MIB}MiB {self.proof}"

    @property
    def spec(self) -> ObjectSpec:
        if self.proof == "crc64nvme":
            return ObjectSpec(key=KEY, size=self.size, checksum="CRC64NVME")
        if self.proof == "multipart-etag":
            return ObjectSpec(key=KEY, parts=(self.block * 3,) * (self.size // (self.block * 3)) + (5,))
        return ObjectSpec(key=KEY, size=self.size, encryption="aws:kms" if self.proof == "read-back" else None)

    @property
    def words(self) -> tuple[str, ...]:
        return ("--block-size", str(self.block), "--whole-object-limit", str(self.block))


MEDIUM: Final = [
    Giant(64 * MIB + 5, MIB, "crc64nvme", reads_again=False),
    Giant(64 * MIB + 5, MIB, "etag-md5"),
    Giant(63 * MIB + 5, MIB, "multipart-etag"),
    Giant(64 * MIB + 5, MIB, "read-back"),
]
HEAVY: Final = [
    Giant(1024 * MIB, 8 * MIB, "crc64nvme", reads_again=False),
    Giant(1024 * MIB, 8 * MIB, "etag-md5"),
    Giant(1008 * MIB + 5, 8 * MIB, "multipart-etag"),
]
GIANTS: Final = [(MEDIUM[0], False), (MEDIUM[0], True), (MEDIUM[1], True), (MEDIUM[2], False), (MEDIUM[3], True)]
ALL: Final = [
    *(pytest.param(giant, lost, id=f"{giant}{', checkpoint lost' * lost}") for giant, lost in GIANTS),
    *(pytest.param(giant, lost, id=f"{giant}{', checkpoint lost' * lost}", marks=pytest.mark.heavy)
      for giant in HEAVY for lost in (False, True)),
]


@pytest.mark.parametrize(("giant", "lost"), ALL)
def test_only_the_missing_blocks_are_sent_after_a_crash(
    cloud: Cloud, forks: Forks, tmp_path: Path, giant: Giant, lost: bool
) -> None:
    company = Company.found(cloud, tmp_path, forks, Random(1), specs=[giant.spec])
    company.plan()
    held = crashed_at_a_share(company, giant)
    if lost:
        for path in company.terminal.folder.iterdir():
            path.unlink()
        company.plan()
    cloud.reset_counts()

    run = company.terminal.run("copy", "--resume", "--json", *giant.words)

    assert run.summary["outcomes"]["copied"] == 1
    assert run.summary["proofs"] == {giant.proof: 1}
    blob = the_blob(cloud)
    missing = len(blob.blocks) - held
    answers = cloud.counts().azure.answers
    assert answers["PutBlock"] == {"201": missing}, f"{held} of {len(blob.blocks)} blocks were there"
    assert answers["PutBlockList"] == {"201": 1}
    read = sum(cloud.counts().s3.answers["GetObject"].values())
    assert read >= len(blob.blocks) if giant.reads_again else read == missing
    compared = cloud.compare(BUCKET, CONTAINER)
    assert (compared.identical, compared.wrong_md5) == (1, [])
    assert blob.writes == 1


def crashed_at_a_share(company: Company, giant: Giant) -> int:
    """Copy until Azure holds 60 % of the blocks and answers no further one, then kill -9; how many it holds."""
    blocks = -(-giant.size // giant.block)
    enough = int(blocks * SHARE)
    hang = company.cloud.rule(Rule(
        side="azure", do="hang", operation="PutBlock", seconds=60, nth=tuple(range(enough + 1, 4 * blocks)),
    ))
    process = company.terminal.start("copy", "--resume", "--json", *giant.words)
    process.until(lambda: waiting(company.cloud, hang) > 0 and len(the_blob(company.cloud).staged) == enough,
                  f"{enough} of {blocks} blocks at Azure")
    process.killed()
    company.until_quiet()
    company.cloud.drop_rule(hang)
    return len(the_blob(company.cloud).staged)


def waiting(cloud: Cloud, rule: int) -> int:
    return cloud.fired(rule).fired


def the_blob(cloud: Cloud) -> StoredBlob:
    return cloud.blob(CONTAINER, KEY) or StoredBlob(KEY, 0, "", None, "", committed=False)
