"""One refused object or everything refused: when a run must stop instead of marking objects failed one by one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from blobmove.core.errors import Kind, Side
from blobmove.core.frozen import frozen
from blobmove.core.model import State

if TYPE_CHECKING:
    from blobmove.core.model import Outcome

HELD_LIMIT: Final = 20
"""Refusals in a row, without one good answer of that side, that count as a general failure."""

DOUBTFUL: Final = frozenset({Kind.DENIED, Kind.UNREACHABLE, Kind.TRANSIENT, Kind.THROTTLED})
"""Kinds that may be about this object or about everything; they are held until the next answer tells."""

SOURCE_ANSWERED: Final = frozenset({State.CHANGED, State.GONE})
"""Ends that S3 has told of, and nobody else, when objects come from there."""

BOTH_ANSWERED: Final = frozenset({State.COPIED, State.PRESENT, State.CONFLICT})
"""Ends that both sides have told of."""

_NEITHER: Final[frozenset[Side]] = frozenset()
_SOURCE: Final = frozenset({Side.SOURCE})
_DESTINATION: Final = frozenset({Side.DESTINATION})
_BOTH: Final = frozenset(Side)


@frozen
class Doubt:
    """A failure that may be general: the outcome it would be, the side and kind of the refusal, its code and text."""

    outcome: Outcome
    side: Side
    kind: Kind
    code: str
    detail: str


@dataclass(slots=True)
class Circuit:
    """Holds doubtful failures back until another object shows that the side works.

    Outcomes that are held when the run stops are dropped: those objects stay pending, nothing that was not really
    tried is marked failed (issue: one 403 fails one object; when everything answers 403 the run stops). `answered`
    names the sides that did what was asked of them at least once in this run; `by_source` the ends for which the
    source alone has answered, `by_destination` those for which the destination alone has.
    """

    held: list[Doubt] = field(default_factory=list)
    open: bool = False
    answered: set[Side] = field(default_factory=set)
    by_source: frozenset[State] = SOURCE_ANSWERED
    by_destination: frozenset[State] = frozenset()

    def settled(self, outcome: Outcome) -> list[Outcome]:
        """An object ended without doubt: returns it together with the held ones that are now cleared."""
        cleared = self._answered_by(outcome.state)
        self.answered |= cleared
        freed = [doubt.outcome for doubt in self.held if doubt.side in cleared]
        self.held = [doubt for doubt in self.held if doubt.side not in cleared]
        return [*freed, outcome]

    def all_settled(self, states: Iterable[State]) -> bool:
        """Objects ended like this, none of them in doubt; False, and nothing is noted, where failures are held."""
        if self.held:
            return False
        for state in states:
            self.answered |= self._answered_by(state)
        return True

    def _answered_by(self, state: State) -> frozenset[Side]:
        if state in BOTH_ANSWERED:
            return _BOTH
        if state in self.by_source:
            return _SOURCE
        return _DESTINATION if state in self.by_destination else _NEITHER

    def doubted(self, doubt: Doubt) -> bool:
        """Hold a doubtful failure; True when there are now so many that the run must stop."""
        self.held.append(doubt)
        same = sum(1 for other in self.held if other.side is doubt.side)
        self.open = self.open or same >= HELD_LIMIT
        return self.open

    def sides(self) -> tuple[Side, ...]:
        """The sides that have held failures and must be probed when the work is done."""
        return tuple(side for side in Side if any(doubt.side is side for doubt in self.held))

    def unproven(self, side: Side) -> Doubt | None:
        """A denial of a side that has not done anything it was asked in this run: it may be about every object."""
        if side in self.answered:
            return None
        return next((doubt for doubt in self.held if doubt.side is side and doubt.kind is Kind.DENIED), None)

    def release(self, side: Side) -> list[Outcome]:
        """The probe of this side went well: its held failures were about those objects."""
        freed = [doubt.outcome for doubt in self.held if doubt.side is side]
        self.held = [doubt for doubt in self.held if doubt.side is not side]
        return freed
