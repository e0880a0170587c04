"""A worker that is refused memory or threads is sent away, what it has done counts, and the run goes on."""

from __future__ import annotations

import errno
import re
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from blobmove.cluster import batches
from blobmove.cluster.exhausted import exhausted
from blobmove.cluster.payloads import Terms
from blobmove.cluster.session import Session
from blobmove.core.model import Outcome, State, Transfer
from blobmove.engine.bench import Bench
from tests.cluster.company import Company
from tests.cluster.dask_cluster import DaskCluster
from tests.cluster.hands import S3, bench_with

MIB = 1 << 20


@pytest.mark.parametrize("error", [
    MemoryError(), OSError(errno.ENOMEM, "no"), OSError(errno.EMFILE, "no"), RuntimeError("can't start new thread"),
    ImportError("/lib/_awscrt.abi3.so: failed to map segment from shared object"),
])
def test_what_a_machine_refuses_is_found_in_whatever_it_was_raised_in(error: Exception) -> None:
    assert exhausted(error) is error
    assert exhausted(ExceptionGroup("many", [ValueError("x"), ExceptionGroup("some", [error])])) is error


@pytest.mark.parametrize("error", [
    ValueError("x"), OSError(errno.ECONNRESET, "no"), RuntimeError("else"), ImportError("x"),
    ExceptionGroup("many", [ValueError("x")]),
])
def test_other_failures_are_none(error: Exception) -> None:
    assert exhausted(error) is None


class Moves:
    """Stands for the mover: it moves so many objects, then it fails."""

    def __init__(self, good: int, error: Exception) -> None:
        self.left, self.error = good, error

    async def move(self, _bench: Bench, transfer: Transfer) -> Outcome:
        if not self.left:
            raise self.error
        self.left -= 1
        return Outcome(transfer.id, State.COPIED)


def session() -> Session:
    return Session(cast(Terms, None), "w", _bench=bench_with(S3()))


OBJECTS = [Transfer(number, f"k{number}", "b", 1, "e", None, None, None, 0, None) for number in range(5)]


async def test_a_worker_without_memory_tells_what_it_has_done_and_takes_nothing_more(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "move", Moves(3, MemoryError()).move)
    one = session()
    report = await one.move(OBJECTS, patient=False)
    assert report.unfit is not None
    assert (report.unfit.code, report.unfit.cause) == ("E500-WORKER", "MemoryError")
    assert [outcome.transfer_id for outcome in report.results if isinstance(outcome, Outcome)] == [0, 1, 2]
    again = await one.move(OBJECTS, patient=False)
    assert (again.results, again.unfit) == ((), report.unfit)


async def test_a_bug_is_no_lack_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "move", Moves(0, ValueError("a bug")).move)
    with pytest.RaisesGroup(ValueError, flatten_subgroups=True):
        await session().move(OBJECTS[:1], patient=False)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the limit of a running process is Linux's")
def test_when_a_worker_is_given_no_more_memory_the_others_do_its_work(
    company: Company, start: Callable[..., DaskCluster]
) -> None:
    cluster = start(2)
    company.slow(120)
    company.plan()
    process = company.start("--scheduler", cluster.address)
    process.until(lambda: company.written() > company.planned // 4, "a quarter is written")
    limit(cluster.workers[0].pid)
    company.slow(0)
    run = process.ended(0)
    company.adds_up(run.summary)
    assert f"lost: {cluster.address_of(cluster.workers[0])}" in run.err or "is sent away" in run.err
    company.all_is_there()


def limit(pid: int) -> None:
    """From now on no more address space than it has, and a MiB."""
    told = re.search(r"VmSize:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert told is not None
    most = int(told[1]) * 1024 + MIB
    resource.prlimit(pid, resource.RLIMIT_AS, (most, most))
