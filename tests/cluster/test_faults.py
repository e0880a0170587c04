"""Parts of a cluster die, stop and come back: the run goes on or ends with the line to resume, and nothing is wrong."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.acceptance.forks import Forks
from tests.campaigns import Teller
from tests.cloud.control import Cloud
from tests.cluster.company import SPREAD, Company
from tests.cluster.dask_cluster import IMPATIENT, DaskCluster
from tests.cluster.victims import Round, local_workers
from tests.crash.company import LARGE

Start = Callable[..., DaskCluster]

SLOW = 120
"""Milliseconds of latency until a fault: what is left then takes seconds, also of a test that stands still a while."""


@pytest.mark.heavy  # the rounds at random moments kill workers, too
def test_a_killed_worker_s_batches_go_to_the_others(company: Company, start: Start) -> None:
    cluster = start(2)
    company.slow(SLOW)
    company.plan()
    process = company.start("--scheduler", cluster.address)
    process.until(lambda: company.written() > company.planned // 4, "a quarter is written")
    cluster.workers[0].kill()
    company.slow(0)
    run = process.ended(0)
    company.adds_up(run.summary)
    company.all_is_there()
    assert "lost: tcp://" in run.err


@pytest.mark.heavy
def test_a_worker_that_is_told_to_go_leaves_its_batches_to_the_others(company: Company, start: Start) -> None:
    """As a pod is, of a deployment that is made smaller, or of a node that is taken away."""
    cluster = start(2)
    company.slow(SLOW)
    company.plan()
    process = company.start("--scheduler", cluster.address)
    process.until(lambda: company.written() > company.planned // 4, "a quarter is written")
    cluster.workers[0].send_signal(signal.SIGTERM)
    company.slow(0)
    run = process.ended(0)
    company.adds_up(run.summary)
    company.all_is_there()
    assert "lost: tcp://" in run.err


@pytest.mark.heavy
def test_a_local_worker_that_is_killed_is_started_again(company: Company) -> None:
    company.slow(SLOW)
    company.plan()
    process = company.start("--workers", "2")
    process.until(lambda: company.written() > company.planned // 4, "a quarter is written")
    os.kill(local_workers(process.handle.pid)[0], signal.SIGKILL)
    company.slow(0)
    run = process.ended(0)
    company.adds_up(run.summary)
    company.all_is_there()
    assert "has ended (signal 9); another one is started" in run.err


def test_local_workers_do_not_outlive_a_killed_coordinator(company: Company) -> None:
    company.slow(SLOW)
    company.plan()
    process = company.start("--workers", "2")
    process.until(lambda: company.written() > company.planned // 4, "a quarter is written")
    workers = local_workers(process.handle.pid)
    assert len(workers) == 2
    process.killed()
    company.slow(0)
    for worker in workers:
        wait_for_end(worker)
    assert company.copy("--workers", "2")["outcomes"]["pending"] == 0
    company.all_is_there()


def test_when_the_scheduler_dies_the_run_ends_with_the_line_to_resume(company: Company, start: Start) -> None:
    cluster = start(2)
    company.slow(SLOW)
    company.plan()
    process = company.start("--scheduler", cluster.address)
    process.until(lambda: company.written() > company.planned // 4, "a quarter is written")
    assert cluster.scheduler is not None
    cluster.scheduler.kill()
    company.slow(0)
    run = process.ended(2)
    assert "E000-SCHEDULER" in run.err
    assert f"blobmove copy --resume --scheduler {cluster.address}" in run.err
    assert company.adds_up(run.summary)["next"] == "blobmove copy --resume"
    cluster.stop()
    again = start(2)
    assert company.copy("--scheduler", again.address)["outcomes"]["pending"] == 0
    company.all_is_there()


@pytest.mark.heavy
def test_a_killed_coordinator_s_run_is_resumed_on_the_same_cluster(company: Company, start: Start) -> None:
    cluster = start(2)
    company.slow(SLOW)
    company.plan()
    process = company.start("--scheduler", cluster.address)
    process.until(lambda: company.written() > company.planned // 4, "a quarter is written")
    process.killed()
    company.slow(0)
    assert company.copy("--scheduler", cluster.address)["outcomes"]["pending"] == 0
    company.all_is_there()


def test_a_worker_that_comes_back_after_its_batch_was_given_away_does_no_harm(company: Company, start: Start) -> None:
    cluster = start(2, patience=IMPATIENT)
    company.slow(SLOW)
    company.plan()
    process = company.start("--scheduler", cluster.address)
    process.until(lambda: company.written() > company.planned // 4, "a quarter is written")
    late = cluster.workers[0]
    late.send_signal(signal.SIGSTOP)
    process.until(lambda: f"lost: {cluster.address_of(late)}" in process.written(), "its batches are given away")
    late.send_signal(signal.SIGCONT)
    company.slow(0)
    cluster.tend(process.handle)
    company.adds_up(process.ended(0).summary)
    company.all_is_there()


def test_the_first_signal_drains_all_workers(company: Company, start: Start) -> None:
    cluster = start(2)
    company.slow(SLOW)
    company.plan()
    process = company.start("--scheduler", cluster.address)
    process.until(lambda: company.written() > company.planned // 4, "a quarter is written")
    process.signal(signal.SIGTERM)
    run = process.ended(143)
    company.slow(0)
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
    seed: int, cloud: Cloud, tmp_path: Path, forks: Forks, tell: Teller
) -> None:
    chance = Random(seed)
    company = Company.found(cloud, tmp_path, specs=(*LARGE, *SPREAD), seed=seed, forks=forks)
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


@pytest.mark.parametrize(("number", "code"), [
    (signal.SIGTERM, 143), pytest.param(signal.SIGINT, 130, marks=pytest.mark.heavy),
])
def test_a_signal_while_nobody_has_joined_yet_ends_the_wait_with_the_line_for_later(
    number: signal.Signals, code: int, company: Company, start: Start
) -> None:
    cluster = start(0)
    company.plan()
    process = company.start("--scheduler", cluster.address)
    process.until(lambda: "Receive client connection" in cluster.logs(), "it waits for workers")
    process.signal(number)
    run = process.ended(code)
    assert f"E{code}-" in run.err
    assert f"blobmove copy --resume --scheduler {cluster.address}" in run.err
    cluster.add()
    assert company.copy("--scheduler", cluster.address)["outcomes"]["copied"] == company.planned


def test_a_signal_while_local_workers_start_leaves_none_behind(company: Company) -> None:
    company.plan()
    process = company.start("--workers", "2")
    found: list[int] = []

    def started() -> bool:
        found[:] = local_workers(process.handle.pid)
        return len(found) == 2

    process.until(started, "its workers start")
    process.signal(signal.SIGTERM)
    run = process.ended(143)
    assert "blobmove copy --resume --workers 2" in run.err
    for worker in found:
        wait_for_end(worker)
