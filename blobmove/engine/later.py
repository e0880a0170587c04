"""What only some objects need: loaded with the first of them, and in a long run before that.

A start is shorter for it. But a run may last for days, the program on the disk may be replaced meanwhile, and there may
be no file descriptor left when the first refusal is to be read.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final

AFTER_SECONDS: Final = 10.0
"""How long a run has lasted when the rest is loaded: short ones need not pay for it."""

LATER: Final = (
    "html",  # the first error text
    "awscrt.checksums",
    "blobmove.engine.large",
    "blobmove.engine.server_large",
    "blobmove.stores.azure.blocklist",
)


def load_the_rest() -> None:
    """Load it. For a thread: 30 ms."""
    for name in LATER:
        import_module(name)
