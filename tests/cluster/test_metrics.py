"""`copy --scheduler --metrics-addr`: the figures of the workers add up to those of the run."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.acceptance.forks import Forks
from tests.cloud.control import Cloud
from tests.cloud.specs import Rule
from tests.cluster.company import Company
from tests.cluster.dask_cluster import DaskCluster
from tests.scrapes import at_rest, until_copied, url_of


def test_what_each_worker_has_done_adds_up_to_what_the_run_has_done(
    cloud: Cloud, tmp_path: Path, forks: Forks, cluster: DaskCluster
) -> None:
    company = Company.found(cloud, tmp_path, specs=(), forks=forks)
    company.plan()
    company.slow(20)
    cloud.rule(Rule(side="s3", do="answer", operation="GetObject", status=503, code="SlowDown", count=4))
    pause = company.terminal.folder / "pause"
    process = company.start("--scheduler", cluster.address, "--metrics-addr", "127.0.0.1:0", "--throttle-file", "pause")
    url = url_of(process)
    until_copied(process, url)
    pause.touch()
    told = at_rest(process, url)
    process.signal(signal.SIGINT)
    summary = company.adds_up(process.ended(130).summary)

    objects = told.by("worker", "blobmove_worker_objects_total")
    assert len(objects) == told("blobmove_workers") == 2
    assert sum(objects.values()) == told("blobmove_objects_total", outcome="copied") == summary["outcomes"]["copied"]
    for direction in ("read", "written", "pulled"):
        parts = told.by("worker", "blobmove_worker_bytes_total", direction=direction)
        assert parts.keys() == objects.keys()
        assert sum(parts.values()) == told("blobmove_bytes_total", direction=direction) == summary["bytes"][direction]
    retries = sum(told.by("worker", "blobmove_worker_retries_total").values())
    assert retries == told("blobmove_retries_total", side="s3", code="SlowDown") == summary["retries"] == 4
    limits = told.by("worker", "blobmove_worker_concurrency_limit")
    assert sum(limits.values()) == told("blobmove_concurrency_limit") > 0
    assert sum(told.by("worker", "blobmove_worker_in_flight").values()) == told("blobmove_in_flight") == 0
    company.terminal.assert_no_secrets(told.text)
