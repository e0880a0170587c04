"""What `doctor` has to tell: findings, how grave each is, and the decisions behind those that are numbers."""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from blobmove.core.frozen import frozen
from blobmove.core.units import GIB, format_bytes, format_count, format_duration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from blobmove.core.errors import BlobmoveError

CLOCK_FAILS: Final = 15 * 60.0
"""Seconds by which a clock may differ before S3 (RequestTimeTooSkewed) and Azure refuse every signature."""
CLOCK_WARNS: Final = 60.0
"""From here on a clock is not kept by anybody, and will drift on."""

INVENTORY_WARNS: Final = 48 * 3600.0
"""Seconds: a daily report that is older has a delivery missing."""

ROOM_AN_OBJECT: Final = 600
"""Bytes of disk that a plan takes an object while it is made (docs/reference/checkpoint.md)."""
ROOM_AT_LEAST: Final = GIB

SOCKETS_WANTED: Final = 1536
"""Files that may be open, so that each side can have 512 requests in flight with some to spare."""

ACCESS: Final = 4
CONFIGURATION: Final = 2


class Level(StrEnum):
    """How well one thing is."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"
    ABSENT = "not-configured"


class Area(StrEnum):
    """What was looked at."""

    SOURCE = "source"
    DESTINATION = "destination"
    DATABASE = "database"
    CHECKPOINT = "checkpoint"
    MACHINE = "machine"


@frozen
class Finding:
    """One line: what was looked at and how it is; `hint` can be pasted. No text holds a secret.

    `code` and `exit_code` are those of the error behind a failure ("" and 0 where there is none). `figures` are the
    numbers of the text, for scripts: seconds, bytes, bytes a second, counts, by name.
    """

    area: Area
    check: str
    level: Level
    text: str
    cause: str = ""
    hint: str = ""
    code: str = ""
    exit_code: int = 0
    figures: Mapping[str, float] = field(default_factory=dict)


@frozen
class Diagnosis:
    """All findings in the order of the areas; `seconds` is the time it took, `next` the command to type."""

    source: str | None
    destination: str | None
    checkpoint: str
    findings: tuple[Finding, ...]
    seconds: float
    next: str = ""

    def count(self, level: Level) -> int:
        return sum(finding.level is level for finding in self.findings)

    @property
    def exit_code(self) -> int:
        """0 all well, 4 where an access was refused, else 2 where settings cannot work, else 1 for anything found."""
        failures = {finding.exit_code for finding in self.findings if finding.level is Level.FAILURE}
        for grave in (ACCESS, CONFIGURATION):
            if grave in failures:
                return grave
        return int(any(finding.level in (Level.WARNING, Level.FAILURE) for finding in self.findings))


def failed(area: Area, check: str, error: BlobmoveError) -> Finding:
    """An error in the operator's words, as one line of many."""
    return Finding(area, check, Level.FAILURE, error.message, error.cause or "", error.hint or "", error.code,
                   error.exit_code)


def silent(area: Area, check: str, seconds: float) -> Finding:
    """Nobody answered in time: doctor goes on without waiting."""
    return Finding(area, check, Level.FAILURE, f"no answer within {format_duration(seconds)}",
                   hint="check the network, the firewall and the proxy between here and there",
                   code="E408-DOCTOR", exit_code=CONFIGURATION)


def clock(area: Area, whose: str, offset: float) -> Finding:
    """`offset` in seconds: what the service's clock shows more than this machine's (its header has whole seconds)."""
    apart = abs(offset)
    way = "ahead of" if offset < 0 else "behind"
    figures = {"offset_seconds": round(offset, 1)}
    if apart < 2:
        return Finding(area, "clock", Level.OK, f"as {whose} shows it, to the second", figures=figures)
    text = f"{format_duration(apart)} {way} {whose}"
    if apart < CLOCK_WARNS:
        return Finding(area, "clock", Level.OK, text, figures=figures)
    hint = "let the system keep it: timedatectl set-ntp true"
    if apart < CLOCK_FAILS:
        return Finding(area, "clock", Level.WARNING, text, "signatures are refused from 15 min on", hint,
                       figures=figures)
    return Finding(area, "clock", Level.FAILURE, text, "beyond 15 min every signature is refused", hint,
                   code="E412-CLOCK", exit_code=CONFIGURATION, figures=figures)


def inventory(told: str, age: float) -> Finding:
    """How old the newest report is, in seconds; what came later is not in it."""
    text = f"{told}, {format_duration(max(0.0, age))} old"
    figures = {"age_seconds": round(age)}
    if age < INVENTORY_WARNS:
        return Finding(Area.SOURCE, "inventory", Level.OK, text, figures=figures)
    return Finding(Area.SOURCE, "inventory", Level.WARNING, text, "uploads since then are not in it",
                   "wait for the next report, or plan once more with --list before the cut-over", figures=figures)


def disk(folder: str, free: int, planned: int) -> Finding:
    """Whether the next plan of about `planned` objects has room; all sizes in bytes."""
    need = max(ROOM_AT_LEAST, planned * ROOM_AN_OBJECT)
    figures = {"free_bytes": free, "needed_bytes": need}
    text = f"{format_bytes(free)} free in {folder}"
    if free >= need:
        return Finding(Area.MACHINE, "disk", Level.OK, text, figures=figures)
    cause = f"a plan of {format_count(planned)} objects takes up to {format_bytes(need)}" if planned else \
        f"a plan of a million objects takes {format_bytes(1_000_000 * ROOM_AN_OBJECT)} for a while"
    return Finding(Area.MACHINE, "disk", Level.WARNING, text, cause,
                   "make room, or name a checkpoint on another disk with --checkpoint", figures=figures)


def handles(limit: int | None) -> Finding:
    """`limit` is how many files may be open, as far as the process may raise it; None: no limit."""
    if limit is None:
        return Finding(Area.MACHINE, "open files", Level.OK, "no limit")
    figures = {"limit": limit}
    if limit >= SOCKETS_WANTED:
        return Finding(Area.MACHINE, "open files", Level.OK, f"{format_count(limit)} allowed", figures=figures)
    return Finding(Area.MACHINE, "open files", Level.WARNING, f"only {format_count(limit)} allowed",
                   f"each request takes a socket: at most {format_count(max(8, limit * 9 // 20))} are in flight a side",
                   f"ulimit -Hn {SOCKETS_WANTED}   (in a container: --ulimit nofile={SOCKETS_WANTED})", figures=figures)


def grants(missing: Sequence[str], where: str) -> Finding:
    """What the database's user may do; SELECT it may, or nobody would have come so far."""
    if not missing:
        return Finding(Area.DATABASE, "rights", Level.OK, "SELECT and UPDATE (service_name): enough for plan and flip")
    lacking = ", ".join(missing)
    return Finding(Area.DATABASE, "rights", Level.WARNING, f"no {lacking}: enough for plan, not for flip-service",
                   f"the user of {where} was not granted it",
                   f"GRANT {lacking} ON active_storage_blobs TO ...;   (docs/how-to/give-least-privileges.md)")
