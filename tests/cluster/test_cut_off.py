"""A worker on a machine of its own is cut off from everything in the middle of a run, and comes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.forks import Forks
from tests.cloud.control import ACCOUNT, Cloud
from tests.cluster.company import SPREAD, Company
from tests.cluster.dask_cluster import IMPATIENT, DaskCluster
from tests.cluster.networks import HERE, Network, allowed
from tests.crash.company import LARGE

pytestmark = pytest.mark.skipif(not allowed(), reason="only root may make network namespaces")


@pytest.fixture
def network() -> Iterator[Network]:
    with Network() as made:
        yield made


@pytest.fixture
def wide_cloud(network: Network) -> Iterator[Cloud]:
    """A cloud that the other machines can reach."""
    cloud = Cloud.start(host="0.0.0.0")
    cloud.s3_url = f"http://{HERE}:{cloud.s3_port}"
    cloud.azure_url = f"http://{HERE}:{cloud.azure_port}/{ACCOUNT}"
    try:
        yield cloud
    finally:
        cloud.stop()


def test_a_machine_that_is_cut_off_and_healed_costs_nothing_but_time(
    wide_cloud: Cloud, network: Network, tmp_path: Path, forks: Forks
) -> None:
    company = Company.found(wide_cloud, tmp_path, specs=(*LARGE, *SPREAD), forks=forks)
    cluster = DaskCluster(tmp_path / "cluster", company.terminal.environment, host=HERE, patience=IMPATIENT)
    try:
        cluster.start(0)
        numbers = []
        for _ in range(2):
            number, address, launcher = network.machine()
            cluster.add(host=address, launcher=launcher)
            numbers.append(number)
        company.slow(120)
        company.plan()
        process = company.start("--scheduler", cluster.address)
        process.until(lambda: company.written() > company.planned // 4, "a quarter is written")
        network.pull(numbers[0])
        process.until(lambda: "lost: tcp://10.77.0.11" in process.written(), "the scheduler has given it up")
        network.put_back(numbers[0])
        company.slow(0)
        summary = company.adds_up(process.ended(0).summary)
        assert company.settled() == company.planned
    finally:
        cluster.stop()
    assert summary["outcomes"]["pending"] == 0
    company.all_is_there()
