"""The table of deviations is complete: every line is asked for by a test, by its name."""

from __future__ import annotations

import re
from pathlib import Path

from tests.contract.deviations import DEVIATIONS


def test_every_deviation_is_asserted_somewhere() -> None:
    tests = Path(__file__).parent.glob("test_*.py")
    asked = {name for test in tests for name in re.findall(r'deviates\("([a-z0-9-]+)"\)', test.read_text("utf-8"))}

    assert asked == set(DEVIATIONS)
