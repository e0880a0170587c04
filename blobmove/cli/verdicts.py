"""How a flip ends for a script: the exit code of its result. `copy` and `verify` know theirs themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from blobmove.core.results import FlipResult

DONE: Final = 0
UNWELL: Final = 1
LIMIT: Final = 6
INTERRUPTED: Final = 130


def of_flip(result: FlipResult) -> int:
    """130 after an interruption, 1 where rows were refused, else 6 where a limit or the stop file left some.

    A dry run answers what the real one would.
    """
    if result.stopped == "interrupted":
        return INTERRUPTED
    if result.refused and any(result.refused.values()):
        return UNWELL
    return LIMIT if result.remaining or result.stopped else DONE
