"""Asking the database until it answers: pauses after a lock, a new connection after a loss, the same server only.

A question may be begun ahead: it is put in a thread, once and without patience, while its asker does other things.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from blobmove.core.errors import HeldError, RefusedError
from blobmove.core.events import Note, Throttled
from blobmove.core.flipping import DatabaseTrouble, Trouble, backoff

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from blobmove.core.flipping import ServerFacts
    from blobmove.operations.flip_doors import BlobTable, FlipDoors

T = TypeVar("T")
TRIES: Final = 10
"""Tries at one question: with the pauses between them about a minute, the length of a fail-over."""


class Patience:
    """Puts questions to one connection; the server that answers first must be the one that answers ever after.

    Questions may be begun ahead only within its context: leaving it waits for the one that is under way. `losses`
    counts the connections that were lost and made again.
    """

    def __init__(self, doors: FlipDoors, *, writing: bool, any_server: bool = False, reading: bool = False) -> None:
        self._doors = doors
        self._table: BlobTable = doors.reading if reading else doors.table
        self._writing = writing
        self._any_server = any_server
        self._lost = False
        self._thread = ThreadPoolExecutor(1, "flip-ahead") if reading and doors.reader is not None else None
        self._under_way: list[Future[Any]] = []
        self.server: str | None = None
        self.losses = 0

    def __enter__(self) -> Patience:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._thread is not None:
            self._thread.shutdown()

    @property
    def unsure(self) -> bool:
        """Whether a connection was lost, be it made again or not: what was read before may not be so where we are now,
        also when the server bears the same name (PostgreSQL's standby does)."""
        return self._lost or self.losses > 0

    def meet(self) -> ServerFacts:
        """Who is there. To be called first."""
        facts = self.ask(self._table.facts)
        self.server = facts.identity
        return facts

    def meet_again(self, server: str) -> None:
        """The second connection. Raises RefusedError E412-SERVER when it has reached another server than the first."""
        self.server = server
        self._recognise(self.ask(self._table.facts))

    def ask(self, question: Callable[[], T], tries: int = TRIES, first: DatabaseTrouble | None = None) -> T:
        """The answer. `tries` bounds those that meet locks; a database that is away always gets TRIES.

        `first` is how a try has ended that somebody else has made already. Raises the last DatabaseTrouble when the
        tries are used up or a stop is asked for, RefusedError E412-SERVER when another server answers after a loss,
        HeldError when another run took the lock meanwhile.
        """
        wait(self._under_way)
        attempt = busy = 0
        while True:
            try:
                if first is not None:
                    fault, first = first, None
                    raise fault
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
                self.pause(fault, attempt)

    def begin(self, question: Callable[[], T]) -> Begun[T]:
        """Put it in a thread, where this connection may be kept busy meanwhile; else it is put when asked for."""
        if self._thread is None:
            return Begun(self, question, None)
        future = self._thread.submit(self._once, question)
        self._under_way = [future]
        return Begun(self, question, future)

    def _once(self, question: Callable[[], T]) -> T | DatabaseTrouble:
        """In the thread. A loss is known from here on, not only when the answer is wanted."""
        try:
            return question()
        except DatabaseTrouble as trouble:
            self._lost |= trouble.trouble is Trouble.LOST
            return trouble

    def _connect_again(self) -> None:
        """HeldError here may be our own dead connection that the server has not buried yet: it counts as a try."""
        self._table.reconnect()
        self.losses += 1
        facts = self._table.facts()
        self._recognise(facts)
        if self._writing and facts.read_only:
            raise DatabaseTrouble(Trouble.LOST, "read-only", "the server does not accept writes")
        self._lost = False

    def _recognise(self, facts: ServerFacts) -> None:
        """The same server as before; after a fail-over another one, if that was approved."""
        former, self.server = self.server, facts.identity
        if former in (None, facts.identity):
            return
        if self._any_server:
            told = f"{self._table.describe()} is another server now ({facts.identity}, was {former})"
            self._doors.listener(Note(f"{told}; going on, because --any-server was given"))
            return
        self.server = former
        raise RefusedError(
            "E412-SERVER",
            f"another server answers at {self._table.describe()} than at the beginning",
            cause=f"was {former}, now {facts.identity}",
            hint="look which server the application writes to; if it is this one, run again with --any-server",
        )

    def pause(self, fault: DatabaseTrouble | HeldError, attempt: int = 1) -> None:
        """Leave the server alone for a while, and say why."""
        wait = backoff(attempt, self._doors.draw())
        code = fault.server_code if isinstance(fault, DatabaseTrouble) else fault.code
        self._doors.listener(Throttled("database", code, wait, 1))
        self._doors.sleep(wait)


class Begun(Generic[T]):
    """A question that may be under way. What a connection has answered that was lost since is asked again."""

    def __init__(
        self, patience: Patience, question: Callable[[], T], future: Future[T | DatabaseTrouble] | None
    ) -> None:
        self._patience = patience
        self._question = question
        self._future = future
        self._losses = patience.losses

    def answer(self) -> T:
        """Wait for it, with patience where the first try has met trouble. Raises what Patience.ask raises."""
        first = None if self._future is None else self._future.result()
        if self._patience.losses != self._losses:
            return self._patience.ask(self._question)
        if first is None or isinstance(first, DatabaseTrouble):
            return self._patience.ask(self._question, first=first)
        return first
