"""Requests: every kind of failure is tried as often as it deserves, and no longer once the run is to end."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio
import pytest

from blobmove.core.concurrency import Concurrency
from blobmove.core.errors import Kind, Side, StoreError
from blobmove.core.events import Event, Throttled
from blobmove.core.pacing import MAX_ATTEMPTS, MAX_CORRUPT
from blobmove.engine.requests import Attempts, Requests
from blobmove.engine.stopping import Stop
from tests.engine.benches import ImpatientStop

NEVER_AGAIN = (
    Kind.CHANGED, Kind.MISSING, Kind.ARCHIVED, Kind.EXISTS, Kind.DENIED, Kind.REJECTED, Kind.STOP_ACCESS,
    Kind.STOP_CONFIG,
)  # fmt: skip


@dataclass
class Script:
    """Answers in order: an error to raise, or the text to return when the errors are used up."""

    kinds: list[Kind]
    side: Side = Side.SOURCE
    sent: int = 0
    retry_after: float | None = None

    def __call__(self) -> Awaitable[str]:
        return self._answer()

    async def _answer(self) -> str:
        self.sent += 1
        if self.sent <= len(self.kinds):
            kind = self.kinds[self.sent - 1]
            raise StoreError(self.side, kind, f"Code{kind.name}", status=503, retry_after=self.retry_after)
        return "well"


@dataclass
class Room:
    """One side with a scripted store behind it."""

    side: Side = Side.SOURCE
    stop: ImpatientStop = field(default_factory=ImpatientStop)
    heard: list[Event] = field(default_factory=list)
    renewed: int = 0

    def __post_init__(self) -> None:
        self.concurrency = Concurrency(16)
        self.requests = Requests(
            self.side, self.concurrency, self._renew, self.stop, self.heard.append, jitter=lambda: 0.0
        )  # fmt: skip

    async def _renew(self) -> None:
        self.renewed += 1


async def outcome(run: Callable[[], Awaitable[str]]) -> str | Kind:
    try:
        return await run()
    except StoreError as error:
        return error.kind


async def test_a_good_answer_is_returned() -> None:
    room, attempts = Room(), Attempts()
    assert await room.requests.run(Script([]), attempts) == "well"
    assert (attempts.count, attempts.lost, room.requests.retried, room.requests.gate.used) == (1, False, 0, 0)


@pytest.mark.parametrize("kind", NEVER_AGAIN)
async def test_an_answer_that_will_stay_the_same_is_not_asked_for_again(kind: Kind) -> None:
    room, script = Room(), Script([kind] * 20)
    assert await outcome(lambda: room.requests.run(script, Attempts())) is kind
    assert (script.sent, room.stop.slept, room.renewed) == (1, [], 0)


@pytest.mark.parametrize("kind", [Kind.TRANSIENT, Kind.UNREACHABLE])
async def test_a_passing_trouble_is_tried_again_and_then_given_up(kind: Kind) -> None:
    room, script, attempts = Room(), Script([kind] * 99), Attempts()
    assert await outcome(lambda: room.requests.run(script, attempts)) is kind
    assert script.sent == MAX_ATTEMPTS == attempts.count
    assert room.stop.slept == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 7.5])
    assert room.requests.retried == MAX_ATTEMPTS - 1


async def test_a_trouble_that_passes_is_forgotten_but_counted() -> None:
    room, attempts = Room(), Attempts()
    assert await room.requests.run(Script([Kind.TRANSIENT] * 3), attempts) == "well"
    assert (attempts.count, room.requests.retried) == (4, 3)
    assert room.requests.last_trouble[0] == "503 CodeTRANSIENT"


async def test_what_is_tried_again_is_counted_by_its_code_what_is_given_up_is_not() -> None:
    room = Room()
    assert await room.requests.run(Script([Kind.TRANSIENT, Kind.THROTTLED, Kind.TRANSIENT]), Attempts()) == "well"
    assert await outcome(lambda: room.requests.run(Script([Kind.DENIED]), Attempts())) is Kind.DENIED
    assert room.requests.retries == {"CodeTRANSIENT": 2, "CodeTHROTTLED": 1}
    assert room.requests.retried == 3


async def test_retry_after_is_waited_for() -> None:
    room, script = Room(), Script([Kind.THROTTLED], retry_after=17.0)
    await room.requests.run(script, Attempts())
    assert room.stop.slept == [17.0]


@dataclass
class Clock:
    """The clock of all requests; it stands still unless a test moves it."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("blobmove.engine.requests.monotonic", clock)
    return clock


