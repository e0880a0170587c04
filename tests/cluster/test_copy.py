"""`copy` on several workers: the same outcomes as in one process, whoever has done the work."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from blobmove import __version__
from tests.cloud.specs import Rule
from tests.cluster.company import Company
from tests.cluster.dask_cluster import DaskCluster

Start = Callable[..., DaskCluster]

WHOLE = ("env",)
"""A command that is typed as a whole: a fork has loaded everything already."""


def test_two_local_workers_copy_everything_and_leave_no_process_behind(company: Company) -> None:
    company.plan()
    summary = company.copy("--workers", "2")
    assert summary["outcomes"]["copied"] == company.planned
    assert summary["bytes"]["written"] == summary["bytes"]["planned"]
    answers = company.cloud.counts().azure.answers
    assert summary["requests"]["azure"]["PutBlob"] == answers["PutBlob"]["201"]
    company.all_is_there()


def test_a_cluster_by_address_copies_everything_and_is_there_for_the_next_run(
    company: Company, cluster: DaskCluster
) -> None:
    company.plan()
    where = ("--scheduler", cluster.address)
    summary = company.copy(*where)
    assert summary["outcomes"]["copied"] == company.planned
    company.all_is_there()
    assert company.copy(*where)["outcomes"]["copied"] == company.planned
    assert len(cluster.living()) == 2


def test_samples_and_the_notes_tell_of_each_worker(
    company: Company, cluster: DaskCluster
) -> None:
    company.slow(30)
    company.plan()
    run = company.terminal.run(*company.copy_words("--scheduler", cluster.address))
    samples = [line for line in run.lines if line["type"] == "sample"]
    assert {len(sample["workers"]) for sample in samples} == {2}
    last = samples[-1]
    assert {worker["name"].partition(":")[0] for worker in last["workers"]} == {"tcp"}
    assert last["concurrency"] == sum(worker["concurrency"] for worker in last["workers"])
    assert f"2 workers at {cluster.address}" in run.err


def test_one_bad_object_fails_alone(
    company: Company, cluster: DaskCluster
) -> None:
    company.plan()
    company.cloud.rule(Rule(side="s3", do="answer", operation="GetObject", key="small/00007", status=403,
                            code="AccessDenied"))
    summary = company.copy("--scheduler", cluster.address, expect=1)
    assert summary["outcomes"]["failed"] == 1
    assert summary["outcomes"]["copied"] == company.planned - 1


def test_when_everything_is_refused_the_run_stops_and_marks_nothing_failed(
    company: Company, cluster: DaskCluster
) -> None:
    company.plan()
    company.cloud.rule(Rule(side="s3", do="answer", operation="GetObject", status=403, code="AccessDenied"))
    summary = company.copy("--scheduler", cluster.address, expect=4)
    assert summary["outcomes"]["pending"] == company.planned
    assert summary["next"] == "blobmove copy --resume"


def test_refusals_of_one_prefix_do_not_leave_the_others_undone(
    company: Company, cluster: DaskCluster
) -> None:
    company.plan()
    company.cloud.rule(Rule(side="s3", do="answer", operation="GetObject", key="small/001*", status=403,
                            code="AccessDenied"))
    summary = company.copy("--scheduler", cluster.address, expect=1)
    assert summary["outcomes"]["failed"] == 100
    assert summary["outcomes"]["copied"] == company.planned - 100


def test_a_worker_that_finds_another_bucket_is_refused_before_the_first_batch(company: Company, start: Start) -> None:
    cluster = start(1, AWS_ENDPOINT_URL_S3="http://127.0.0.1:9")
    company.plan()
    run = company.terminal.run(*company.copy_words("--scheduler", cluster.address), expect=3)
    assert "E409-WORKER" in run.err
    assert company.cloud.s3_url in run.err
    assert "http://127.0.0.1:9" in run.err
    assert company.written() == 0


@pytest.mark.parametrize(("program", "told"), [
    ("__version__ = '0.0.9'", "0.0.9 there"), ("raise ImportError('nothing here')", "not installed there"),
])
def test_a_worker_of_another_version_is_refused_with_both_shown(
    program: str, told: str, company: Company, start: Start, tmp_path: Path
) -> None:
    other = tmp_path / "other" / "blobmove"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text(program)
    cluster = start(1, PYTHONPATH=str(other.parent))
    company.plan()
    run = company.terminal.run(*company.copy_words("--scheduler", cluster.address), expect=3)
    assert "E409-WORKER" in run.err
    assert f"blobmove: {__version__} here, {told}" in run.err
    assert company.written() == 0


def test_an_address_without_a_scheduler_is_told_with_the_command_for_later(company: Company) -> None:
    company.plan()
    run = company.terminal.run(*company.copy_words("--scheduler", "tcp://127.0.0.1:9"), expect=2)
    assert "E000-SCHEDULER" in run.err


def test_both_words_at_once_are_refused(company: Company) -> None:
    company.plan()
    words = company.copy_words("--workers", "2", "--scheduler", "tcp://127.0.0.1:9")
    assert "E400-CLUSTER" in company.terminal.run(*words, expect=2).err


def test_without_the_extra_the_line_to_install_is_shown(company: Company) -> None:
    company.plan()
    hidden = company.terminal.folder.parent / "hidden"
    (hidden / "distributed").mkdir(parents=True)
    (hidden / "distributed" / "__init__.py").write_text("raise ImportError('No module named distributed')")
    path = f"{hidden}:{company.terminal.environment.get('PYTHONPATH', '')}"
    words = company.copy_words("--workers", "2")
    run = company.terminal.run(*words, expect=2, env={"PYTHONPATH": path}, launcher=WHOLE)
    assert "E404-CLUSTER" in run.err
    assert "pip install 'blobmove[cluster]'" in run.err


@pytest.mark.skipif(sys.platform == "win32", reason="a check of modules in a child process")
def test_one_process_loads_nothing_of_dask(company: Company) -> None:
    company.plan()
    hidden = company.terminal.folder.parent / "hidden"
    for name in ("dask", "distributed"):
        (hidden / name).mkdir(parents=True)
        (hidden / name / "__init__.py").write_text("raise AssertionError('one process needs none of it')")
    path = f"{hidden}:{company.terminal.environment.get('PYTHONPATH', '')}"
    run = company.terminal.run(*company.copy_words(), env={"PYTHONPATH": path}, launcher=WHOLE)
    assert run.summary["outcomes"]["copied"] == company.planned


def test_a_worker_whose_credentials_have_run_out_stops_the_run_and_fails_no_object(
    company: Company, start: Start
) -> None:
    cluster = start(1, AZURE_STORAGE_SAS_TOKEN="sv=2025-11-05&sr=c&sp=r&se=2020-01-01&sig=b3RoZXI%3D")
    company.plan()
    run = company.terminal.run(*company.copy_words("--scheduler", cluster.address), expect=4)
    assert company.adds_up(run.summary)["outcomes"]["pending"] == company.planned


def test_a_listing_is_not_shared(company: Company) -> None:
    company.plan()
    run = company.terminal.run("verify", "--workers", "2", expect=2)
    assert "blobmove verify --how read --workers 2" in run.err


def test_what_workers_are_refused_is_told_while_the_copy_runs_and_status_shows_each_of_them(
    company: Company, cluster: DaskCluster
) -> None:
    company.slow(100)
    company.plan()
    busy = Rule(side="azure", do="answer", operation="PutBlob", nth=(20, 60), status=503, code="ServerBusy")
    company.cloud.rule(busy)
    process = company.start("--scheduler", cluster.address, "--concurrency", "4")  # long enough for status to see it
    seen: list[dict[str, Any]] = []

    def shown() -> bool:
        seen[:] = company.terminal.run("status", "--json").document["workers"]
        return len(seen) == 2 and all(worker["objects_per_second"] for worker in seen)

    process.until(shown, "the status shows both at work")
    assert all(worker["concurrency"] > 0 and worker["state"] for worker in seen)
    assert all(worker["name"] in company.terminal.run("status").out for worker in seen)
    company.slow(0)
    run = process.ended(0)
    refusals = [line for line in run.lines if line["type"] == "throttled"]
    assert {(line["side"], line["code"]) for line in refusals} == {("destination", "ServerBusy")}
    assert company.adds_up(run.summary)["retries"] >= 2
