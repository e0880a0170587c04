"""One listener that passes each event to several faces, and does not let a face stop the work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blobmove.core.events import Note

if TYPE_CHECKING:
    from blobmove.core.events import Event, Listener


class FanOut:
    """Calls every face in turn.

    A face whose stream has gone away (a closed pipe, a full disk under the log file) is dropped with one note to
    the others: objects are moved for their own sake, not for the log's.
    """

    def __init__(self) -> None:
        self._faces: list[Listener] = []

    def add(self, face: Listener) -> None:
        """Let another face hear."""
        self._faces.append(face)

    def __call__(self, event: Event) -> None:
        """Pass the event on."""
        broken: list[tuple[Listener, str]] = []
        for face in self._faces:
            try:
                face(event)
            except OSError as error:
                broken.append((face, error.strerror or str(error)))
        for face, why in broken:
            self._faces.remove(face)
            self(Note(f"{type(face).__name__} cannot be written any more ({why}); the work goes on without it"))
