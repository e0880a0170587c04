"""How a flip ends for a script: the exit code of its result. `copy` and `verify` know theirs themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from blobmove.core.flip_results import FlipResult

DONE: Final = 0
UNWELL: Final = 1
LIMIT: Final = 6
ENDED_BY: Final = {"interrupted": 130, "terminated": 143}


def of_flip(result: FlipResult) -> int:
    """130 or 143 after a signal, 6 after any other stop, 1 where rows were refused, else 6 where a limit left some.

    A dry run answers what the real one would.
    """
    if result.stopped in ENDED_BY:
        return ENDED_BY[result.stopped]
    if result.stopped:
        return LIMIT
    if result.refused and any(result.refused.values()):
        return UNWELL
    return LIMIT if result.remaining else DONE
