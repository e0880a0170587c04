"""What can go wrong before the demo proves anything: one sentence and something to type."""

from __future__ import annotations


class DemoError(Exception):
    """Raised when the surroundings (Node, Azurite, a port, a program) cannot do what the demo needs.

    `message` is one sentence without a full stop, `hint` something to type or to look at.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"error: {self.message}" + (f"\n\nhint: {self.hint}" if self.hint else "")
