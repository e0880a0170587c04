"""The decisions of the flip but for the gate: from which names, how fast, when to retry; and its nouns."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import Enum, auto
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from blobmove.core.errors import UsageError
from blobmove.core.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from blobmove.core.model import State
    from blobmove.core.rows import ProvenRows

SLOW_BATCH_SECONDS: Final = 0.04
"""After an UPDATE that held its row locks longer the next ones are cut: whoever else wants one of the rows shall wait
for less than a tenth of a second."""

FIRST_BATCH: Final = 1000
"""Rows of the first batch; quick ones grow from there to what was asked for."""
SMALLEST_BATCH: Final = 50
AIM_SECONDS: Final = 0.025
"""How long a batch should take: each has its own cost, so that small ones are slow, and locks shall be short."""
BACKOFF_FIRST: Final = 0.1
BACKOFF_LIMIT: Final = 10.0

UNKNOWN_SIZE: Final = -1
"""Stands for a byte_size of NULL, which Rails itself never writes: no file has it, so that the row is left alone."""


class Candidate(NamedTuple):
    """One row as the gate sees it. A tuple, since there are millions of them: `id` int or uuid text, size in bytes,
    UNKNOWN_SIZE where the table has none."""

    id: int | str
    key: str
    service_name: str
    byte_size: int
    checksum: str | None


class ProvenBlob(NamedTuple):
    """What the checkpoint knows of one key of the plan, whatever its state.

    `size` in bytes, digests raw; `verified` is True or False as `verify` found it, None where it has not looked.
    """

    key: str
    size: int | None
    md5: bytes | None
    state: State
    blob_name: str
    sha256: bytes | None = None
    verified: bool | None = None


ProvenRow = tuple[str, int, str]
"""Key, size in bytes and checksum as Rails writes it, of a file that is proven to be on Azure under this very key."""


class Ledger(Protocol):
    """The questions the flip asks the checkpoint."""

    def proven(self, keys: Sequence[str]) -> dict[str, ProvenBlob]:
        """Every key of these that the plan holds, in whatever state."""
        ...

    def proven_rows(self, keys: Sequence[str]) -> ProvenRows:
        """What rows of these keys must say to pass the gate at once; nothing of a key that needs a closer look."""
        ...

    def last_verify_passed(self) -> bool:
        """Whether `verify` ran after the last copy and found no difference."""
        ...


class Trouble(Enum):
    """What a fault of the database means for the batch at hand."""

    BUSY = auto()  # lock wait, deadlock, serialisation: rolled back, try again after a pause
    LOST = auto()  # the connection or its server's role changed: connect again, look who answers


class DatabaseTrouble(UsageError):
    """One answer of the database that passes with time: E503-DATABASE (busy), E000-DATABASE (lost).

    Those who are patient try again; where nobody is, it reaches the operator as it stands. `server_code` is the
    server's own code, `detail` text without secrets.
    """

    def __init__(self, trouble: Trouble, server_code: str, detail: str) -> None:
        code, message = _TROUBLES[trouble]
        super().__init__(code, message, cause=f"{server_code} {detail}".strip(), hint="run the same command again")
        self.trouble = trouble
        self.server_code = server_code
        self.detail = detail


_TROUBLES: Final = {
    Trouble.BUSY: ("E503-DATABASE", "rows of the database stay locked by others"),
    Trouble.LOST: ("E000-DATABASE", "the connection to the database was lost"),
}


@frozen
class ServerFacts:
    """Which database server answers, and in which role.

    `identity` is stable over reconnects; `replica` and `position` (binlog, WAL) are None where we may not ask.
    """

    identity: str
    read_only: bool
    replica: bool | None
    position: str | None


@frozen
class Outlook:
    """What the server says of a flip to come, asked with SELECT, SHOW and EXPLAIN alone.

    `explain` is the plan of the batch statement, a line a step; `session` the settings under which it would run;
    `grants` what the user may do as the server words it, () where it does not say; `missing` the privileges that are
    needed and not found. `bytes_a_row` is what one changed row adds to the log that replicas read, 0 without one.
    """

    explain: tuple[str, ...] = ()
    session: tuple[tuple[str, str], ...] = ()
    grants: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    bytes_a_row: int = 0


def choose_sources(
    asked: Iterable[str], target: str, found: Mapping[str, int], flipped_before: Collection[str] = ()
) -> tuple[str, ...]:
    """The names to flip from, in the order asked; () when the table names nothing but `target`.

    `found` counts the rows by service name, `flipped_before` are names that earlier runs have emptied: they are
    known although no row carries them any more. Raises UsageError E400-TO, E400-FROM, E404-SERVICE.
    """
    if not target.strip():
        raise UsageError("E400-TO", "--to needs the name of the new service", hint="--to azure")
    wanted = tuple(dict.fromkeys(asked))
    if target in wanted:
        raise UsageError("E400-TO", f"--from and --to both name {target!r}", hint=_found(found))
    if not wanted:
        return _only_other(target, found, flipped_before)
    known = [*found, *flipped_before]
    for name in wanted:
        if name not in known:
            hint = _did_you_mean(name, known)
            raise UsageError("E404-SERVICE", f"no row names the service {name!r}", cause=_found(found), hint=hint)
    return wanted


def _only_other(target: str, found: Mapping[str, int], flipped_before: Collection[str]) -> tuple[str, ...]:
    others = sorted(name for name in found if name != target)
    if len(others) > 1:
        raise UsageError(
            "E400-FROM",
            "more than one service can be flipped: name those you mean",
            cause=_found(found),
            hint=" ".join(f"--from {name}" for name in others),
        )
    return tuple(others or sorted(name for name in flipped_before if name != target))


def _found(found: Mapping[str, int]) -> str:
    names = ", ".join(f"{name!r} ({count:,} rows)" for name, count in sorted(found.items()))
    return f"the table names {names}" if names else "the table is empty"


def _did_you_mean(name: str, known: Sequence[str]) -> str | None:
    by_folded = {candidate.casefold().strip(): candidate for candidate in known}
    close = get_close_matches(name.casefold().strip(), by_folded, n=1, cutoff=0.5)
    return f"did you mean --from {by_folded[close[0]]}? Names are compared exactly." if close else None


def next_batch_size(allowed: int, rows: int, asked: int, seconds: float) -> int:
    """Rows that the next UPDATE may have, after one of `rows` took `seconds` while `allowed` were allowed.

    After a slow one as many as would have taken AIM_SECONDS, at once; after a quick one up to twice as many as it
    really had, which says nothing where it had few: rows were read, or left over, before the last change of size.
    Never more than were asked for.
    """
    if seconds > SLOW_BATCH_SECONDS:
        return min(allowed, asked, max(SMALLEST_BATCH, int(rows * AIM_SECONDS / seconds)))
    if seconds < AIM_SECONDS * 0.8:
        return min(asked, max(allowed, int(rows * min(2.0, AIM_SECONDS / max(seconds, 0.001)))))
    return min(asked, allowed)


@dataclass(slots=True)
class Pace:
    """How many rows an UPDATE may have: `asked` at most, `size` as those before it have shown."""

    asked: int
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.size = min(self.asked, FIRST_BATCH)

    def took(self, rows: int, seconds: float) -> None:
        """An UPDATE of so many rows has ended."""
        self.size = next_batch_size(self.size, rows, self.asked, seconds)


def flip_seconds(rows: int, sleep_ratio: float) -> tuple[float, float]:
    """The least and the most seconds that so many rows will take: 5,000 to 60,000 rows a second and the pauses.

    Source: reference of the Rails side, section 4.2 (MariaDB 10.11, MySQL 9.7, two cores), and tests/database.
    """
    return rows / 60_000 * (1 + sleep_ratio), rows / 5_000 * (1 + sleep_ratio)


def runs_of(ids: Iterable[int]) -> list[tuple[int, int]]:
    """The same numbers as ascending runs without gaps, (first, last) each: what a server compares fastest."""
    numbers = sorted(ids)
    if not numbers:
        return []
    gaps = [(one, other) for one, other in pairwise(numbers) if other > one + 1]
    firsts = [numbers[0], *(other for _one, other in gaps)]
    lasts = [*(one for one, _other in gaps), numbers[-1]]
    return list(zip(firsts, lasts, strict=True))


def why_wait(lags: Mapping[str, float | None], allowed: float | None) -> str:
    """Why the flip must wait for a replica, "" if it need not. A lag in seconds; None (unknown, stopped) waits."""
    for name, lag in lags.items():
        if lag is None:
            return f"the lag of {name} is unknown (replication stopped, or no answer)"
        if allowed is not None and lag > allowed:
            return f"{name} is {lag:.1f} s behind (--max-lag {allowed:g})"
    return ""


def name_warnings(target: str, found: Iterable[str]) -> list[str]:
    """Names in the table that look like `target` and are not: a new name beside them may be a slip of the keyboard."""
    names = list(found)
    if target in names:
        return []
    alike = [name for name in names if name.casefold().strip() == target.casefold().strip()]
    close = alike or get_close_matches(target, names, n=1, cutoff=0.75)
    return [f"no row names {target!r} yet, but {name!r} is named: names are compared exactly" for name in close]


def backoff(attempt: int, draw: float) -> float:
    """Seconds to wait before try `attempt` + 1 (attempts count from 1); `draw` is uniform in [0, 1)."""
    ceiling = min(BACKOFF_LIMIT, BACKOFF_FIRST * 2.0 ** min(attempt, 20))
    return ceiling * (0.5 + draw / 2)
