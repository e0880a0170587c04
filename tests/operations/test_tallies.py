"""The numbers of a run: totals that stay whole, a reason that is never empty, and the next line to type."""

from __future__ import annotations

import shlex
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blobmove.core.model import Outcome, State
from blobmove.core.rates import Pace
from blobmove.core.results import CopySummary, Effort, Totals
from blobmove.engine.bench import Bench
from blobmove.engine.limits import Bandwidth, Budget, Part
from blobmove.operations.tallies import Running, as_json, holding_back, next_command, run_json
from tests.engine.benches import Staging, bench_of

FRESH = {**dict.fromkeys(State, 0), State.PENDING: 10, State.REFUSED: 2}


def running(size: int = 100) -> Running:
    return Running(dict(FRESH), {**dict.fromkeys(State, 0), State.PENDING: 10 * size})


@given(st.lists(st.tuples(st.sampled_from([state for state in State if state is not State.PENDING]),
                          st.none() | st.integers(0, 500)), max_size=10))
def test_settled_objects_move_from_pending_and_none_is_lost(ends: list[tuple[State, int | None]]) -> None:
    told = running()
    told.settle([Outcome(number, state, size=size) for number, (state, size) in enumerate(ends)], [100] * len(ends))
    totals = told.totals()
    assert totals.planned == 12
    assert totals.objects[State.PENDING] == 10 - len(ends)
    assert totals.bytes[State.PENDING] == 100 * (10 - len(ends))
    for state in {state for state, _ in ends}:
        sizes = [100 if size is None else size for ended, size in ends if ended is state]
        assert totals.objects[state] == FRESH[state] + len(sizes)
        assert totals.bytes[state] == sum(sizes)
    assert told.settled == len(ends)
    assert told.settled_bytes == sum(100 if size is None else size for _, size in ends)
    assert told.failed == sum(state is State.FAILED for state, _ in ends)


def test_totals_are_a_copy() -> None:
    told = running()
    before = told.totals()
    told.settle([Outcome(1, State.COPIED)], [100])
    assert before.objects[State.PENDING] == 10


def test_a_sample_tells_the_pace_and_what_is_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    told, bench = running(), with_requests({"GetObject": 4}, {"PutBlob": 3})
    told.started = now
    assert told.sample(bench, "reading the plan").eta_seconds is None
    now += 60
    bench.counters.in_flight, bench.s3.retried, bench.azure.retried = 3, 1, 2
    bench.memory.take_now(77)
    bench.azure.concurrency.slots = 9
    told.settle([Outcome(number, State.COPIED, size=100) for number in range(6)], [100] * 6)
    sample = told.sample(bench, "waiting for S3")
    assert (sample.elapsed, sample.bytes_per_second, sample.objects_per_second) == (60.0, 10.0, 0.1)
    assert sample.eta_seconds == pytest.approx(40.0)
    assert (sample.in_flight, sample.concurrency, sample.retried, sample.memory_used) == (3, 9, 3, 77)
    assert as_json(sample) == {
        "elapsed": 60.0, "rate": 10.0, "objects_per_second": 0.1, "eta_seconds": sample.eta_seconds, "in_flight": 3,
        "state": "waiting for S3",
    }  # fmt: skip


def with_requests(s3: dict[str, int], azure: dict[str, int]) -> Bench:
    """A bench whose doors have been asked so often."""
    source, destination = SimpleNamespace(requests=Counter(s3)), SimpleNamespace(requests=Counter(azure))
    return replace(bench_of(Staging()), source=cast(Any, source), destination=cast(Any, destination))


def test_a_sample_tells_what_has_been_done_by_then_and_does_not_change_afterwards() -> None:
    told, bench = running(), with_requests({"GetObject": 4}, {"PutBlob": 3})
    bench.counters.bytes_read, bench.counters.bytes_written, bench.counters.bytes_pulled = 30, 20, 10
    bench.s3.retries["SlowDown"], bench.azure.retries["ServerBusy"] = 2, 1
    effort = told.sample(bench, "waiting for S3").effort
    bench.source.requests["GetObject"] += 1
    bench.s3.retries["SlowDown"] += 1
    assert effort == Effort(30, 20, 10, {"GetObject": 4}, {"PutBlob": 3}, {"SlowDown": 2}, {"ServerBusy": 1})


def busy() -> Bench:
    bench = bench_of(Staging())
    bench.counters.in_flight = 5
    return bench


def test_what_holds_a_run_back_is_told_in_the_order_of_its_weight() -> None:
    bench = busy()
    assert holding_back(bench, paused=True, stopping=True) == "finishing what is in flight"
    assert holding_back(bench, paused=True, stopping=False) == "paused by the throttle file"
    bench.azure.last_trouble = ("503 ServerBusy", time.monotonic())
    assert holding_back(bench, paused=False, stopping=False) == "limited by Azure (503 ServerBusy)"
    bench.s3.last_trouble = ("503 SlowDown", time.monotonic())
    assert holding_back(bench, paused=False, stopping=False) == "limited by S3 (503 SlowDown)"


