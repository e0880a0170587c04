"""What `copy`, `verify` and `status` have to tell: plain values that the faces turn into text or JSON."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from blobmove.core.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from blobmove.core.crew import WorkerShown
    from blobmove.core.model import State


@frozen
class Totals:
    """Objects and bytes by state; planned = sum over all states."""

    objects: dict[State, int]
    bytes: dict[State, int]

    @property
    def planned(self) -> int:
        return sum(self.objects.values())

    @property
    def planned_bytes(self) -> int:
        return sum(self.bytes.values())


@frozen
class Travelled:
    """How the objects copied in one run got to Azure: `server` pulled by itself, `stream` through this machine.

    `bytes_pulled` are those of `server`. `given_up` is the code after which Azure was asked to pull no more.
    """

    server: int = 0
    stream: int = 0
    bytes_pulled: int = 0
    given_up: str = ""


@frozen
class Effort:
    """What one run has done by now: bytes of bodies, requests by operation, and those tried again by their code.

    `bytes_pulled` went from S3 to Azure by themselves.
    """

    bytes_read: int = 0
    bytes_written: int = 0
    bytes_pulled: int = 0
    requests_s3: Mapping[str, int] = field(default_factory=dict)
    requests_azure: Mapping[str, int] = field(default_factory=dict)
    retries_s3: Mapping[str, int] = field(default_factory=dict)
    retries_azure: Mapping[str, int] = field(default_factory=dict)


@frozen
class CopySummary:
    """The end of a `copy`: the whole plan's outcomes, and this run's bytes, requests and seconds.

    `reasons` counts the codes behind skipped, refused, changed, conflict and failed; `proofs` the proofs of all
    copied objects; `stopped` says why a run ended before its work was done ("" if it did not).
    `direction` is "forward" or "reverse": then `source` is Azure, and all counts are those of the list of this run.
    `effort` is what this run has done, in full: its retries by code.
    """

    plan: str
    source: str
    destination: str
    totals: Totals
    reasons: dict[str, int]
    proofs: dict[str, int]
    notes: dict[str, int]
    bytes_read: int
    bytes_written: int
    requests_s3: dict[str, int]
    requests_azure: dict[str, int]
    retries: int
    seconds: float
    next: str
    stopped: str = ""
    travelled: Travelled = Travelled()
    direction: str = "forward"
    effort: Effort = Effort()


@frozen
class ReverseResult:
    """The end of a `copy --reverse`: its summary, and the first blobs that did not end well."""

    summary: CopySummary
    failures: tuple[Failure, ...] = ()


@frozen
class VerifyResult:
    """The second look. checked = identical + different + missing; extra blobs are on Azure but not in the plan.

    `unreadable` ones were to be looked at, too, and could not be read: nothing was found out about them.
    """

    how: str
    checked: int
    identical: int
    different: int
    missing: int
    extra: int
    read_back: int
    examples: tuple[tuple[str, str], ...]
    seconds: float
    next: str
    unreadable: int = 0


@frozen
class StatusResult:
    """Where things stand, from the checkpoint alone. `rate` in bytes a second over the last two minutes.

    `workers` are those of a copy that is running on several."""

    summary: CopySummary
    running: str | None
    pid: int | None
    eta_seconds: float | None
    rate: float | None
    planned_at: str
    last_verify: str | None
    failures: tuple[Failure, ...]
    workers: tuple[WorkerShown, ...] = ()


@frozen
class Failure:
    """One object that is not well, for `status --failed`."""

    key: str
    state: str
    reason: str
    detail: str
    attempts: int
