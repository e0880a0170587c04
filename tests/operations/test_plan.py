"""What `plan` says of folders: where they are real, where they are not, and where nobody may ask."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from blobmove.checkpoint.planning import PlanStage
from blobmove.checkpoint.writer import CheckpointWriter
from blobmove.core.events import Event, Note
from blobmove.core.model import ObjectVersion
from blobmove.core.plan_results import PlanResult
from blobmove.core.selection import Selection
from blobmove.operations.plan import Ask, ObjectList, Plan
from tests.checkpoint.plans import E1

pytestmark = pytest.mark.anyio


async def _one(batch: Sequence[ObjectVersion]) -> AsyncIterator[Sequence[ObjectVersion]]:
    yield batch


async def planned(folder: Path, names: Sequence[str], hierarchical: bool | None) -> tuple[PlanResult, list[str]]:
    """The plan for objects of these names, and the notes it made."""
    notes: list[str] = []

    def listen(event: Event) -> None:
        if isinstance(event, Note):
            notes.append(event.text)

    ask = Ask("plan-1", "s3://acme", "https://acme/files", "2026-11-22T03:00:00Z",
              Selection(hierarchical=hierarchical), {})
    objects = ObjectList(_one([ObjectVersion(name, 10, E1) for name in names]), "list", None, 0)
    with CheckpointWriter(folder / "blobmove.db", "plan", create=True) as writer:
        return await Plan(ask, objects, None, writer, listen).run(), notes


@pytest.mark.parametrize(("names", "says"), [
    (("a/", "/b", "c//d", "e/f", "g"), "rename or refuse 3 of the names (`//`, a slash at an end, over 61 segments)"),
    (("a", "/".join("a" * 62)), "rename or refuse 1 of the names"),
])
async def test_where_nobody_may_ask_one_note_counts_the_names_that_depend_on_it(
    names: Sequence[str], says: str, tmp_path: Path
) -> None:
    result, (note,) = await planned(tmp_path, names, None)
    assert result.to_copy == len(names)
    assert says in note
    assert "`a` and `a/b`, which were not looked for" in note


async def test_names_with_folders_are_told_that_those_beside_folders_were_not_looked_for(tmp_path: Path) -> None:
    _, (note,) = await planned(tmp_path, ("a", "a/b"), None)
    assert "it would hold only one of two names like `a` and `a/b`, which were not looked for" in note


@pytest.mark.parametrize(("names", "hierarchical"), [
    (("a", "b"), None), (("a", "a/b", "c//d"), False), (("a", "a/b", "c//d"), True),
])
async def test_nothing_is_said_where_nothing_depends_on_it(
    names: Sequence[str], hierarchical: bool | None, tmp_path: Path
) -> None:
    assert (await planned(tmp_path, names, hierarchical))[1] == []


@pytest.mark.parametrize(("names", "hierarchical", "found"), [
    (("a", "a/b"), False, 0), (("a", "a/b"), None, 0), (("a", "b/c"), True, 0), (("a", "a/b"), True, 1),
])
async def test_the_list_is_walked_for_examples_only_where_there_are_some_and_beside_the_event_loop(
    names: Sequence[str], hierarchical: bool | None, found: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []
    query = PlanStage.query

    def watched(stage: PlanStage, sql: str) -> list[tuple[object, ...]]:
        threads.append(threading.get_ident())
        return query(stage, sql)

    monkeypatch.setattr(PlanStage, "query", watched)
    result, _ = await planned(tmp_path, names, hierarchical)
    assert result.examples == ({"name-is-folder": ("a",)} if found else {})
    assert len(threads) == found
    assert threading.get_ident() not in threads
