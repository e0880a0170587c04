"""The frame of a run: the first signal drains, the second aborts, limits end it, and a pause file holds it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import anyio
import pytest

from blobmove.core.errors import LimitReached
from blobmove.core.events import Event, Stopping
from blobmove.engine.stopping import Stop
from blobmove.operations import running
from blobmove.operations.running import Effect, Frame, exit_code_of


class Room:
    """A frame that writes down what it says."""

    def __init__(self, **more: object) -> None:
        self.stop = Stop()
        self.heard: list[Event] = []
        self.frame = Frame(self.stop, self.heard.append, lambda: 3, **more)  # type: ignore[arg-type]

    async def run(self, body: Effect, tick: Effect | None = None) -> None:
        with anyio.fail_after(10):
            await self.frame.run(body, tick)


async def ready() -> None:
    """Until the signal receiver stands."""
    for _ in range(10):
        await anyio.lowlevel.checkpoint()


async def test_a_body_that_ends_ends_the_frame() -> None:
    room, done = Room(max_duration=3600), []

    async def body() -> None:
        done.append(True)

    await room.run(body)
    assert done
    assert (room.heard, room.stop.is_set(), room.frame.aborted) == ([], False, False)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_the_first_signal_drains(number: signal.Signals, code: int) -> None:
    room = Room()

    async def body() -> None:
        await ready()
        os.kill(os.getpid(), number)
        await room.stop.event.wait()
        await anyio.lowlevel.checkpoint()

    await room.run(body)
    assert room.heard == [Stopping("interrupted", 3)]
    assert not room.frame.aborted
    assert exit_code_of(room.stop.signal) == code


async def test_the_second_signal_aborts() -> None:
    room = Room()

    async def body() -> None:
        await ready()
        os.kill(os.getpid(), signal.SIGTERM)
        await room.stop.event.wait()
        os.kill(os.getpid(), signal.SIGINT)
        await anyio.sleep_forever()

    await room.run(body)
    assert room.frame.aborted
    assert room.stop.signal == signal.SIGTERM
    assert len(room.heard) == 1


async def test_what_does_not_end_after_a_stop_is_aborted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "DRAIN_SECONDS", 0.02)
    room = Room()

    async def body() -> None:
        room.stop.ask("the disk is full")
        await anyio.sleep_forever()

    await room.run(body)
    assert room.frame.aborted
    assert room.stop.signal == 0


async def test_a_time_limit_asked_for_ends_the_run() -> None:
    room = Room(max_duration=0.02)
    await room.run(room.stop.event.wait)
    assert isinstance(room.stop.error, LimitReached)
    assert room.stop.error.exit_code == 6
    assert room.heard == [Stopping("time limit (--max-duration)", 3)]


async def test_a_time_limit_that_comes_second_says_nothing() -> None:
    room = Room(max_duration=0.02)

    async def body() -> None:
        room.stop.ask("interrupted")
        await anyio.sleep(0.05)

    await room.run(body)
    assert (room.heard, room.stop.error) == ([], None)


async def test_ticks_come_while_the_body_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks: list[float] = []
    rest = anyio.sleep

    async def sleep(seconds: float) -> None:
        ticks.append(seconds)
        await rest(0.001)

    monkeypatch.setattr(anyio, "sleep", sleep)
    room, enough = Room(), anyio.Event()

    async def tick() -> None:
        if len(ticks) >= 3:
            enough.set()

    await room.run(enough.wait, tick)
    assert set(ticks) == {1.0}


async def test_an_error_of_the_body_is_not_swallowed() -> None:
    async def body() -> None:
        raise OSError("gone")

    with pytest.raises(ExceptionGroup) as caught:
        await Room().run(body)
    assert caught.group_contains(OSError)


async def test_a_pause_file_holds_the_run_until_it_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pause = tmp_path / "pause"
    room = Room(throttle_file=pause)
    assert not room.frame.paused()
    await room.frame.hold()
    pause.touch()
    assert room.frame.paused()
    shorter = anyio.move_on_after
    looks: list[float] = []

    def look(seconds: float) -> anyio.CancelScope:
        looks.append(seconds)
        if len(looks) == 3:
            pause.unlink()
        return shorter(0.001)

    monkeypatch.setattr(anyio, "move_on_after", look)
    with anyio.fail_after(10):
        await room.frame.hold()
    assert len(looks) == 3, "it looks again until the file is gone"


async def test_a_pause_does_not_outlast_a_stop(tmp_path: Path) -> None:
    pause = tmp_path / "pause"
    pause.touch()
    room = Room(throttle_file=pause)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(room.frame.hold)
            await ready()
            room.stop.ask("interrupted")
    assert room.frame.paused()


async def test_without_a_pause_file_nothing_is_held() -> None:
    room = Room()
    assert not room.frame.paused()
    await room.frame.hold()
