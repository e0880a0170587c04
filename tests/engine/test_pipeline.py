"""The pipeline: everything fed is acted on once and recorded once, and it ends by not being fed."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import anyio
import pytest
from anyio.lowlevel import checkpoint

from blobmove.engine import pipeline
from blobmove.engine.pipeline import Pipeline
from blobmove.engine.stopping import Stop


@dataclass
class Work:
    """Numbers through a pipeline; hooks of a test hang on `act` and `record` by overriding them."""

    pages: list[list[int]]
    places: int = 8
    stop: Stop = field(default_factory=Stop)
    paged: int = 0
    acted: list[int] = field(default_factory=list)
    batches: list[list[int]] = field(default_factory=list)
    held: int = 0

    async def feed(self) -> AsyncIterator[Sequence[int]]:
        for page in self.pages:
            self.paged += 1
            yield page

    async def act(self, item: int) -> int:
        self.acted.append(item)
        await checkpoint()
        return item

    async def record(self, results: list[int]) -> None:
        self.batches.append(list(results))
        await checkpoint()

    async def hold(self) -> None:
        self.held += 1

    async def run(self) -> None:
        with anyio.fail_after(20):
            await Pipeline(
                pages=self.feed, act=self.act, record=self.record, places=lambda: self.places, stop=self.stop,
                hold=self.hold,
            ).run()

    def recorded(self) -> list[int]:
        return [result for batch in self.batches for result in batch]


def numbers(count: int, page: int = 100) -> list[list[int]]:
    return [list(range(start, min(start + page, count))) for start in range(0, count, page)]


@pytest.fixture(autouse=True)
def short_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "BATCH_SECONDS", 0.024)


@pytest.mark.parametrize("count", [0, 1, 99, 100, 612])
@pytest.mark.parametrize("places", [1, 8, 300])
async def test_everything_is_acted_on_once_and_recorded_once(count: int, places: int) -> None:
    work = Work(numbers(count), places=places)
    await work.run()
    assert Counter(work.acted) == Counter(range(count))
    assert Counter(work.recorded()) == Counter(range(count))


async def test_empty_pages_are_passed_over() -> None:
    work = Work([[], [1], [], [2, 3], []])
    await work.run()
    assert sorted(work.recorded()) == [1, 2, 3]


async def test_a_batch_never_grows_beyond_its_rows() -> None:
    class Behind(Work):
        async def record(self, results: list[int]) -> None:
            while len(self.acted) < 1500:
                await checkpoint()
            await super().record(results)

    work = Behind(numbers(2000), places=400)
    await work.run()
    assert Counter(work.recorded()) == Counter(range(2000))
    assert max(len(batch) for batch in work.batches) == pipeline.BATCH_ROWS


async def test_a_batch_does_not_wait_for_its_rows_for_ever() -> None:
    class Slow(Work):
        async def act(self, item: int) -> int:
            if item == 3:
                while not self.batches:  # noqa: ASYNC110 - the recorder has no event to give
                    await anyio.sleep(0.005)
            return item

    work = Slow([[0, 1, 2, 3]])
    await work.run()
    assert sorted(work.recorded()) == [0, 1, 2, 3]
    assert work.batches[-1] == [3]


async def test_the_end_of_the_work_does_not_wait_for_the_batch_to_grow_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "BATCH_SECONDS", 60)  # more than `run` has
    monkeypatch.setattr(pipeline, "_TICKS", 1200)
    work = Work([[1, 2]])
    await work.run()
    assert sorted(work.recorded()) == [1, 2]


async def test_batches_are_recorded_one_at_a_time() -> None:
    class Careful(Work):
        recording = 0

        async def record(self, results: list[int]) -> None:
            self.recording += 1
            assert self.recording == 1
            await anyio.sleep(0.002)
            await super().record(results)
            self.recording -= 1

    work = Careful(numbers(300))
    await work.run()
    assert len(work.recorded()) == 300


async def test_no_more_is_acted_on_at_once_than_there_are_places() -> None:
    class Counted(Work):
        out = most = 0

        async def act(self, item: int) -> int:
            self.out += 1
            self.most = max(self.most, self.out)
            for _ in range(30):
                await checkpoint()
            self.out -= 1
            return item

    work = Counted(numbers(200), places=5)
    await work.run()
    assert work.most == 5
    assert len(work.recorded()) == 200


async def test_it_drains_by_not_being_fed() -> None:
    class Stopped(Work):
        async def act(self, item: int) -> int:
            result = await super().act(item)
            if item == 150:
                self.stop.ask("interrupted")
            return result

    work = Stopped(numbers(10_000), places=4)
    await work.run()
    assert sorted(work.acted) == sorted(work.recorded())
    assert 150 < len(work.acted) < 160
    assert work.paged <= 4  # one at hand, one on its way, one waiting to be sent


async def test_what_is_in_flight_when_the_stop_comes_is_finished_and_recorded() -> None:
    class Late(Work):
        finished = 0

        async def act(self, item: int) -> int:
            self.acted.append(item)
            if len(self.acted) == 6:
                self.stop.ask("interrupted")
            await self.stop.event.wait()
            await anyio.sleep(0.01)
            self.finished += 1
            return item

    work = Late(numbers(100), places=6)
    await work.run()
    assert work.finished == 6
    assert sorted(work.recorded()) == list(range(6))


async def test_what_was_fed_but_not_begun_stays_as_it_was() -> None:
    work = Work(numbers(50))
    work.stop.ask("interrupted")
    await work.run()
    assert (work.acted, work.batches) == ([], [])


async def test_a_pause_delays_every_piece_of_work() -> None:
    class Paused(Work):
        async def hold(self) -> None:
            await super().hold()
            if self.held == 1:
                await self.stop.event.wait()

    work = Paused([[1, 2, 3]], places=1)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work.run)
        for _ in range(20):
            await checkpoint()
        assert work.acted == []
        work.stop.ask("interrupted")
    assert work.acted == []


async def test_an_error_in_recording_ends_the_run() -> None:
    class Broken(Work):
        async def record(self, results: list[int]) -> None:
            raise OSError("the disk is gone")

    work = Broken(numbers(5000))
    with pytest.raises(ExceptionGroup) as caught:
        await work.run()
    assert caught.group_contains(OSError, match="the disk is gone")
    assert len(work.acted) < 5000


async def test_an_error_in_the_pages_ends_the_run() -> None:
    class Broken(Work):
        async def feed(self) -> AsyncIterator[Sequence[int]]:
            yield [1]
            raise OSError("damaged page")

    with pytest.raises(ExceptionGroup) as caught:
        await Broken([]).run()
    assert caught.group_contains(OSError, match="damaged page")


async def test_an_error_in_an_act_ends_the_run() -> None:
    class Broken(Work):
        async def act(self, item: int) -> int:
            raise ZeroDivisionError

    work = Broken(numbers(10_000))
    with pytest.raises(ExceptionGroup) as caught:
        await work.run()
    assert caught.group_contains(ZeroDivisionError)
    assert work.paged < 5


async def test_a_stop_before_the_pages_are_through_leaves_nobody_waiting() -> None:
    class Stopped(Work):
        async def feed(self) -> AsyncIterator[Sequence[int]]:
            for page in self.pages:
                yield page
                self.stop.ask("interrupted")

    work = Stopped(numbers(1000))
    await work.run()
    assert len(work.acted) <= 100


async def test_there_are_as_many_at_work_as_there_are_places_now() -> None:
    class Changing(Work):
        out = excess = 0

        async def act(self, item: int) -> int:
            self.out += 1
            self.excess += self.out > self.places
            most[self.places] = max(most.get(self.places, 0), self.out)
            await anyio.sleep(0.001)
            self.out -= 1
            self.acted.append(item)
            self.places = steps.get(len(self.acted), self.places)
            return item

    most: dict[int, int] = {}
    steps = {500: 50, 1500: 3}
    work = Changing(numbers(2000), places=4)
    await work.run()
    assert len(work.recorded()) == 2000
    assert (most[4], most[50]) == (4, 50)
    assert work.excess == 0


async def test_a_late_page_makes_nobody_go_home() -> None:
    class Late(Work):
        most = out = 0

        async def feed(self) -> AsyncIterator[Sequence[int]]:
            for page in self.pages:
                await anyio.sleep(0.01)
                yield page

        async def act(self, item: int) -> int:
            self.out += 1
            self.most = max(self.most, self.out)
            await anyio.sleep(0.002)
            self.out -= 1
            return item

    work = Late(numbers(200, page=20), places=10)
    await work.run()
    assert len(work.recorded()) == 200
    assert work.most == 10


async def test_an_abort_ends_everybody() -> None:
    class Endless(Work):
        async def act(self, item: int) -> int:
            self.acted.append(item)
            await anyio.sleep_forever()
            return item

    work = Endless(numbers(10))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work.run)
        while len(work.acted) < 8:
            await checkpoint()
        tasks.cancel_scope.cancel()
    assert work.recorded() == []
