"""How Dask is set up for this program: no dashboard, its log in ours, no profiler, no waiting for ever."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from blobmove.core.errors import UsageError
from blobmove.core.events import Listener, Logged
from blobmove.core.secrets import redact

TTL_SECONDS: Final = 30
"""How long a local worker may be silent before its batches are given to another one."""

ALLOWED_FAILURES: Final = 3
"""Deaths of workers over one batch before Dask gives it up: then it may be the batch that kills them."""

_SETTINGS: Final[dict[str, Any]] = {
    # What the scheduler of --workers does. That of --scheduler is the operator's own (docs/how-to/run-on-a-cluster.md).
    "distributed.scheduler.allowed-failures": ALLOWED_FAILURES,
    "distributed.scheduler.worker-ttl": f"{TTL_SECONDS}s",
    "distributed.scheduler.http.routes": [],
    "distributed.scheduler.idle-timeout": None,
    "distributed.worker.http.routes": [],
    # The profiler looks at every thread a hundred times a second.
    "distributed.worker.profile.enabled": False,
    # Bodies have a budget of our own; Dask would pause or kill a worker whose memory it does not understand.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    "distributed.comm.timeouts.connect": "10s",
    "distributed.diagnostics.nvml": False,
}


def require_dask() -> None:
    """Raises UsageError with the line to install where the extra is missing."""
    try:
        import dask
        import distributed  # noqa: F401 - its defaults come first
    except ImportError as error:
        raise UsageError("E404-CLUSTER", "--workers and --scheduler need Dask, which is not installed",
                         cause=str(error), hint="pip install 'blobmove[cluster]'") from None
    dask.config.set(_SETTINGS)


class _ToListener(logging.Handler):
    """Hands what Dask logs to the listener, which keeps it in the log file."""

    def __init__(self, listener: Listener) -> None:
        super().__init__(logging.INFO)
        self._listener = listener

    def emit(self, record: logging.LogRecord) -> None:
        self._listener(Logged(record.name, redact(record.getMessage())[:2000]))


@contextmanager
def dask_log(listener: Listener) -> Iterator[None]:
    """Dask's log goes to ours as long as the run lasts, and never to stderr unless it was asked for with -vv."""
    handler = _ToListener(listener)
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client", "distributed.gc", "tornado")]
    former = [(logger, logger.handlers[:], logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.handlers, logger.propagate = [handler], True
    for logger in loggers[1:3]:
        logger.handlers = []  # their parent has it
    try:
        yield
    finally:
        for logger, handlers, propagate in former:
            logger.handlers, logger.propagate = handlers, propagate
