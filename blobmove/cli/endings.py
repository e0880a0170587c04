"""A run that ends with an error: what it did is told all the same, before the error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from blobmove.core.errors import BlobmoveError
from blobmove.core.events import Finished

if TYPE_CHECKING:
    from blobmove.core.events import Event, Listener
    from blobmove.core.results import CopySummary


@contextmanager
def told_even_so(tell: Callable[[CopySummary], None], listener: Listener) -> Iterator[Listener]:
    """The listener for a run. Should an error end it after it has summed up, the summary is told, then it is raised."""
    ending = _Ending(listener)
    try:
        yield ending
    except BlobmoveError:
        if ending.summary is not None:
            tell(ending.summary)
        raise


class _Ending:
    """Passes events on, and keeps the summary."""

    def __init__(self, listener: Listener) -> None:
        self.summary: CopySummary | None = None
        self._listener = listener

    def __call__(self, event: Event) -> None:
        if isinstance(event, Finished):
            self.summary = event.summary
        self._listener(event)
