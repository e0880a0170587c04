"""The simulation adds up, and says what binds."""

from __future__ import annotations

import pytest

from tests.cluster.simulation import Costs, simulated
from tests.cluster.speed import Speeds
from tests.cluster.tables import markdown

CHEAP = Costs(1e-6)


def test_ten_workers_are_ten_times_one_as_long_as_nothing_else_binds() -> None:
    one, ten = (simulated(number, CHEAP, objects=1_000_000) for number in (1, 10))
    assert ten.objects_per_second == pytest.approx(10 * one.objects_per_second, rel=0.1)
    assert ten.binds == "the workers"


def test_an_expensive_coordinator_binds() -> None:
    found = simulated(100, Costs(1e-3), objects=1_000_000)
    assert found.binds == "the coordinator's one core"
    assert found.objects_per_second <= 1000


def test_the_account_binds_many_workers() -> None:
    found = simulated(100, CHEAP, objects=1_000_000, account=5000.0)
    assert found.binds == "the account's limit"
    assert found.objects_per_second == pytest.approx(5000, rel=0.15)


def test_the_cost_of_an_object_is_the_slope_of_two_runs() -> None:
    assert Costs.of({"1000": 2.0, "11000": 3.0}).an_object == pytest.approx(1e-4)


def test_the_tables_show_what_was_measured() -> None:
    found = Speeds(6400, 4096, 32, {"1": 40.0, "4": 10.0}, {"1": 128.0, "4": 40.0}, {"1": 128.0, "4": 32.0},
                   {"10": 1.0, "20": 2.0})
    text = markdown(found, [simulated(2, CHEAP, objects=10_000)])
    assert "| 160/s | 640/s | 4.00 | 3.6 |" in text
    assert "with CRC64NVME | 32 MiB/s | 102 MiB/s | 3.20 | 3 |" in text
    assert "in parts of 64 MiB | 32 MiB/s | 128 MiB/s | 4.00 | 3 |" in text
