"""One large object, many workers: its blocks are staged by all of them, its proof composed where it is committed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.acceptance.forks import Forks
from tests.cloud.control import Cloud
from tests.cloud.specs import ObjectSpec, Rule
from tests.cluster.company import CONTAINER, Company
from tests.cluster.dask_cluster import DaskCluster
from tests.crash.company import BLOCK

Start = Callable[..., DaskCluster]
BLOCKS: Final = 200
GIANT: Final = ObjectSpec(key="warehouse.tif", size=BLOCKS * BLOCK - 5, recipe="seeded:giant", checksum="CRC64NVME")


@pytest.fixture
def company(cloud: Cloud, tmp_path: Path, forks: Forks) -> Company:
    """A company that owns one giant."""
    return Company.found(cloud, tmp_path, small=0, specs=[GIANT], forks=forks)


def test_every_worker_stages_blocks_and_none_twice(company: Company, cluster: DaskCluster) -> None:
    company.slow(60)
    company.plan()
    run = company.terminal.run(*company.copy_words("--scheduler", cluster.address))
    samples = [line for line in run.lines if line["type"] == "sample"]
    busy = {worker["name"] for sample in samples for worker in sample["workers"] if worker["bytes_per_second"]}
    assert len(busy) == 2, samples
    summary = company.adds_up(run.summary)
    assert summary["proofs"] == {"crc64nvme": 1}
    assert company.cloud.counts().azure.answers["PutBlock"] == {"201": BLOCKS}
    assert summary["requests"]["azure"]["PutBlock"] == BLOCKS
    assert summary["bytes"]["written"] == GIANT.size
    company.all_is_there()


def test_a_wrong_byte_in_one_block_is_found_by_the_composed_proof(company: Company, cluster: DaskCluster) -> None:
    company.plan()
    company.cloud.rule(Rule(side="s3", do="flip", operation="GetObject", key=GIANT.key, nth=(50,)))
    assert company.copy("--scheduler", cluster.address)["outcomes"]["copied"] == 1
    company.all_is_there()


@pytest.mark.heavy  # test_parts.py has the harder case
def test_a_killed_worker_s_ranges_are_staged_by_the_others(company: Company, start: Start) -> None:
    cluster = start(2)
    company.slow(60)
    company.plan()
    process = company.start("--scheduler", cluster.address)
    process.until(lambda: staged(company) > BLOCKS // 4, "a quarter is staged")
    cluster.workers[0].kill()
    company.adds_up(process.ended(0).summary)
    company.all_is_there()


def test_a_resumed_run_stages_only_what_is_missing(company: Company, cluster: DaskCluster) -> None:
    company.slow(60)
    company.plan()
    process = company.start("--scheduler", cluster.address)
    process.until(lambda: staged(company) > BLOCKS // 2, "half of it is staged")
    process.killed()
    company.slow(0)
    summary = company.copy("--scheduler", cluster.address)
    assert summary["outcomes"]["copied"] == 1
    assert summary["requests"]["azure"]["PutBlock"] <= BLOCKS // 2
    company.all_is_there()


def staged(company: Company) -> int:
    """Uncommitted blocks under the giant's name."""
    blob = company.cloud.blob(CONTAINER, GIANT.key)
    return len(blob.staged) if blob is not None else 0
