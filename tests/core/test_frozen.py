"""Frozen: a value like any other, made of slots alone; that nobody changes it is the type checker's to see."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, replace

import pytest

from blobmove.core.frozen import frozen


@frozen
class Place:
    """A value of two fields."""

    row: int
    seat: int = 1


def test_values_are_equal_by_their_fields_and_can_be_keys() -> None:
    assert Place(2) == Place(2, 1) != Place(2, 3)
    assert {Place(2), Place(2, 1), replace(Place(2), seat=3)} == {Place(2), Place(2, 3)}
    assert repr(Place(2)) == "Place(row=2, seat=1)"
    assert pickle.loads(pickle.dumps(Place(2, 3))) == Place(2, 3)  # noqa: S301 - our own


def test_mypy_refuses_an_assignment_and_slots_refuse_a_field_that_is_none() -> None:
    place = Place(2)
    place.row = 3  # type: ignore[misc]  # scripts/lint would call this comment unused if mypy let it pass
    with pytest.raises(AttributeError):
        place.column = 3  # type: ignore[attr-defined]


def test_to_make_one_no_field_is_set_by_a_call() -> None:
    @dataclass(frozen=True, slots=True)
    class Refusing:
        row: int
        seat: int = 1

    assert "__setattr__" in vars(Refusing)
    assert "__setattr__" not in vars(Place)
