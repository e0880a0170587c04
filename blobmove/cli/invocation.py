"""What is known about this run of the program from its first moment, for whoever must report that it failed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Invocation:
    """The words typed, whether errors are wanted as JSON, and the settings once they are known."""

    words: Sequence[str]
    json: bool = False
    settings: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Errors may come before the flags are parsed, so the wish for JSON is looked for at once."""
        variable = os.environ.get("BLOBMOVE_JSON", "").lower()
        self.json = "--json" in self.words or variable in ("1", "true", "yes", "on")
