"""The cases: as many and as large objects as their titles say."""

from __future__ import annotations

from statistics import quantiles

import pytest

from tests.bench import rclone_flags
from tests.bench.cases import ALL, BY_NAME, GIB, KIB, MIB, mixed


@pytest.mark.parametrize(
    ("name", "objects", "size"),
    [("4k", 20_000, 4 * KIB), ("64k", 20_000, 64 * KIB), ("1m", 2_000, MIB), ("64m", 40, 64 * MIB), ("1g", 2, GIB)],
)
def test_a_case_has_the_objects_of_its_title(name: str, objects: int, size: int) -> None:
    assert BY_NAME[name].objects == objects
    assert BY_NAME[name].bytes == objects * size


def test_the_mix_has_its_median_and_its_tail() -> None:
    hundredths = quantiles(mixed(2_000), n=100)

    assert hundredths[49] == pytest.approx(80 * KIB, rel=0.02)
    assert hundredths[98] == pytest.approx(20 * MIB, rel=0.05)


def test_the_mix_is_the_same_every_time_and_in_no_order() -> None:
    assert mixed(500) == mixed(500)
    assert list(mixed(500)) != sorted(mixed(500))
    assert sum(mixed(2_000)[:1_000]) == pytest.approx(sum(mixed(2_000)) / 2, rel=0.5)


def test_a_shortened_case_keeps_name_and_sizes() -> None:
    short = BY_NAME["4k"].shortened(7)

    assert (short.name, short.objects, short.bytes) == ("4k", 7, 28 * KIB)


@pytest.mark.parametrize("far", [False, True])
@pytest.mark.parametrize("case", [one.name for one in ALL])
def test_rclone_has_flags_for_every_case(case: str, far: bool) -> None:
    for flags in (rclone_flags.tuned(case, far=far), rclone_flags.plain(case, far=far)):
        assert any(flag.startswith("--transfers=") for flag in flags)
