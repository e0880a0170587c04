"""The limits of a run hold for all its workers together."""

from __future__ import annotations

import pytest

from tests.cloud.specs import Weather
from tests.cluster.company import Company
from tests.cluster.dask_cluster import DaskCluster


def test_concurrency_is_divided_among_the_workers(company: Company, cluster: DaskCluster) -> None:
    company.slow(20)
    company.plan()
    company.cloud.reset_counts()
    run = company.terminal.run(*company.copy_words("--scheduler", cluster.address, "--concurrency", "8"))
    company.adds_up(run.summary)
    counts = company.cloud.counts()
    assert counts.s3.most_in_flight <= 8 + 1, "the coordinator may ask once while all workers are busy"
    assert counts.azure.most_in_flight <= 8 + 1
    assert counts.s3.most_in_flight > 4, "both work at the same time"
    samples = [line for line in run.lines if line["type"] == "sample"]
    assert max(sample["concurrency"] for sample in samples) == 8


def test_bandwidth_is_divided_among_the_workers(company: Company, cluster: DaskCluster) -> None:
    company.plan()
    size = sum(one.size for one in company.cloud.objects("src"))
    rate = size // 4
    run = company.terminal.run(*company.copy_words("--scheduler", cluster.address, "--bandwidth", str(rate)))
    summary = company.adds_up(run.summary)
    samples = [line for line in run.lines if line["type"] == "sample"]
    parts = [[one["bandwidth"] or 0 for one in sample["workers"]] for sample in samples]
    assert any(len(told) == 2 and sum(told) == pytest.approx(rate, rel=0.01) for told in parts), parts
    assert summary["seconds"] > 0.6 * 4, "two workers at the whole rate would need half of the time"
    assert summary["outcomes"]["copied"] == company.planned


@pytest.mark.heavy
def test_refusals_heard_by_one_are_heeded_by_all(company: Company, cluster: DaskCluster) -> None:
    company.plan()
    company.cloud.weather("azure", Weather(limit=80))
    run = company.terminal.run(*company.copy_words("--scheduler", cluster.address, "--concurrency", "32"))
    summary = company.adds_up(run.summary)
    assert summary["outcomes"]["copied"] == company.planned
    samples = [line for line in run.lines if line["type"] == "sample"]
    assert any("for all workers" in sample["state"] for sample in samples), [one["state"] for one in samples]
    company.all_is_there()
