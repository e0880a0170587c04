"""Frozen values: dataclasses that nobody may change, as the type checker sees to it, made cheaply and cheap to make."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform, overload

T = TypeVar("T")


@overload
def frozen(kind: type[T], /) -> type[T]: ...
@overload
def frozen(*, kw_only: bool) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(kind: type[T] | None = None, *, kw_only: bool = False) -> type[T] | Callable[[type[T]], type[T]]:
    """Like `dataclass(frozen=True, slots=True)`, but that an assignment is refused by mypy alone, not at run time.

    Python's own way to refuse it costs whoever makes a value: each field is set by a call. Of ten fields 2.4 us
    instead of 0.4, several times an object. And only `__init__` is written and compiled for the class; what compares,
    hashes and shows its values is here, once for all: 0.2 ms of a start for a class of nine fields instead of 0.46, of
    which a copy has some eighty (docs/explanation/performance.md). What a class defines by itself stays.
    """
    if kind is None:
        return lambda found: _made(found, kw_only)
    return _made(kind, kw_only)


def _made(kind: type[T], kw_only: bool) -> type[T]:
    made = dataclass(slots=True, eq=False, repr=False, kw_only=kw_only)(kind)
    told = fields(made)  # type: ignore[arg-type]
    methods = (
        *_comparing(_values(*(one.name for one in told if one.compare))),
        _showing(tuple(one.name for one in told if one.repr)),
    )
    for method in methods:
        if kind.__dict__.get(method.__name__) is None:  # Python itself takes the hash from a class with its own __eq__
            setattr(made, method.__name__, method)
    return made


def _values(*names: str) -> Callable[[object], Any]:
    """What gets the values of these fields of an object, as something to compare and to hash."""
    return attrgetter(*names) if names else lambda _: ()


def _comparing(values: Callable[[object], Any]) -> tuple[Callable[..., Any], ...]:
    def __eq__(self: object, other: object) -> bool:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    def __hash__(self: object) -> int:
        return hash(values(self))

    return __eq__, __hash__


def _showing(names: tuple[str, ...]) -> Callable[..., str]:
    def __repr__(self: object) -> str:
        told = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{type(self).__qualname__}({told})"

    return __repr__
