"""Forecast: sums that add up, dollars tier by tier."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blobmove.core.blocks import MAX_BLOCK_BYTES, MAX_BLOCKS, MIB
from blobmove.core.forecast import GIB, PRICES, SIZE_BOUNDS, Sizing, egress_dollars

SIZES = st.lists(st.none() | st.integers(0, 5 * GIB), max_size=50)


def sizing(sizes: list[int | None], storage_class: str = "STANDARD") -> Sizing:
    found = Sizing(whole_limit=32 * MIB, block_size=8 * MIB)
    for size in sizes:
        found.add(size, storage_class)
    return found


@given(SIZES)
def test_the_size_classes_add_up_to_the_whole(sizes: list[int | None]) -> None:
    found = sizing(sizes)
    buckets = found.buckets()
    assert sum(bucket.objects for bucket in buckets) + found.unknown == found.objects == len(sizes)
    assert sum(bucket.bytes for bucket in buckets) == found.bytes == sum(size or 0 for size in sizes)
    assert tuple(bucket.up_to for bucket in buckets) == SIZE_BOUNDS


@pytest.mark.parametrize(("size", "place"), [
    (0, 0), (65536, 0), (65537, 1), (MIB, 1), (32 * MIB, 2), (GIB, 3), (GIB + 1, 4),
])
def test_an_object_lies_in_the_class_up_to_its_bound(size: int, place: int) -> None:
    assert [bucket.objects for bucket in sizing([size]).buckets()].index(1) == place


@given(SIZES)
def test_the_dollars_add_up(sizes: list[int | None]) -> None:
    forecast = sizing(sizes, "STANDARD_IA").forecast()
    parts = ("s3_requests", "s3_retrieval", "egress", "azure_writes")
    assert forecast.dollars["total"] == pytest.approx(sum(forecast.dollars[part] for part in parts), abs=0.001)
    assert forecast.seconds[0] <= forecast.seconds[1]


def test_a_small_object_is_one_get_and_one_write() -> None:
    found = sizing([0, 1, 32 * MIB, None])
    assert (found.gets, found.writes, found.unknown) == (4, 4, 1)


def test_a_large_object_is_a_get_and_a_write_a_block_and_one_write_more() -> None:
    found = sizing([32 * MIB + 1])
    assert (found.gets, found.writes) == (5, 6)


def test_an_object_that_is_read_twice_costs_its_way_out_of_s3_twice_and_its_place_at_azure_once() -> None:
    once, twice = sizing([300 * GIB], "STANDARD_IA"), Sizing(whole_limit=32 * MIB, block_size=8 * MIB)
    twice.add(300 * GIB, "STANDARD_IA", readings=2)
    assert (twice.gets, twice.writes, twice.bytes) == (once.gets * 2, once.writes, once.bytes)
    cheap, dear = once.forecast().dollars, twice.forecast().dollars
    assert dear["egress"] == pytest.approx(egress_dollars(600, PRICES))
    assert dear["s3_retrieval"] == pytest.approx(cheap["s3_retrieval"] * 2)
    assert dear["azure_storage_per_month"] == cheap["azure_storage_per_month"]


def test_a_huge_object_takes_no_more_blocks_than_azure_allows() -> None:
    found = sizing([5 * 1024 * GIB])
    assert 49_000 < found.gets <= MAX_BLOCKS
    assert found.writes == found.gets + 1
    assert sizing([MAX_BLOCKS * MAX_BLOCK_BYTES + 1]).gets == MAX_BLOCKS


def test_a_large_object_of_one_block_is_still_committed() -> None:
    found = Sizing(whole_limit=MIB, block_size=8 * MIB)
    found.add(2 * MIB)
    assert (found.gets, found.writes) == (1, 2)


@pytest.mark.parametrize(("storage_class", "retrieved"), [
    ("STANDARD", 0), ("INTELLIGENT_TIERING", 0), ("STANDARD_IA", 7), ("ONEZONE_IA", 7), ("GLACIER_IR", 7),
])
def test_infrequent_classes_pay_for_retrieval(storage_class: str, retrieved: int) -> None:
    assert sizing([7], storage_class).retrieval_bytes == retrieved


@pytest.mark.parametrize(("gib", "dollars"), [
    (0, 0), (100, 0), (101, 0.09), (100 + 10240, 921.6), (100 + 10240 + 1, 921.685),
    (100 + 51200, 921.6 + 40960 * 0.085), (100 + 153600, 921.6 + 40960 * 0.085 + 102400 * 0.07),
    (100 + 153600 + 10, 921.6 + 40960 * 0.085 + 102400 * 0.07 + 0.5),
])
def test_egress_is_priced_tier_by_tier(gib: float, dollars: float) -> None:
    assert egress_dollars(gib, PRICES) == pytest.approx(dollars)


@given(st.floats(0, 10**7), st.floats(0, 10**6))
def test_more_egress_never_costs_less(gib: float, more: float) -> None:
    assert egress_dollars(gib + more, PRICES) >= egress_dollars(gib, PRICES) - 1e-6


def test_own_prices_are_used() -> None:
    prices = {**PRICES, "egress_free_gib": 0.0, "egress_per_gib_to_10_tib": 1.0}
    assert sizing([GIB]).forecast(prices).dollars["egress"] == 1.0
