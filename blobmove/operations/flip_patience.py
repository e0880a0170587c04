"""Asking the database until it answers: pauses after a lock, a new connection after a loss, the same server only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from blobmove.core.errors import HeldError, RefusedError
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
        """The answer. `tries` bounds those that meet locks; a database that is away always gets TRIES.

        Raises the last DatabaseTrouble when the tries are used up or a stop is asked for, RefusedError E412-SERVER
        when another server answers after a loss, HeldError when another run took the lock meanwhile.
        """
        attempt = busy = 0
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
                busy += isinstance(fault, DatabaseTrouble) and fault.trouble is Trouble.BUSY
                if busy >= tries or attempt >= TRIES or self._doors.stop():
                    raise
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
        code = fault.server_code if isinstance(fault, DatabaseTrouble) else fault.code
        self._doors.listener(Throttled("database", code, wait, 1))
        self._doors.sleep(wait)
