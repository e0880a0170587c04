"""What is sent at once and how fast: a simulated service with a hidden limit, whatever its rate, latency, manners."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from math import inf
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blobmove.core.concurrency import BESIDE_BULK, Concurrency
from tests.core.simulated_service import Crowd, Service, Stalls

RATES = [200, 1000, pytest.param(5000, marks=pytest.mark.heavy), pytest.param(20_000, marks=pytest.mark.heavy)]
LATENCIES = [0.001, 0.02, 0.1]


def crowd(service: Service, most: int = 4096) -> Crowd:
    return Crowd(service, Concurrency(16, most=most), clients=2 * most)


@pytest.mark.parametrize("latency", LATENCIES)
@pytest.mark.parametrize("rate", RATES)
def test_a_service_that_refuses_is_used_at_its_limit_and_refuses_few(rate: int, latency: float) -> None:
    users = crowd(Service(lambda _: rate, latency, jitter=latency / 5))
    users.run(30)
    for start in (10, 20):
        accepted, sent, refused = users.share(start, start + 10)
        assert 0.97 * rate <= accepted
        assert sent <= 1.05 * rate
        assert refused < 0.02


@pytest.mark.parametrize("burst", [0.02, 1.0])
def test_whatever_burst_a_service_forgives_its_limit_is_kept(burst: float) -> None:
    users = crowd(Service(lambda _: 500, 0.02, burst_seconds=burst, jitter=0.02))
    users.run(25)
    accepted, sent, refused = users.share(15, 25)
    assert 450 <= accepted <= sent <= 525
    assert refused < 0.02


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("burst", [0.02, 0.1])
def test_a_machine_that_stands_still_now_and_then_learns_no_lower_limit_from_it(burst: float, seed: int) -> None:
    """A quarter of the time it does nothing, and what it did not send then cannot have been accepted."""
    users = crowd(Service(lambda _: 300, 0.02, jitter=0.004, burst_seconds=burst), most=512)
    users = replace(users, noticed=Stalls(0.1, 0.03, Random(seed)))
    users.run(30)
    for start in (10, 20):
        accepted, sent, refused = users.share(start, start + 10)
        assert accepted >= 0.8 * 300
        assert sent <= 1.05 * 300
        assert refused < 0.02


@pytest.mark.parametrize("latency", LATENCIES)
@pytest.mark.parametrize("rate", RATES)
def test_a_service_that_queues_is_used_whole_and_its_queue_stays_short(rate: int, latency: float) -> None:
    users = crowd(Service(lambda _: rate, latency, queues=True, jitter=latency / 5))
    users.run(30)
    assert users.share(10, 30)[0] >= 0.95 * rate
    least = 16 / rate  # latency alone never asks for fewer than it began with
    assert users.latency(10, 30) <= 2.5 * (latency + 1 / rate) + 0.03 + least


@pytest.mark.parametrize("factor", [0.5, 2.0])
@pytest.mark.parametrize(("rate", "latency"), [(300, 0.001), (300, 0.02), (3000, 0.05)])
def test_a_limit_that_moves_is_followed_within_ten_seconds(rate: int, latency: float, factor: float) -> None:
    users = crowd(Service(lambda now: rate if now < 15 else rate * factor, latency, jitter=latency / 5), most=512)
    users.run(32)
    accepted, sent, refused = users.share(25, 32)
    assert 0.95 * rate * factor <= accepted
    assert sent <= 1.05 * rate * factor
    assert refused < 0.02


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_queue_that_moves_faster_or_slower_is_followed(factor: float) -> None:
    users = crowd(Service(lambda now: 1000 if now < 15 else 1000 * factor, 0.02, queues=True))
    users.run(35)
    assert users.share(25, 35)[0] >= 0.95 * 1000 * factor
    assert users.latency(25, 35) < 0.08


def test_a_limit_that_is_lifted_is_forgotten() -> None:
    users = crowd(Service(lambda now: 300 if now < 10 else 1e9, 0.02), most=32)
    users.run(60)
    assert users.control.pace is None
    assert users.share(50, 60)[0] == pytest.approx(32 / 0.02, rel=0.05)


@pytest.mark.parametrize("rate", [400, 1000, 5000])
def test_more_in_flight_that_brings_no_more_answers_is_taken_back_and_tried_again_now_and_then(rate: int) -> None:
    """A processor or a line that is full: whatever is added only waits there, though not long enough to be slow."""
    control, now, seen = Concurrency(16, most=512), 0.0, []
    for _ in range(20 * rate):
        now += 1 / rate
        control.good(0.05 + control.slots / 10_000, now)
        seen.append(control.slots)
    later = seen[2 * rate:]
    assert min(later) == 16
    assert max(later) <= 24
    assert len([1 for before, after in pairwise(later) if after > before]) >= 2, "it is tried again"
    assert sum(later) / len(later) < 18


def slow(
    control: Concurrency, until: float, start: float = 0.0, bulk: Callable[[float], bool] = lambda now: False
) -> None:
    """Answers that are quick for five seconds and slow from then on: 16 at once, all ten milliseconds."""
    for number in range(round(start * 100), round(until * 100)):
        now = number / 100
        for _ in range(16):
            control.good(0.02 if now < 5 else 0.5, now, bulk(now))


def test_a_refusal_at_any_moment_of_a_look_at_the_undisturbed_latency_ends_it() -> None:
    looks = 0
    for hundredths in range(1490, 1720, 2):
        control = Concurrency(16, most=512)
        slow(control, hundredths / 100)
        looks += control.slots < 16
        control.busy(hundredths / 100)
        slow(control, hundredths / 100 + 60, hundredths / 100)
        assert control.slots >= 8
    assert looks > 3, "some of them came within a look"


def test_large_bodies_at_any_moment_of_a_look_end_it() -> None:
    for hundredths in range(1490, 1720, 10):
        control = Concurrency(16, most=512)
        first = hundredths / 100
        slow(control, first)
        slow(control, 40.0, first, bulk=lambda now: round(now * 100) % 50 == 0)
        assert control.slots >= 16


@pytest.mark.parametrize("latency", [0.2, 1.2, 4.0])
def test_a_service_far_away_is_used_with_all_that_it_takes(latency: float) -> None:
    users = Crowd(Service(lambda _: 1e9, latency, jitter=latency / 5), Concurrency(16, most=256), clients=600)
    users.run(120)
    assert users.control.slots == 256


def test_a_step_is_judged_when_what_it_added_can_have_answered() -> None:
    """What a step adds is answered 0.2 s later, a whole window, as over connections that have yet to be made."""
    control, due, slots = Concurrency(64, most=512), 0.0, []
    control._steep = False
    for milliseconds in range(30_000):
        slots.append(control.slots)
        due += slots[max(0, milliseconds - 200)] / 100  # an answer takes 0.1 s
        while due >= 1:
            due -= 1
            control.good(0.1, milliseconds / 1000)
    assert slots == sorted(slots), "nothing is taken back"
    assert slots[-1] == 512


def test_a_limit_of_the_way_is_no_limit_of_the_service() -> None:
    """Latency that rises for good is taken for what it is after a while; it does not throttle for ever."""
    service = Service(lambda _: 1e9, 0.02)
    users = crowd(service, most=64)
    users.run(10)
    slow = Service(lambda _: 1e9, 0.2)
    later = Crowd(slow, users.control, clients=128)
    later.run(30)
    assert users.control.slots == 64


def test_places_that_nobody_uses_do_not_become_more() -> None:
    few = Crowd(Service(lambda _: 1e9, 0.02), Concurrency(16, most=512), clients=10)
    few.run(5)
    assert few.control.slots == 16
    many = Crowd(Service(lambda _: 1e9, 0.02), few.control, clients=600)
    many.run(20)
    assert few.control.slots == 512


def test_the_first_answer_may_be_a_refusal() -> None:
    control = Concurrency(16)
    assert control.busy(100.0)
    assert control.pace is not None
    assert control.slots == 8
    assert not control.busy(100.01)  # sent before the first refusal came
    assert control.delay(100.02) == 0.0
    assert control.delay(100.02) > 0.0


def test_two_answers_are_too_few_to_judge_a_window_by() -> None:
    control = Concurrency(16)
    control.good(10.0, 1.0)
    control.good(10.0, 1.6)  # the window is over by its time, and all places were used
    assert control.slots == 16
    for number in range(50):
        control.good(10.0, 1.7 + number / 20)
    assert control.slots > 16


def test_refusals_alone_say_nothing_of_latency() -> None:
    control = Concurrency(16)
    for number in range(200):
        control.busy(100.0 + number / 20)
    assert control.slower_at == -inf
    assert control.slots == 8


def test_a_number_asked_for_is_never_exceeded_and_latency_does_not_lower_it() -> None:
    control = Concurrency(24, least=1, most=24, gradient=False)
    Crowd(Service(lambda _: 100, 0.001, queues=True), control, clients=100).run(30)
    assert control.slots == 24


def test_but_a_refusal_lowers_it_until_all_is_well_again() -> None:
    control = Concurrency(24, least=1, most=24, gradient=False)
    control.busy(1.0)
    assert control.slots == 12
    Crowd(Service(lambda _: 1e9, 0.05), control, clients=100).run(40)
    assert control.slots == 24


def test_beside_blocks_slow_answers_mean_nothing_and_few_more_are_sent() -> None:
    control, now = Concurrency(16, most=512), 0.0
    for number in range(6000):
        now += 0.005
        seconds = 0.02 if number < 1000 else 0.5
        control.good(seconds * control.slots / 16, now, number > 900 and number % 50 == 0)
    assert control.slots == BESIDE_BULK
    assert control.slower_at == -inf
    for _ in range(6000):
        now += 0.005
        control.good(0.5, now)
    assert control.slower_at > 30


def test_blocks_take_long_because_they_are_large() -> None:
    control, now = Concurrency(64, most=64), 0.0
    for number in range(4000):
        now += 0.01
        control.good(*((0.02, now) if number < 1000 else (5.0, now, True)))
    assert control.slots == 64
    assert control.slower_at == -inf


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 3), st.floats(0, 40), st.booleans()), max_size=300),
       st.integers(1, 600), st.booleans())
def test_the_limit_stays_between_its_bounds(
    answers: list[tuple[bool, float, float, bool]], start: int, gradient: bool
) -> None:
    control, now = Concurrency(start, least=1, most=600, gradient=gradient), 50.0
    for well, later, seconds, bulk in answers:
        now += later
        if well:
            control.good(seconds, now, bulk)
        else:
            control.busy(now)
        assert 1 <= control.slots <= 600
        assert 0 <= control.delay(now) < 3000
        assert control.pace is None or control.pace.rate >= 1


def test_new_bounds_hold_from_then_on() -> None:
    level = Concurrency(100, least=4, most=512)
    level.bound(1, 20)
    assert level.slots == 20
    level.bound(50, 60)
    assert level.slots == 50


def test_new_bounds_hold_also_while_the_undisturbed_latency_is_looked_for() -> None:
    level = Concurrency(64, least=4, most=512)
    for step in range(2000):
        level.good(0.01 if step < 200 else 0.08, step / 100)
        level.bound(4, 512 if step < 200 else 32)  # as often as a cluster gives them
        assert step < 200 or level.slots <= 32
