"""What workers tell of themselves is told as one: no word counts twice, no refusal is hushed up."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import cast

from blobmove.cluster.calls import Calls
from blobmove.cluster.payloads import Done, Heard, Share
from blobmove.cluster.roster import Member, Roster
from blobmove.core.events import Event, Note, Throttled
from blobmove.core.transfer import Pulling
from blobmove.engine.bench import Bench
from blobmove.engine.requests import Counters
from blobmove.engine.stopping import Stop

REFUSED = Throttled("destination", "ServerBusy", 0.5, 7)


@dataclass
class Told:
    """A roster whose workers are heard one by one, and what it makes of it."""

    events: list[Event] = field(default_factory=list)
    now: float = 100.0
    roster: Roster = field(init=False)

    def __post_init__(self) -> None:
        sides = [SimpleNamespace(retried=0, retries=Counter()) for _ in range(2)]
        bench = SimpleNamespace(
            counters=Counters(), s3=sides[0], azure=sides[1], pulling=Pulling(),
            source=SimpleNamespace(requests=Counter()), destination=SimpleNamespace(requests=Counter()),
        )
        self.roster = Roster(cast(Calls, None), cast(Bench, bench), self.events.append, clock=lambda: self.now)

    def hears(self, worker: str, heard: Heard) -> None:
        self.now += 1.0
        self.roster.hear(worker, heard)


def word(session: str, number: int, **more: object) -> Heard:
    return replace(Heard(session, number, None, None), **more)  # type: ignore[arg-type]


def test_sums_of_all_workers_add_up_and_a_late_word_changes_nothing() -> None:
    told = Told()
    told.hears("a", word("a1", 1, done=Done(bytes_written=10, requests_azure={"PutBlob": 1}), in_flight=3))
    told.hears("b", word("b1", 1, done=Done(bytes_written=5, requests_azure={"PutBlob": 2}), in_flight=1))
    told.hears("a", word("a1", 3, done=Done(bytes_written=30, requests_azure={"PutBlob": 4}), in_flight=2))
    told.hears("a", word("a1", 2, done=Done(bytes_written=20, requests_azure={"PutBlob": 3}), in_flight=9))
    bench = told.roster.bench
    assert (bench.counters.bytes_written, bench.counters.in_flight) == (35, 3)
    assert bench.destination.requests == {"PutBlob": 6}
    rates = [one.bytes_per_second for one in told.roster.shown()]
    assert len(rates) == 2


def test_what_each_worker_has_done_adds_up_to_what_all_have_done() -> None:
    told = Told()
    told.hears("a", word("a1", 1, done=Done(bytes_read=7, retried_s3=1, retries_s3={"SlowDown": 1}, settled=2)))
    told.hears("b", word("b1", 1, done=Done(bytes_read=5, retried_s3=2, retries_s3={"SlowDown": 2}, settled=1)))
    told.hears("b", word("b1", 2, done=Done(bytes_read=6, retried_s3=3, retries_s3={"SlowDown": 2, "IncompleteBody": 1},
                                            retried_azure=1, retries_azure={"ServerBusy": 1}, settled=4)))
    bench, shown = told.roster.bench, told.roster.shown()
    assert sum(one.bytes_read for one in shown) == bench.counters.bytes_read == 13
    assert sum(one.retried for one in shown) == bench.s3.retried + bench.azure.retried == 5
    assert (bench.s3.retries, bench.azure.retries) == ({"SlowDown": 3, "IncompleteBody": 1}, {"ServerBusy": 1})
    assert [one.settled for one in shown] == [2, 4]


def test_a_worker_that_begins_anew_is_added_to_what_it_did_before() -> None:
    told = Told()
    told.hears("a", word("a1", 5, done=Done(bytes_written=30)))
    told.hears("a", word("a2", 1, done=Done(bytes_written=4)))
    assert told.roster.bench.counters.bytes_written == 34


def test_a_refusal_that_a_worker_heard_is_told_once_with_the_limit_of_all() -> None:
    told = Told()
    told.hears("a", word("a1", 1, slots=8))
    told.hears("b", word("b1", 1, slots=7, throttled={"destination": (3, REFUSED)}))
    told.hears("b", word("b1", 2, slots=7, throttled={"destination": (3, REFUSED)}))
    assert told.events == [replace(REFUSED, concurrency=15)]
    told.hears("b", word("b1", 3, slots=7, throttled={"destination": (4, REFUSED)}))
    assert len(told.events) == 2


def test_refusals_of_many_workers_are_told_once_a_second() -> None:
    told = Told()
    for number in range(5):
        told.roster.hear(f"w{number}", word(f"s{number}", 1, throttled={"destination": (1, REFUSED)}))
    told.roster.hear("w0", word("s0", 2, throttled={"destination": (1, REFUSED), "source": (1, REFUSED)}))
    assert len(told.events) == 2, "one of each side"


def test_that_azure_does_not_pull_is_said_once() -> None:
    told = Told()
    for number in (1, 2):
        told.hears("a", word("a1", number, given_up="CannotVerifyCopySource"))
    assert [event.text.partition(" (")[0] for event in told.events if isinstance(event, Note)] == [
        "Azure does not pull from S3 at a"
    ]
    assert told.roster.bench.pulling.given_up == "CannotVerifyCopySource"


async def test_what_an_idle_worker_has_of_the_concurrency_goes_to_those_at_work() -> None:
    told, shares = Told(), dict[str, Share]()
    under_way = {"a": 5, "b": 0}

    async def pulse(worker: str, share: Share) -> Heard:
        shares[worker] = share
        told.now += 1.0
        return word(worker, int(told.now), in_flight=under_way[worker])

    roster = told.roster
    roster.calls, roster.concurrency = cast(Calls, SimpleNamespace(pulse=pulse)), 8
    roster.threads = {"a": 2, "b": 2}

    async def turn() -> dict[str, int | None]:
        roster._divide()
        for worker in roster.threads:
            await roster._ask(worker, roster.members.setdefault(worker, Member()))
        return {worker: share.concurrency for worker, share in shares.items()}

    seen = [await turn() for _ in range(5)]
    assert seen == [{"a": 4, "b": 4}] * 3 + [{"a": 4, "b": 1}, {"a": 7, "b": 1}]
    under_way["b"] = 5
    assert [await turn() for _ in range(3)] == [{"a": 7, "b": 1}, {"a": 4, "b": 1}, {"a": 4, "b": 4}]


async def test_a_drain_is_told_at_once_and_lifts_no_limit() -> None:
    told, shares = Told(), dict[str, Share]()

    async def pulse(worker: str, share: Share) -> Heard:
        shares[worker] = share
        return word(worker, 1, in_flight=1)

    roster, stop = told.roster, Stop()
    roster.calls, roster.concurrency, roster.rate_now = cast(Calls, SimpleNamespace(pulse=pulse)), 8, lambda: 1000
    roster.threads = {"a": 2, "b": 2}
    roster._divide()
    stop.ask("a signal")
    await roster._tell_stop(stop)
    assert shares == dict.fromkeys("ab", Share(4, 500.0, draining=True))
