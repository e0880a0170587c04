"""What a flip works with: the table, the ledger, the journal, a clock, and the ways to be heard and to be stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from blobmove.core.events import Listener, silent
from blobmove.core.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from blobmove.checkpoint.journal import FlipJournal
    from blobmove.core.flipping import Ledger, Outlook, ServerFacts
    from blobmove.core.rows import Rows

RowId = int | str


class BlobTable(Protocol):
    """`active_storage_blobs`, as stores.rails.database.RailsDatabase offers it.

    Every method may raise DatabaseTrouble (it passes) or a BlobmoveError (the operator must act).
    """

    def describe(self) -> str: ...

    def facts(self) -> ServerFacts: ...

    def services(self, names: Sequence[str] | None = None) -> dict[str, int]: ...

    def candidates(self, after_id: RowId | None, limit: int, services: Sequence[str]) -> Rows: ...

    def rows(self, ids: Sequence[RowId]) -> Rows: ...

    def current(self, ids: Sequence[RowId]) -> dict[RowId, str | None]: ...

    def parse_id(self, written: str) -> RowId: ...

    def check_grants(self) -> None: ...

    def lock(self) -> None: ...

    def reconnect(self) -> None: ...

    def flip(self, ids: Sequence[RowId], old: str, new: str) -> int: ...

    def statement(self, ids: Sequence[RowId], old: str, new: str) -> str: ...

    def script(self) -> tuple[str, ...]: ...

    def position(self) -> str | None: ...

    def threads_running(self) -> int: ...

    def number(self, sql: str) -> float | None: ...

    def standby_lags(self) -> dict[str, float | None] | None: ...

    def outlook(self, ids: Sequence[RowId], old: str, new: str) -> Outlook: ...


class Replica(Protocol):
    """A server that follows the one we write to; `name` is for people.

    Both ask for seconds, None where replication stands still or nobody answers. Raise AccessError, UsageError.
    """

    name: str

    def lag(self) -> float | None: ...

    def number(self, sql: str) -> float | None: ...


@frozen
class Approval:
    """What the operator has said yes to.

    `confirmed`: the name of the new service was typed or given as `--confirm`. `any_server`: another server may
    answer than the one the journal names, and after a loss (a fail-over). `replica`: the server may itself replicate
    from another one.
    """

    confirmed: bool = False
    any_server: bool = False
    replica: bool = False


@frozen
class FlipDoors:
    """The surroundings of one flip; everything blocks. All but `table.flip` is used from one thread.

    `reader` is the same table on a connection of its own: with it the next batch is read, judged and journaled while
    the one before is being changed. `replicas` are those whose lag counts.
    `sleep` takes seconds, `clock` gives monotonic seconds, `now` the time as ISO 8601 in UTC, `draw` a random number
    in [0, 1); `stop` tells whether to end after the batch at hand. `host` and `operator` go into the journal.
    """

    table: BlobTable
    ledger: Ledger
    journal: FlipJournal
    sleep: Callable[[float], None]
    clock: Callable[[], float]
    now: Callable[[], str]
    draw: Callable[[], float]
    host: str = ""
    operator: str = ""
    stop: Callable[[], bool] = lambda: False
    reader: BlobTable | None = None
    replicas: Sequence[Replica] = ()
    listener: Listener = silent

    @property
    def reading(self) -> BlobTable:
        """Where questions go that need not wait for a batch."""
        return self.table if self.reader is None else self.reader
