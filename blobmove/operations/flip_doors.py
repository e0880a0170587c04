"""What a flip works with: the table, the ledger, the journal, a clock, and the ways to be heard and to be stopped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from blobmove.core.events import Listener, silent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from blobmove.checkpoint.journal import FlipJournal
    from blobmove.core.flipping import Ledger, ServerFacts
    from blobmove.core.model import BlobRow

RowId = int | str


class BlobTable(Protocol):
    """`active_storage_blobs`, as stores.rails.database.RailsDatabase offers it.

    Every method may raise DatabaseTrouble (it passes) or a BlobmoveError (the operator must act).
    """

    def describe(self) -> str: ...

    def facts(self) -> ServerFacts: ...

    def services(self) -> dict[str, int]: ...

    def pages(
        self, after_id: RowId | None = None, limit: int = 1000, services: Sequence[str] | None = None
    ) -> list[BlobRow]: ...

    def rows(self, ids: Sequence[RowId]) -> list[BlobRow]: ...

    def current(self, ids: Sequence[RowId]) -> dict[RowId, str | None]: ...

    def parse_id(self, written: str) -> RowId: ...

    def check_grants(self) -> None: ...

    def lock(self) -> None: ...

    def reconnect(self) -> None: ...

    def flip(self, ids: Sequence[RowId], old: str, new: str) -> int: ...

    def statement(self, ids: Sequence[RowId], old: str, new: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Approval:
    """What the operator has said yes to.

    `confirmed`: the name of the new service was typed or given as `--confirm`. `any_server`: the journal of
    another server may be used (after a fail-over). `replica`: the server may itself replicate from another one.
    """

    confirmed: bool = False
    any_server: bool = False
    replica: bool = False


@dataclass(frozen=True, slots=True)
class FlipDoors:
    """The surroundings of one flip; everything blocks and is used from one thread.

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
    listener: Listener = silent
