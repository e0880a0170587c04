"""Parts of a cluster die, stop and come back: the run goes on or ends with the line to resume, and nothing is wrong."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.campaigns import Teller
from tests.cloud.control import Cloud
from tests.cluster.company import Company
from tests.cluster.dask_cluster import DaskCluster
from tests.cluster.victims import Round, local_workers

Start = Callable[..., DaskCluster]


def test_a_killed_worker_s_batches_go_to_the_others(company: Company, start: Start) -> None:
    cluster = start(2)
    company.slow(20)
    company.plan()
    process = company.start("--scheduler", cluster.address)
    process.until(lambda: company.written() > company.planned // 4, "a quarter is written")
    cluster.workers[0].kill()
    run = process.ended(0)
    company.adds_up(run.summary)
    company.all_is_there()
    assert "lost: tcp://" in run.err


def test_a_local_worker_that_is_killed_is_started_again(company: Company) -> None:
    company.slow(20)
    company.plan()
    process = company.start("--workers", "2")
    process.until(lambda: company.written() > company.planned // 4, "a quarter is written")
    os.kill(local_workers(process.handle.pid)[0], signal.SIGKILL)
    run = process.ended(0)
    company.adds_up(run.summary)
    company.all_is_there()
    assert "has ended (signal 9); another one is started" in run.err


def test_local_workers_do_not_outlive_a_killed_coordinator(company: Company) -> None:
    company.slow(20)
    company.plan()
    process = company.start("--workers", "2")
    process.until(lambda: company.written() > company.planned // 4, "a quarter is written")
    workers = local_workers(process.handle.pid)
    assert len(workers) == 2
    process.killed()
    for worker in workers:
        wait_for_end(worker)
    assert company.copy("--workers", "2")["outcomes"]["pending"] == 0
    company.all_is_there()


def test_when_the_scheduler_dies_the_run_ends_with_the_line_to_resume(company: Company, start: Start) -> None:
    cluster = start(2)
    company.slow(20)
    company.plan()
    process = company.start("--scheduler", cluster.address)
    process.until(lambda: company.written() > company.planned // 4, "a quarter is written")
    assert cluster.scheduler is not None
    cluster.scheduler.kill()
    run = process.ended(2)
    assert "E000-SCHEDULER" in run.err
    assert f"blobmove copy --resume --scheduler {cluster.address}" in run.err
    assert company.adds_up(run.summary)["next"] == "blobmove copy --resume"
    cluster.stop()
    again = start(2)
    assert company.copy("--scheduler", again.address)["outcomes"]["pending"] == 0
    company.all_is_there()


def test_a_killed_coordinator_s_run_is_resumed_on_the_same_cluster(company: Company, start: Start) -> None:
    cluster = start(2)
    company.slow(20)
    company.plan()
    process = company.start("--scheduler", cluster.address)
    process.until(lambda: company.written() > company.planned // 4, "a quarter is written")
    process.killed()
    assert company.copy("--scheduler", cluster.address)["outcomes"]["pending"] == 0
    company.all_is_there()


def test_a_worker_that_comes_back_after_its_batch_was_given_away_does_no_harm(company: Company, start: Start) -> None:
    cluster = start(2)
    company.slow(20)
    company.plan()
    process = company.start("--scheduler", cluster.address)
    process.until(lambda: company.written() > company.planned // 4, "a quarter is written")
    late = cluster.workers[0]
    late.send_signal(signal.SIGSTOP)
    process.until(lambda: f"lost: {cluster.address_of(late)}" in process.written(), "its batches are given away")
    late.send_signal(signal.SIGCONT)
    company.adds_up(process.ended(0).summary)
    company.all_is_there()


def test_the_first_signal_drains_all_workers(company: Company, start: Start) -> None:
    cluster = start(2)
    company.slow(20)
    company.plan()
    process = company.start("--scheduler", cluster.address)
    process.until(lambda: company.written() > company.planned // 4, "a quarter is written")
    process.signal(signal.SIGTERM)
    run = process.ended(143)
    summary = company.adds_up(run.summary)
    assert 0 < summary["outcomes"]["pending"] < company.planned
    assert company.settled() == company.written(), "what was brought to Azure is recorded"
    assert company.copy("--scheduler", cluster.address)["outcomes"]["pending"] == 0
    company.all_is_there()


@pytest.mark.heavy
def test_the_second_signal_aborts(company: Company, start: Start) -> None:
    cluster = start(2)
    company.slow(3000)
    company.plan()
    process = company.start("--scheduler", cluster.address)
    process.until(lambda: company.cloud.counts().s3.most_in_flight > 4, "objects are under way")
    process.signal(signal.SIGTERM)
    process.until(lambda: "interrupted" in process.written(), "it drains")
    process.signal(signal.SIGTERM)
    company.adds_up(process.ended(143).summary)
    company.slow(0)
    assert company.copy("--scheduler", cluster.address)["outcomes"]["pending"] == 0
    company.all_is_there()


@pytest.mark.timeout(300)
@pytest.mark.rounds("cluster")
def test_whoever_is_killed_at_whatever_moment_nothing_is_lost(
    seed: int, cloud: Cloud, tmp_path: Path, tell: Teller
) -> None:
    chance = Random(seed)
    company = Company.found(cloud, tmp_path, seed=seed)
    company.slow(chance.choice((0, 5, 20)))
    one = Round(company, tmp_path, chance)
    try:
        one.play()
    finally:
        tell(f"cluster --seed {seed}: {' '.join(one.log)}")
        one.stop()


def wait_for_end(pid: int) -> None:
    """Until the process is gone. It is not our child: looked at, not waited for."""
    end = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists() and Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] != "Z":
        assert time.monotonic() < end, f"worker {pid} lives on"
        time.sleep(0.02)
