"""Every test of the porch runs in an empty folder, without settings around it, on a fake wiring."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

import pytest

import blobmove.cli
from blobmove.cli import approval
from tests.cli.fakes import FakeWiring

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder and no variable of ours."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith(("BLOBMOVE_", "AWS_", "AZURE_")) or name in ("DATABASE_URL", "NO_COLOR", "FORCE_COLOR"):
            monkeypatch.delenv(name)
    return tmp_path


@pytest.fixture
def wiring(monkeypatch: pytest.MonkeyPatch) -> FakeWiring:
    """The fake in the place of the real one."""
    fake = FakeWiring()
    monkeypatch.setitem(sys.modules, "blobmove.cli.wiring", fake)
    monkeypatch.setattr(blobmove.cli, "wiring", fake, raising=False)
    return fake


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Somebody sits there; what is written into this is what they type."""
    typed = io.StringIO()
    monkeypatch.setattr(approval, "can_ask", lambda shared: not shared.no_input)
    monkeypatch.setattr("blobmove.cli.commands.copy.can_ask", lambda shared: not shared.no_input)
    monkeypatch.setattr(sys, "stdin", typed)
    return typed