def test_a_trouble_is_forgotten_after_a_while() -> None:
    bench = busy()
    bench.s3.last_trouble = ("503 SlowDown", time.monotonic() - 11)
    assert holding_back(bench, paused=False, stopping=False) == "waiting for S3"


def test_a_side_that_has_refused_is_named_as_long_as_its_pace_is_kept() -> None:
    bench = busy()
    bench.s3.last_trouble = ("503 SlowDown", time.monotonic() - 11)
    bench.s3.concurrency.pace = Pace(1234.4)
    assert holding_back(bench, paused=False, stopping=False) == "limited by S3 (503 SlowDown): 1,234 requests/s"


def test_a_side_that_answers_slower_is_named() -> None:
    bench = busy()
    bench.azure.concurrency.slots, bench.azure.concurrency.slower_at = 43, time.monotonic() - 1
    assert holding_back(bench, paused=False, stopping=False) == "Azure answers slower: 43 in flight"
    bench.azure.concurrency.slower_at -= 10
    assert holding_back(bench, paused=False, stopping=False) == "waiting for S3"


async def test_large_objects_waiting_for_their_part_hold_nobody_back_while_small_ones_get_by() -> None:
    part = Part(Budget(lambda: 1000), lambda: 10)
    bench = replace(busy(), large_memory=part)
    await part.ranked().take(10)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(part.ranked().take, 1)
        for _ in range(5):
            await anyio.lowlevel.checkpoint()
        bench.lane.small_left = True
        assert holding_back(bench, paused=False, stopping=False) == "waiting for S3"
        bench.lane.small_left = False
        assert holding_back(bench, paused=False, stopping=False) == "limited by --max-memory"
        tasks.cancel_scope.cancel()


async def test_a_ceiling_asked_for_is_named() -> None:
    bench = replace(busy(), bandwidth=Bandwidth(lambda: 1))
    async with anyio.create_task_group() as tasks:
        for size in (100, 1):
            tasks.start_soon(bench.bandwidth.pay, size)
        for _ in range(5):
            await anyio.lowlevel.checkpoint()
        assert holding_back(bench, paused=False, stopping=False) == "limited by --bandwidth"
        tasks.cancel_scope.cancel()


async def test_a_full_memory_is_named() -> None:
    bench = busy()
    await bench.memory.take(1000)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(bench.memory.take, 1)
        for _ in range(5):
            await anyio.lowlevel.checkpoint()
        assert holding_back(bench, paused=False, stopping=False) == "limited by --max-memory"
        tasks.cancel_scope.cancel()


def test_before_anything_is_in_flight_the_plan_is_read() -> None:
    assert holding_back(bench_of(Staging()), paused=False, stopping=False) == "reading the plan"


async def test_the_side_with_more_requests_out_or_waiting_is_the_slower_one() -> None:
    bench = busy()
    await bench.s3.gate.take(3)
    assert holding_back(bench, paused=False, stopping=False) == "waiting for S3"
    await bench.azure.gate.take(16)
    assert holding_back(bench, paused=False, stopping=False) == "waiting for Azure"
    await bench.s3.gate.take(13)
    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(bench.azure.gate.take, 1)
        for _ in range(5):
            await anyio.lowlevel.checkpoint()
        assert holding_back(bench, paused=False, stopping=False) == "waiting for Azure"
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize(("state", "command"), [
    (State.PENDING, "blobmove copy --resume"), (State.FAILED, "blobmove status --failed"),
    (State.CONFLICT, "blobmove status --failed"), (State.CHANGED, "blobmove status --failed"),
    (State.COPIED, "blobmove verify"), (State.REFUSED, "blobmove verify"), (State.GONE, "blobmove verify"),
])
def test_the_next_command_follows_from_what_is_left(state: State, command: str) -> None:
    totals = Totals({**dict.fromkeys(State, 0), state: 1, State.COPIED: 5}, dict.fromkeys(State, 0))
    assert next_command(totals, Path("blobmove.db")) == command
    assert next_command(totals, Path("other.db")) == f"{command} --checkpoint other.db"


def test_the_next_command_can_be_pasted_whatever_the_file_is_called() -> None:
    totals = Totals({**dict.fromkeys(State, 0)}, dict.fromkeys(State, 0))
    assert shlex.split(next_command(totals, Path("my files/it's.db")))[-1] == "my files/it's.db"


def test_a_finished_run_is_kept_as_json() -> None:
    summary = CopySummary(
        "p", "s3://acme", "https://acme", Totals({}, {}), {}, {}, {}, 5, 6, {"GetObject": 1}, {"PutBlob": 1}, 2,
        1.23456, "blobmove verify", "interrupted",
    )  # fmt: skip
    assert run_json(summary, 7) == {
        "settled": 7, "seconds": 1.235, "retries": 2, "bytes": {"read": 5, "written": 6},
        "requests": {"s3": {"GetObject": 1}, "azure": {"PutBlob": 1}}, "stopped": "interrupted",
        "travelled": {"server": 0, "stream": 0, "bytes_pulled": 0, "given_up": ""},
    }  # fmt: skip
