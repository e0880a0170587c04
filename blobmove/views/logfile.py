"""Every event as a JSON line with its time, through the standard library's logging: to a file or to stderr."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from typing import TYPE_CHECKING, Final, TextIO

from blobmove.core.events import Problem, Stopping, Throttled
from blobmove.core.secrets import redact
from blobmove.core.units import MIB
from blobmove.views.jsonl import event_document

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from blobmove.core.events import Event

MAX_BYTES: Final = 100 * MIB
KEPT_FILES: Final = 5


class LogFile:
    """A listener that logs; a context manager that closes its file. Raises OSError where it cannot write."""

    def __init__(self, handler: logging.Handler) -> None:
        handler.setFormatter(JsonLine())
        self._handler = handler
        self._logger = logging.Logger("blobmove")
        self._logger.addHandler(handler)

    @classmethod
    def open(cls, path: Path) -> LogFile:
        """Append to a file, which is turned over at 100 MiB; five old ones are kept."""
        return cls(_StrictFile(path, maxBytes=MAX_BYTES, backupCount=KEPT_FILES, encoding="utf-8"))

    @classmethod
    def on_stream(cls, stream: TextIO) -> LogFile:
        """Write to an open stream, which stays open."""
        return cls(_StrictStream(stream))

    def __call__(self, event: Event) -> None:
        """Log one event; problems are warnings."""
        serious = isinstance(event, Problem | Throttled | Stopping)
        self._logger.log(logging.WARNING if serious else logging.INFO, "%s", type(event).__name__,
                         extra={"document": event_document(event)})

    def __enter__(self) -> LogFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._handler.close()


class _Strict(logging.Handler):
    """Lets an error of writing through, so that the fan-out can drop this face and say so."""

    def handleError(self, record: logging.LogRecord) -> None:
        raise


class _StrictFile(_Strict, RotatingFileHandler):
    pass


class _StrictStream(_Strict, logging.StreamHandler[TextIO]):
    pass


class JsonLine(logging.Formatter):
    """`{"time":...,"level":...,...the event's own fields}`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line; time in UTC with milliseconds."""
        moment = datetime.fromtimestamp(record.created, UTC)
        head = {"time": f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z",
                "level": record.levelname.lower()}
        return json.dumps(head | getattr(record, "document", {"text": redact(record.getMessage())}),
                          ensure_ascii=False)
