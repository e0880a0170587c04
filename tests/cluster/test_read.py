"""`verify --how read` on several workers: the answer of one process, and none where something was not read."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest

from blobmove.checkpoint.reader import ProvenCopy
from blobmove.cluster.coordinator import Crew, Results
from blobmove.cluster.payloads import ReadReport
from blobmove.cluster.reading import Readers, Reading
from blobmove.cluster.roster import UNFIT_LIMIT
from blobmove.core.errors import BlobmoveError
from blobmove.core.model import Outcome, State
from blobmove.engine.stopping import Stop
from tests.acceptance.commands import Process
from tests.cloud.specs import BlobSpec, Rule
from tests.cluster.company import CONTAINER, Company
from tests.cluster.dask_cluster import DaskCluster

Start = Callable[..., DaskCluster]


def test_verify_reads_with_all_workers_and_finds_what_is_wrong(company: Company, cluster: DaskCluster) -> None:
    company.plan()
    company.copy("--scheduler", cluster.address)
    words = ("verify", "--how", "read", "--scheduler", cluster.address, "--json")
    told = company.terminal.run(*words).document
    assert (told["checked"], told["identical"], told["how"]) == (company.planned, company.planned, "read")
    company.cloud.drop_blob(CONTAINER, "small/00003")
    company.cloud.drop_blob(CONTAINER, "small/00004")
    company.cloud.put_blobs(CONTAINER, BlobSpec(name="small/00004", size=17))
    told = company.terminal.run(*words, expect=5).document
    assert (told["missing"], told["different"]) == (1, 1)
    assert told["identical"] == company.planned - 2


def test_blobs_that_no_worker_may_read_are_named_and_where_that_is_all_of_them_the_run_stops(
    company: Company, cluster: DaskCluster
) -> None:
    company.plan()
    company.copy("--scheduler", cluster.address)
    words = ("verify", "--how", "read", "--scheduler", cluster.address, "--json")
    denied = Rule(side="azure", do="answer", operation="GetBlob", status=403, code="AuthorizationPermissionMismatch")
    few = company.cloud.rule(replace(denied, key="small/0000[34]"))
    told = company.terminal.run(*words, expect=1).document
    assert (told["identical"], told["unreadable"]) == (company.planned - 2, 2)
    company.cloud.drop_rule(few)
    company.cloud.rule(denied)
    error = company.terminal.run(*words, expect=4).document
    assert error["code"] == "E403-DESTINATION"


def copied(company: Company, cluster: DaskCluster) -> None:
    company.plan()
    company.copy("--scheduler", cluster.address)
    company.slow(30)
    company.cloud.reset_counts()


def verifying(company: Company, cluster: DaskCluster) -> Process:
    """`verify --how read`, when a quarter has been read."""
    process = company.terminal.start("verify", "--how", "read", "--scheduler", cluster.address, "--json")
    process.until(lambda: read(company) > company.planned // 4, "a quarter is read")
    return process


def read(company: Company) -> int:
    return sum(company.cloud.counts().azure.answers.get("GetBlob", {}).values())


def test_a_killed_worker_s_blobs_are_read_by_the_others(company: Company, start: Start) -> None:
    cluster = start(2)
    copied(company, cluster)
    process = verifying(company, cluster)
    cluster.workers[0].kill()
    told = process.ended(0).document
    assert (told["checked"], told["identical"]) == (company.planned, company.planned)


@pytest.mark.heavy
def test_when_the_scheduler_dies_nothing_is_called_verified(company: Company, start: Start) -> None:
    cluster = start(2)
    copied(company, cluster)
    process = verifying(company, cluster)
    assert cluster.scheduler is not None
    cluster.scheduler.kill()
    run = process.ended(2)
    assert "E000-SCHEDULER" in run.err
    assert f"blobmove verify --how read --scheduler {cluster.address}" in run.err
    assert company.terminal.run("status", "--json").document["last_verify"] != "passed"


def test_the_first_signal_drains_and_says_how_much_was_read(company: Company, cluster: DaskCluster) -> None:
    copied(company, cluster)
    process = verifying(company, cluster)
    process.signal(signal.SIGTERM)
    told = process.ended(143).document
    assert 0 < told["checked"] == told["identical"] < company.planned
    assert told["next"] == f"blobmove verify --how read --scheduler {cluster.address}"


class Forgetful:
    """Stands for the calls to workers that read at most `most` blobs of a batch."""

    again = "blobmove verify --how read --workers 2"

    def __init__(self, most: int) -> None:
        self.most = most
        self.asked: list[int] = []
        self.patient: list[bool] = []

    async def read(self, number: int, batch: tuple[ProvenCopy, ...], patient: bool) -> ReadReport:
        self.asked.append(len(batch))
        self.patient.append(patient)
        return ReadReport("w", tuple(Outcome(copy.id, State.PRESENT) for copy in batch[:self.most]))


async def reading(most: int) -> tuple[Results, list[str], Forgetful]:
    """What is seen of ten blobs, why the run stops, and what the calls have asked for."""
    copies = [ProvenCopy(id=number, blob_name=f"b{number}", size=1, md5=b"", blob_etag=None) for number in range(10)]
    seen: Results = []
    stop, stopped, calls = Stop(), [], Forgetful(most)

    async def pages() -> AsyncIterator[Sequence[ProvenCopy]]:
        yield copies

    async def record(found: Results) -> None:
        seen.extend(found)

    def failed(error: BlobmoveError) -> None:
        stopped.append(error.code)
        stop.ask("failed")

    async def watch(*_: object) -> None:
        return

    roster = SimpleNamespace(watch=watch, hear=lambda *_: None, threads={"w": 1})
    crew = cast(Crew, SimpleNamespace(roster=roster, calls=calls))
    await Readers(crew, Reading(pages, record, failed, cast("Callable[..., BlobmoveError]", None), stop)).run()
    return seen, stopped, calls


async def test_what_one_worker_leaves_unread_is_asked_for_again() -> None:
    seen, stopped, calls = await reading(4)
    assert (len(seen), stopped, calls.asked) == (10, [], [10, 6, 2])
    assert calls.patient == [False, True, True], "what it has seen is known by then: now to the end"


async def test_a_run_whose_workers_leave_blobs_unread_fails() -> None:
    seen, stopped, calls = await reading(0)
    assert (seen, stopped, len(calls.asked)) == ([], ["E500-WORKER"], UNFIT_LIMIT)
