"""Where folders are real: of `a` and `a/b` one gives way, and what is written already never does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from blobmove.checkpoint import folders
from blobmove.core.model import ObjectVersion
from blobmove.core.selection import Selection
from tests.checkpoint.plans import E1, E2, copied, plan_into, rows, settle

REAL = Selection(hierarchical=True)
A = ObjectVersion("a", 10, E1, modified_ms=1000)
BELOW = replace(A, key="a/b")
DEEP = replace(A, key="a/c/d")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "blobmove.db"


def ends(path: Path) -> dict[str, tuple[str, str | None]]:
    """State and reason by key."""
    return {key: (state, reason) for key, state, reason in rows(path, "key, state, reason")}


@pytest.mark.parametrize("page", [1, 20_000])
def test_the_object_gives_way_to_the_folder(path: Path, page: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "_NESTED", folders._NESTED.replace("LIMIT 20000", f"LIMIT {page}"))
    plan_into(path, [A, BELOW, DEEP, replace(A, key="a/c"), replace(A, key="ab")], selection=REAL)
    refused = ("refused", "name-is-folder")
    assert ends(path) == {
        "a": refused, "a/b": ("pending", None), "a/c": refused, "a/c/d": ("pending", None), "ab": ("pending", None),
    }  # fmt: skip


def test_what_is_copied_stays_and_what_would_lie_below_it_is_refused(path: Path) -> None:
    plan_into(path, [A], selection=REAL)
    settle(path, copied("a"))
    plan_into(path, [A, BELOW, DEEP, replace(A, key="b/c")], "plan-2", selection=REAL)
    below = ("refused", "name-below-object")
    assert ends(path) == {"a": ("copied", None), "a/b": below, "a/c/d": below, "b/c": ("pending", None)}


def test_a_blob_of_a_version_that_moved_on_is_a_file_still(path: Path) -> None:
    plan_into(path, [A], selection=REAL)
    settle(path, copied("a"))
    for plan in ("plan-2", "plan-3"):  # the third finds it as work, no longer as proven
        plan_into(path, [replace(A, etag=E2), BELOW], plan, selection=REAL)
        assert ends(path) == {"a": ("pending", None), "a/b": ("refused", "name-below-object")}


def test_a_blob_that_is_no_longer_listed_is_a_file_still(path: Path) -> None:
    plan_into(path, [A], selection=REAL)
    settle(path, copied("a"))
    plan_into(path, [BELOW], "plan-2", selection=REAL)
    assert ends(path) == {"a": ("copied", None), "a/b": ("refused", "name-below-object")}


def test_a_folder_whose_last_object_is_deleted_is_none(path: Path) -> None:
    deleted = replace(BELOW, size=None, etag=None, modified_ms=2000, is_delete_marker=True)
    plan_into(path, [A, BELOW, deleted], selection=REAL)
    assert ends(path) == {"a": ("pending", None), "a/b": ("skipped", "delete-marker")}


def test_where_folders_are_not_real_both_are_copied(path: Path) -> None:
    plan_into(path, [A])
    settle(path, copied("a"))
    plan_into(path, [A, BELOW, replace(A, key="a/b/c")], "plan-2")
    assert ends(path) == {"a": ("copied", None), "a/b": ("pending", None), "a/b/c": ("pending", None)}
