"""The net itself: a secret, a signature or a traceback that a command leaves anywhere is found."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from blobmove.demo.servers import AZURITE_KEY
from tests.acceptance.commands import AWS_SECRET, Terminal

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "text",
    [
        AWS_SECRET, quote(AWS_SECRET, safe=""), AZURITE_KEY, "https://acme/files?se=1&sig=abc%3D", "X-Amz-Signature=0f",
        "X-Amz-Signature%3D0f", "Traceback (most recent call last):",
    ],
)  # fmt: skip
def test_what_must_not_be_told_is_found_in_outputs_and_in_files(tmp_path: Path, text: str) -> None:
    terminal = Terminal(tmp_path, {})
    with pytest.raises(AssertionError):
        terminal.assert_no_secrets(f"error: {text}")
    (tmp_path / "blobmove.db").write_bytes(b"\x00\x01" + text.encode() + b"\x00")
    with pytest.raises(AssertionError):
        terminal.assert_no_secrets()


def test_what_is_redacted_may_stay(tmp_path: Path) -> None:
    (tmp_path / "copy.log").write_text("https://acme/files?sig=REDACTED&X-Amz-Signature=REDACTED design=1")
    Terminal(tmp_path, {}).assert_no_secrets("the signature")
