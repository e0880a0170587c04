"""Names in order, whatever came and went between two looks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.cloud.ordered import Ordered

_STEPS = st.lists(st.tuples(st.sampled_from(["add", "remove", "look"]), st.text("abc", max_size=3)), max_size=40)


@given(_STEPS)
def test_it_is_a_sorted_set(steps: list[tuple[str, str]]) -> None:
    ordered, expected = Ordered(), set[str]()
    for step, name in steps:
        if step == "add" and name not in expected:
            ordered.add(name)
            expected.add(name)
        elif step == "remove" and name in expected:
            ordered.remove(name)
            expected.remove(name)
        elif step == "look":
            assert ordered.all() == sorted(expected)
    assert ordered.all() == sorted(expected)
