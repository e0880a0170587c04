"""An object uploaded in parts, many workers: its MD5s go from one to the next, and prove it before it is committed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import pytest

from tests.acceptance.forks import Forks
from tests.cloud.control import Cloud
from tests.cloud.specs import ObjectSpec, Rule
from tests.cluster.company import CONTAINER, Company
from tests.cluster.dask_cluster import DaskCluster
from tests.crash.company import BLOCK

Start = Callable[..., DaskCluster]
Owner = Callable[..., Company]
KEY: Final = "archive.tar"
EVEN: Final = (10 * BLOCK,) * 15
UNEVEN: Final = (70_001, 3_000_000, 12_345, 5_000_017, 1, 900_000)
MISLEADING: Final = tuple(blocks * BLOCK for blocks in (30, 24, 36, 30))
"""As if all parts but the last were as long as the first: only the ETag tells that they are not."""

FORGETFUL: Final = """
def dask_setup(worker):
    from blobmove.cluster.ranges import Kept

    async def reserve(kept, size):
        return None

    Kept.reserve = reserve
"""


@pytest.fixture
def owner_of(cloud: Cloud, tmp_path: Path, forks: Forks) -> Owner:
    """Founds a company that owns one object of these parts."""
    def owner_of(parts: tuple[int, ...], more: Mapping[str, Any] = MappingProxyType({})) -> Company:
        spec = ObjectSpec(key=KEY, parts=parts, recipe="seeded:parts", **more)
        return Company.found(cloud, tmp_path, small=0, specs=[spec], forks=forks)

    return owner_of


@pytest.fixture
def company(owner_of: Owner) -> Company:
    return owner_of(EVEN)


@pytest.mark.parametrize(("parts", "checksum", "proof"), [
    (EVEN, {}, "multipart-etag"),
    (UNEVEN, {}, "multipart-etag"),
    pytest.param(MISLEADING, {}, "multipart-etag", marks=pytest.mark.heavy),
    pytest.param(UNEVEN, {"checksum": "CRC64NVME"}, "crc64nvme", marks=pytest.mark.heavy),
    pytest.param(UNEVEN, {"encryption": "aws:kms", "checksum": "CRC32C"}, "crc32c", marks=pytest.mark.heavy),
    (UNEVEN, {"encryption": "aws:kms", "checksum": "CRC32C", "checksum_type": "COMPOSITE"}, "composite"),
])
def test_whatever_proves_it_all_workers_stage_it_and_the_blob_has_the_md5_of_the_whole(
    parts: tuple[int, ...], checksum: dict[str, str], proof: str, owner_of: Owner, cluster: DaskCluster
) -> None:
    company = owner_of(parts, checksum)
    company.slow(100)
    company.plan()
    run = company.terminal.run(*company.copy_words("--scheduler", cluster.address))
    summary = company.adds_up(run.summary)
    assert summary["proofs"] == {proof: 1}
    samples = [line for line in run.lines if line["type"] == "sample"]
    shown = [one for sample in samples for one in sample["workers"]]
    assert len({one["name"] for one in shown if one["bytes_per_second"] or one["in_flight"]}) == 2
    assert "one worker alone" not in run.err
    company.all_is_there()


def test_every_byte_is_read_once_and_sent_once(company: Company, cluster: DaskCluster) -> None:
    company.plan()
    summary = company.copy("--scheduler", cluster.address)
    size = sum(EVEN)
    assert summary["bytes"]["read"] == summary["bytes"]["written"] == size
    assert summary["requests"]["azure"]["PutBlock"] == size // BLOCK


def test_a_wrong_byte_in_one_block_is_found_before_the_commit(company: Company, cluster: DaskCluster) -> None:
    company.plan()
    company.cloud.rule(Rule(side="s3", do="flip", operation="GetObject", key=KEY, nth=(40,)))
    summary = company.copy("--scheduler", cluster.address)
    assert summary["outcomes"]["copied"] == 1
    assert summary["bytes"]["read"] == 2 * sum(EVEN), "all is read again, since nobody knows which block it was"
    company.all_is_there()


@pytest.fixture
def forgetful(start: Start, tmp_path: Path) -> DaskCluster:
    """Two workers that never have room for what waits for its turn: each range is read once more in its turn."""
    preload = tmp_path / "forgetful.py"
    preload.write_text(FORGETFUL)
    return start(2, worker_words=("--preload", str(preload)))


@pytest.mark.parametrize("reading", [1, pytest.param(2, marks=pytest.mark.heavy)])
def test_a_wrong_reading_of_two_is_found_by_real_workers_and_all_is_moved_again(
    reading: int, company: Company, forgetful: DaskCluster
) -> None:
    company.plan()
    wrong = Rule(side="s3", do="flip", operation="GetObject", key=KEY, span=f"bytes={70 * BLOCK}-*", nth=(reading,))
    number = company.cloud.rule(wrong)
    summary = company.copy("--scheduler", forgetful.address)
    assert company.cloud.fired(number).fired == 1
    assert summary["proofs"] == {"multipart-etag": 1}
    assert 3 * sum(EVEN) <= summary["bytes"]["read"] <= 4 * sum(EVEN), "twice to the end, and twice until it was found"
    company.all_is_there()


def test_a_killed_worker_s_bytes_are_read_again_by_the_others(company: Company, start: Start) -> None:
    cluster = start(2)
    company.slow(60)
    company.plan()
    process = company.start("--scheduler", cluster.address)
    process.until(lambda: staged(company) > sum(EVEN) // BLOCK // 4, "a quarter is staged")
    cluster.workers[0].kill()
    summary = company.adds_up(process.ended(0).summary)
    assert summary["proofs"] == {"multipart-etag": 1}
    company.all_is_there()


def test_a_resumed_run_reads_all_for_the_md5_and_sends_only_what_is_missing(
    company: Company, cluster: DaskCluster
) -> None:
    company.slow(60)
    company.plan()
    process = company.start("--scheduler", cluster.address)
    process.until(lambda: staged(company) > sum(EVEN) // BLOCK // 2, "half of it is staged")
    process.killed()
    company.slow(0)
    summary = company.copy("--scheduler", cluster.address)
    assert summary["bytes"]["read"] == sum(EVEN)
    assert summary["requests"]["azure"]["PutBlock"] < sum(EVEN) // BLOCK // 2
    company.all_is_there()


@pytest.mark.heavy
def test_a_blob_that_is_there_is_compared_by_a_worker(company: Company, cluster: DaskCluster) -> None:
    company.plan()
    company.copy("--scheduler", cluster.address)
    company.checkpoint.unlink()
    company.plan()
    run = company.terminal.run(*company.copy_words("--scheduler", cluster.address))
    assert company.adds_up(run.summary)["outcomes"]["present"] == 1
    assert "one worker alone: a blob of its size is there" in run.err


@pytest.mark.heavy
@pytest.mark.parametrize(("checksum", "reason"), [
    ({"encryption": "aws:kms", "checksum": "SHA256", "checksum_type": "COMPOSITE"}, "neither an MD5 nor a CRC"),
    ({"encryption": "aws:kms"}, "it is read twice"),
])
def test_what_cannot_be_spread_is_moved_by_one_worker_and_that_is_said(
    checksum: dict[str, str], reason: str, owner_of: Owner, cluster: DaskCluster
) -> None:
    company = owner_of(EVEN, checksum)
    company.plan()
    run = company.terminal.run(*company.copy_words("--scheduler", cluster.address))
    assert company.adds_up(run.summary)["outcomes"]["copied"] == 1
    assert "one worker alone: " in run.err
    assert reason in run.err
    company.all_is_there()


def staged(company: Company) -> int:
    """Uncommitted blocks under the object's name."""
    blob = company.cloud.blob(CONTAINER, KEY)
    return len(blob.staged) if blob is not None else 0
