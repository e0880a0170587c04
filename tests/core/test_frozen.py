"""Frozen: a value like any other, made of slots alone; that nobody changes it is the type checker's to see."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field, replace

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


@frozen(kw_only=True)
class Ticket:
    """A value whose fields are told by name; one of them is a secret, one says nothing of what it is."""

    place: Place
    code: str = field(default="", repr=False)
    seen: int = field(default=0, compare=False)


def test_fields_by_name_alone_secrets_that_are_not_shown_and_what_makes_no_difference() -> None:
    ticket = Ticket(place=Place(2), code="s3cret", seen=1)
    assert repr(ticket) == "Ticket(place=Place(row=2, seat=1), seen=1)"
    assert ticket == replace(ticket, seen=2)
    assert hash(ticket) == hash(replace(ticket, seen=2))
    assert ticket != replace(ticket, code="other")
    with pytest.raises(TypeError, match="positional"):
        Ticket(Place(2))  # type: ignore[call-arg]


def test_what_a_class_says_of_itself_stays() -> None:
    @frozen
    class Any:
        """Equal to all of its kind."""

        row: int

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Any)

        def __repr__(self) -> str:
            return "Any"

    assert (Any(1), repr(Any(1))) == (Any(2), "Any")
    assert hash(Any(1)) == hash(Any(1))


def test_one_of_no_fields_and_one_of_more_than_its_base() -> None:
    @frozen
    class Nothing:
        """A value like no other."""

    @frozen
    class Box(Place):
        """A place with a door."""

        door: int = 0

    assert (Nothing(), repr(Nothing()).rpartition(".")[2]) == (Nothing(), "Nothing()")
    assert Box(2) != Place(2)
    assert (Box(2, 3, 4), hash(Box(2, 3, 4))) == (Box(2, 3, 4), hash(Box(2, 3, 4)))
    assert Box(2, 3, 4) != Box(2, 3, 5)


def test_to_make_one_no_field_is_set_by_a_call() -> None:
    @dataclass(frozen=True, slots=True)
    class Refusing:
        row: int
        seat: int = 1

    assert "__setattr__" in vars(Refusing)
    assert "__setattr__" not in vars(Place)
