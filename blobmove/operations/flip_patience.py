"""Asking the database until it answers: pauses after a lock, a new connection after a loss, the same server only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from blobmove.core.errors import HeldError, RefusedError, UsageError
from blobmove.core.events import Throttled
from blobmove.core.flipping import DatabaseTrouble, Trouble, backoff

if TYPE_CHECKING:
    from collections.abc import Callable

    from blobmove.core.flipping import ServerFacts
    from blobmove.operations.flip_doors import FlipDoors

T = TypeVar("T")
TRIES: Final = 10
"""Tries at one question: with the pauses between them about a minute, the length of a fail-over."""


class Patience:
    """Puts questions to the table; the server that answers first must be the one that answers ever after."""

    def __init__(self, doors: FlipDoors, *, writing: bool) -> None:
        self._doors = doors
        self._writing = writing
        self._identity: str | None = None
        self._lost = False

    def meet(self) -> ServerFacts:
        """Who is there. To be called first."""
        facts = self.ask(self._doors.table.facts)
        self._identity = facts.identity
        return facts

    def ask(self, question: Callable[[], T], tries: int = TRIES) -> T:
        """The answer. Raises the last DatabaseTrouble of kind BUSY when the tries are used up; after a loss that
        lasts UsageError E000-DATABASE, RefusedError E412-SERVER when another server answers or it became read-only.
        """
        attempt = 0
        while True:
            try:
                if attempt and self._lost:
                    self._connect_again()
                return question()
            except (DatabaseTrouble, HeldError) as fault:
                attempt += 1
                if isinstance(fault, HeldError) and not self._lost:
                    raise
                self._lost |= isinstance(fault, DatabaseTrouble) and fault.trouble is Trouble.LOST
                if attempt >= tries or self._doors.stop():
                    raise self._final(fault) from None
                self._pause(fault, attempt)

    def _connect_again(self) -> None:
        """HeldError here may be our own dead connection that the server has not buried yet: it counts as a try."""
        table = self._doors.table
        table.reconnect()
        facts = table.facts()
        if self._identity not in (None, facts.identity):
            raise RefusedError(
                "E412-SERVER",
                f"after the connection was lost, another server answers at {table.describe()}",
                cause=f"was {self._identity}, now {facts.identity}",
                hint="look which server the application uses; the batch at hand is settled by the next run",
            )
        if self._writing and facts.read_only:
            raise DatabaseTrouble(Trouble.LOST, "read-only", "the server does not accept writes")
        self._lost = False

    def _pause(self, fault: DatabaseTrouble | HeldError, attempt: int) -> None:
        wait = backoff(attempt, self._doors.draw())
        self._doors.listener(Throttled("database", fault.code, wait, 1))
        self._doors.sleep(wait)

    def _final(self, fault: DatabaseTrouble | HeldError) -> Exception:
        if isinstance(fault, HeldError) or fault.trouble is Trouble.BUSY:
            return fault
        return UsageError(
            "E000-DATABASE",
            f"the connection to {self._doors.table.describe()} was lost and did not come back",
            cause=f"{fault.code}: {fault.detail}",
            hint="run the same command again: it first settles the batch that was at hand",
        )
