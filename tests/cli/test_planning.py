"""A plan that fails: the checkpoint of the plan before stays, and says how this one ended."""

from __future__ import annotations

import asyncio
from pathlib import Path

import anyio
import pytest

from blobmove.checkpoint.reader import CheckpointReader
from blobmove.checkpoint.writer import CheckpointWriter
from blobmove.cli import planning
from blobmove.core.errors import AccessError, UsageError
from blobmove.core.events import Listener
from blobmove.core.plan_settings import PlanSettings
from tests.checkpoint.plans import plan_into

DENIED = AccessError("E403-SOURCE", "no")


@pytest.mark.parametrize(("error", "code", "why"), [
    (DENIED, 4, "E403-SOURCE"),
    (BaseExceptionGroup("one", [DENIED]), 4, "E403-SOURCE"),
    (asyncio.CancelledError(), 130, "interrupted"),
    (ValueError("a bug"), None, None),
])  # fmt: skip
def test_a_plan_that_fails_notes_how_it_ended(
    error: BaseException, code: int | None, why: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing(_settings: PlanSettings, _listener: Listener, writer: CheckpointWriter) -> None:
        writer.begin_run("plan-2")
        raise error

    path = tmp_path / "blobmove.db"
    plan_into(path, [])
    monkeypatch.setattr(planning, "_plan", failing)
    with pytest.raises(type(error)):
        anyio.run(planning.plan, PlanSettings(checkpoint=path), print)
    with CheckpointReader(path) as reader:
        run = reader.last_run("plan")
    assert run is not None
    assert (run.exit_code, run.summary.get("stopped"), run.finished_at is None) == (code, why, code is None)


def test_a_first_plan_that_fails_leaves_nothing_and_its_own_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing(_settings: PlanSettings, _listener: Listener, writer: CheckpointWriter) -> None:
        writer.begin_run("plan-1")
        writer.db.close()  # whatever is wrong with the file
        raise UsageError("E507-DISK", "full")

    monkeypatch.setattr(planning, "_plan", failing)
    with pytest.raises(UsageError, match="full"):
        anyio.run(planning.plan, PlanSettings(checkpoint=tmp_path / "blobmove.db"), print)
    assert list(tmp_path.iterdir()) == []
