"""The decisions of the flip: which rows may change their service, from which names, how fast, and when to retry."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum, auto
from typing import TYPE_CHECKING, Final, Protocol

from blobmove.core.errors import UsageError
from blobmove.core.model import PROVEN_STATES, State
from blobmove.core.rails import parse_rails_checksum

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from blobmove.core.model import BlobRow

SLOW_BATCH_SECONDS: Final = 0.5
"""A batch that held its row locks longer is halved (gh-ost and pt-archiver aim at the same half second)."""

SMALLEST_BATCH: Final = 50
BACKOFF_FIRST: Final = 0.1
BACKOFF_LIMIT: Final = 10.0

_LEFT_BEHIND: Final = {
    State.REFUSED: "refused-name",
    State.GONE: "gone-from-source",
    State.SKIPPED: "skipped-by-plan",
}


@dataclass(frozen=True, slots=True)
class ProvenBlob:
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


class Ledger(Protocol):
    """The questions the flip asks the checkpoint."""

    def proven(self, keys: Sequence[str]) -> dict[str, ProvenBlob]:
        """Every key of these that the plan holds, in whatever state."""
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


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """Which database server answers, and in which role.

    `identity` is stable over reconnects; `replica` and `position` (binlog, WAL) are None where we may not ask.
    """

    identity: str
    read_only: bool
    replica: bool | None
    position: str | None


def gate(row: BlobRow, proven: ProvenBlob | None) -> str:
    """ "" when the row's file is proven to be on Azure under the row's key, else the reason to leave the row alone.

    Everything is compared in Python, code point by code point: the collation of the table has no say.
    """
    if proven is None or proven.key != row.key:
        return "not-in-plan"
    if proven.state not in PROVEN_STATES:
        return _LEFT_BEHIND.get(proven.state, "not-copied")
    if proven.verified is False:
        return "verify-differs"
    if "\\" in row.key:
        return "refused-name"  # the azure-blob gem asks for a/b where the key is a\b
    if proven.blob_name != row.key:
        return "renamed"
    if proven.size != row.byte_size:
        return "size-differs"
    return _checksum_gate(row.checksum, proven)


def _checksum_gate(checksum: str | None, proven: ProvenBlob) -> str:
    if checksum is None:
        return ""  # composed blobs have none: size and proof decide
    md5, sha256 = parse_rails_checksum(checksum)
    if sha256 is not None:
        # Rails' Azure services compare MD5 only: after a flip Blob#open would raise IntegrityError.
        return "checksum-differs" if proven.sha256 not in (None, sha256) else "sha256-checksum"
    if md5 is None:
        return "checksum-unreadable"
    if proven.md5 is None:
        return "md5-unknown"
    return "" if proven.md5 == md5 else "checksum-differs"


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


def next_batch_size(current: int, asked: int, seconds: float) -> int:
    """Rows for the next batch: half after a slow one, twice after a quick one, never above what was asked for."""
    if seconds > SLOW_BATCH_SECONDS:
        return min(asked, max(SMALLEST_BATCH, current // 2))
    if seconds < SLOW_BATCH_SECONDS / 4:
        return min(asked, current * 2)
    return current


def backoff(attempt: int, draw: float) -> float:
    """Seconds to wait before try `attempt` + 1 (attempts count from 1); `draw` is uniform in [0, 1)."""
    ceiling = min(BACKOFF_LIMIT, BACKOFF_FIRST * 2.0 ** min(attempt, 20))
    return ceiling * (0.5 + draw / 2)