@pytest.mark.usefixtures("clock")
async def test_a_busy_service_lowers_the_limit_once_a_moment_and_says_so() -> None:
    room = Room()
    await room.requests.run(Script([Kind.THROTTLED] * 3), Attempts())
    assert room.concurrency.slots == 8
    (event,) = room.heard
    assert isinstance(event, Throttled)
    assert (event.side, event.code, event.concurrency) == ("source", "CodeTHROTTLED", 8)
    assert event.wait_seconds == pytest.approx(0.1)


class Said(Concurrency):
    """A limit to which each refusal is news, or none is."""

    def __init__(self, *, news: bool) -> None:
        super().__init__(16)
        self.news = news

    def busy(self, now: float) -> bool:
        return self.news


async def test_that_a_service_is_busy_is_said_once_a_second_however_many_are_refused(clock: Clock) -> None:
    room = Room()
    room.requests.concurrency = Said(news=False)
    said = []
    for moment in (0.0, 0.4, 0.99, 1.0, 1.5, 1.99, 2.5, 3.49):
        clock.now = 1000.0 + moment
        for _ in range(50):
            await room.requests.run(Script([Kind.THROTTLED]), Attempts())
        said.append(len(room.heard))
    assert said == [1, 1, 1, 2, 2, 2, 3, 3]


async def test_news_of_a_busy_service_does_not_wait_for_the_second_to_pass(clock: Clock) -> None:
    room = Room()
    room.requests.concurrency = Said(news=True)
    for moment in (0.0, 0.1, 0.2):
        clock.now = 1000.0 + moment
        await room.requests.run(Script([Kind.THROTTLED]), Attempts())
    assert len(room.heard) == 3


async def test_a_trouble_of_another_kind_does_not_lower_the_limit() -> None:
    room = Room()
    await room.requests.run(Script([Kind.TRANSIENT] * 3), Attempts())
    assert room.heard == []
    assert room.concurrency.slots == 16
    assert room.concurrency.pace is None


async def test_an_expired_credential_is_renewed_once() -> None:
    room, script = Room(), Script([Kind.EXPIRED])
    assert await room.requests.run(script, Attempts()) == "well"
    assert (room.renewed, script.sent) == (1, 2)


async def test_a_credential_that_stays_expired_is_not_asked_for_for_ever() -> None:
    room, script = Room(), Script([Kind.EXPIRED] * 9)
    assert await outcome(lambda: room.requests.run(script, Attempts())) is Kind.EXPIRED
    assert (room.renewed, script.sent) == (1, 2)


async def test_a_credential_that_expires_after_other_troubles_is_renewed_all_the_same() -> None:
    room = Room()
    kinds = [Kind.TRANSIENT, Kind.THROTTLED, Kind.TRANSIENT, Kind.EXPIRED]
    assert await room.requests.run(Script(kinds), Attempts()) == "well"
    assert room.renewed == 1


async def test_corrupt_bytes_after_other_troubles_have_all_their_attempts() -> None:
    room = Room()
    kinds = [Kind.TRANSIENT] * 3 + [Kind.CORRUPT] * (MAX_CORRUPT - 1)
    assert await room.requests.run(Script(kinds), Attempts(), corrupt=True) == "well"


async def test_corrupt_bytes_are_sent_again_only_when_they_are_at_hand() -> None:
    room, script = Room(), Script([Kind.CORRUPT] * 9)
    assert await outcome(lambda: room.requests.run(script, Attempts())) is Kind.CORRUPT
    assert script.sent == 1
    script = Script([Kind.CORRUPT] * 9)
    assert await outcome(lambda: room.requests.run(script, Attempts(), corrupt=True)) is Kind.CORRUPT
    assert script.sent == MAX_CORRUPT


