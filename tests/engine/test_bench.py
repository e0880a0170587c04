"""The bench: how many objects may be under way with it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

from tests.engine.benches import Staging, bench_of


def test_places_are_azure_s_alone_until_something_is_asked_of_s3_and_both_sides_from_then_on() -> None:
    asked: Counter[str] = Counter()
    bench = replace(bench_of(Staging()), source=cast(Any, SimpleNamespace(requests=asked)))
    bench.s3.concurrency.slots, bench.azure.concurrency.slots = 5, 7
    assert bench.places() == 7
    asked["HeadObject"] += 1  # an object without a row: others must not wait for it
    assert bench.places() == 12
    bench.azure.concurrency.slots = 9
    assert bench.places() == 14
