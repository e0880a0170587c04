"""The stop: asked for once, seen by everybody."""

from __future__ import annotations

import time

import anyio

from blobmove.core.errors import LimitReached
from blobmove.engine.stopping import Stop


async def test_the_first_reason_counts() -> None:
    stop, error = Stop(), LimitReached("E006-DURATION", "time is up")
    assert not stop.is_set()
    assert stop.ask("time limit", error=error)
    assert not stop.ask("interrupted", signal=2)
    assert stop.is_set()
    assert (stop.why, stop.error, stop.signal) == ("time limit", error, 0)


async def test_a_sleep_ends_by_itself() -> None:
    stop = Stop()
    with anyio.fail_after(5):
        await stop.sleep(0.01)
    assert not stop.is_set()


async def test_a_sleep_ends_with_the_run() -> None:
    stop = Stop()
    started = time.monotonic()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stop.sleep, 60)
        await anyio.lowlevel.checkpoint()
        stop.ask("interrupted")
    assert time.monotonic() - started < 5