@pytest.mark.parametrize(("side", "kind", "lost"), [
    (Side.DESTINATION, Kind.TRANSIENT, True), (Side.SOURCE, Kind.TRANSIENT, False),
    (Side.DESTINATION, Kind.THROTTLED, False), (Side.DESTINATION, Kind.UNREACHABLE, False),
])
async def test_only_a_lost_answer_of_the_destination_may_hide_a_write(side: Side, kind: Kind, lost: bool) -> None:
    room, attempts = Room(side), Attempts()
    await room.requests.run(Script([kind], side), attempts)
    assert attempts.lost is lost


async def test_once_the_run_is_to_end_nothing_is_tried_again() -> None:
    room, script = Room(), Script([Kind.TRANSIENT] * 9)
    room.stop.ask("interrupted")
    assert await outcome(lambda: room.requests.run(script, Attempts())) is Kind.TRANSIENT
    assert script.sent == 1


async def test_the_end_of_the_run_ends_the_waiting() -> None:
    stop = Stop()
    requests = Requests(Side.SOURCE, Concurrency(4), anyio.lowlevel.checkpoint, stop, jitter=lambda: 0.0)
    script = Script([Kind.THROTTLED] * 9, retry_after=60.0)
    started = time.monotonic()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(outcome, lambda: requests.run(script, Attempts()))
        while not script.sent:
            await anyio.lowlevel.checkpoint()
        stop.ask("interrupted")
    assert time.monotonic() - started < 5
    assert script.sent == 2


async def test_no_more_requests_are_out_than_the_limit_allows() -> None:
    room = Room()
    room.concurrency.slots, out, most = 4, 0, 0

    async def request() -> str:
        nonlocal out, most
        out += 1
        most = max(most, out)
        await anyio.lowlevel.checkpoint()
        out -= 1
        return "well"

    async with anyio.create_task_group() as tasks:
        for _ in range(30):
            tasks.start_soon(room.requests.run, request, Attempts())
    assert (most, room.requests.gate.used) == (4, 0)


async def test_large_bodies_leave_half_of_the_slots_to_others_that_want_them() -> None:
    room, order, go = Room(), list[str](), anyio.Event()
    room.concurrency.slots = 4

    def request(name: str) -> Callable[[], Awaitable[str]]:
        async def send() -> str:
            order.append(name)
            await go.wait()
            return "well"

        return send

    async def send(name: str, bulk: bool) -> None:
        await room.requests.run(request(name), Attempts(), bulk=bulk)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(send, "small", False)
        await anyio.wait_all_tasks_blocked()
        for _ in range(6):
            tasks.start_soon(send, "large", True)
        await anyio.wait_all_tasks_blocked()
        assert order == ["small", "large", "large", "large"]  # nobody else wanted the fourth
        tasks.start_soon(send, "small", False)
        go.set()
    assert sorted(order) == ["large"] * 6 + ["small"] * 2
    assert room.requests.gate.used == 0


async def test_large_bodies_alone_have_all_slots() -> None:
    room, out, most = Room(), 0, 0
    room.concurrency.slots = 4

    async def request() -> str:
        nonlocal out, most
        out += 1
        most = max(most, out)
        await anyio.lowlevel.checkpoint()
        out -= 1
        return "well"

    async def send() -> None:
        await room.requests.run(request, Attempts(), bulk=True)

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(send)
    assert (most, room.requests.gate.used) == (4, 0)


async def test_a_request_that_waits_for_its_pause_holds_no_place() -> None:
    room = Room()
    used: list[int] = []

    async def sleep(_seconds: float) -> None:
        used.append(room.requests.gate.used)

    room.stop.sleep = sleep  # type: ignore[method-assign, assignment]
    await room.requests.run(Script([Kind.TRANSIENT] * 2), Attempts())
    assert used == [0, 0]


async def test_a_bug_of_ours_is_not_retried() -> None:
    room = Room()

    async def broken() -> str:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await room.requests.run(broken, Attempts())
    assert room.requests.gate.used == 0
