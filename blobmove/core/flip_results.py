"""What `flip-service` has to tell when it is done: plain values that the faces turn into text or JSON."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Final

from blobmove.core.frozen import frozen

if TYPE_CHECKING:
    from blobmove.core.flipping import Outlook

STOP_FILE: Final = "stop file "
"""How `stopped` begins where a stop file has ended the run; the file's name follows."""


@frozen
class FlipResult:
    """One run of `flip-service`: rows = flipped (or would flip) + sum(refused) + remaining.

    `rows` counts the rows that name one of `from_services`; `remaining` those a limit left for the next run.
    `stopped` says why a run ended before its work was done ("" if it did not).
    Of a dry run only: `estimate_seconds` at least and at most, `log_bytes` that replicas will have to read, what the
    server says (`outlook`), and the rows that were `born` on the new service: they name it and no flip has let them.
    `script` is the file that holds the statements instead, and `undo_script` the way back; "" for none.
    """

    from_services: tuple[str, ...]
    to_service: str
    dry_run: bool
    run: int | None
    rows: int
    flipped: int
    refused: dict[str, int]
    remaining: int
    by_service: dict[str, int]
    proven_by_service: dict[str, int]
    examples: dict[str, tuple[str, ...]] = field(default_factory=dict)
    batches: int = 0
    batch_size: int = 1000
    statement: str = ""
    database: str = ""
    undo_of: int | None = None
    other_services: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    next: str = ""
    stopped: str = ""
    first_id: str | None = None
    last_id: str | None = None
    sample_key: str = ""
    estimate_seconds: tuple[float, float] = (0.0, 0.0)
    log_bytes: int = 0
    outlook: Outlook | None = None
    born: int = 0
    born_examples: tuple[str, ...] = ()
    script: str = ""
    undo_script: str = ""


@frozen
class BornResult:
    """`flip-service --born`: rows that name `to_service` and that no flip of the journal has let.

    `file` has their keys; `bytes` is the sum of their sizes.
    """

    to_service: str
    rows: int
    bytes: int
    file: str
