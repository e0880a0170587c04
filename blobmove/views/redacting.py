"""The last net under what the libraries log: no secret gets through.

Not in views.logfile, since every command needs it, and few the handlers of a file.
"""

from __future__ import annotations

import logging

from blobmove.core.secrets import redact


class RedactingFilter(logging.Filter):
    """Puts the last net under what the libraries log with `-vv`."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Never drops a record; replaces its text."""
        record.msg, record.args = redact(record.getMessage()), None
        return True
