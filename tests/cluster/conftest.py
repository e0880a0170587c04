"""A bucket, a container, somebody who types, and clusters that end with the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.forks import Forks
from tests.cloud.control import Cloud
from tests.cluster.company import Company, environment_of
from tests.cluster.dask_cluster import DaskCluster


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """The process from which commands are forked; the coordinator's part of Dask is loaded as well."""
    with Forks("distributed", "blobmove.cli.clustering") as found:
        yield found


@pytest.fixture
def company(cloud: Cloud, tmp_path: Path, forks: Forks) -> Company:
    """A company whose files are to be moved by many."""
    return Company.found(cloud, tmp_path, forks=forks)


@pytest.fixture(scope="session")
def cluster(cloud_process: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    """Two workers that live as long as the session, for tests that do them no harm."""
    folder = tmp_path_factory.mktemp("cluster")
    made = DaskCluster(folder, environment_of(cloud_process, folder))
    try:
        yield made.start(2)
    finally:
        made.stop()


@pytest.fixture
def start(company: Company, tmp_path: Path) -> Iterator[Callable[..., DaskCluster]]:
    """Starts a cluster of so many workers, which have the company's credentials in their environment."""
    clusters: list[DaskCluster] = []

    def start(
        workers: int, *, threads: int = 2, security: tuple[str, ...] = (), protocol: str = "tcp",
        scheduler_words: tuple[str, ...] = (), worker_words: tuple[str, ...] = (),
        patience: str = "60s", **more: str,
    ) -> DaskCluster:
        folder = tmp_path / f"cluster-{len(clusters)}"
        cluster = DaskCluster(folder, {**company.terminal.environment, **more}, security, protocol, scheduler_words,
                              worker_words=worker_words, patience=patience)
        clusters.append(cluster)
        return cluster.start(workers, threads=threads)

    yield start
    for cluster in clusters:
        cluster.stop()
