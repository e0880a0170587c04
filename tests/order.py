"""The order of the files: those that take long come first, so that no worker is left alone with one at the end.

With several workers (`-n 3 --dist loadfile --no-loadscope-reorder`) files are handed out in the order in which they
are collected. Used as a plugin by tests/conftest.py; where a file is missing here it only comes later.
"""

from __future__ import annotations

from typing import Final

import pytest

LONGEST: Final = (
    "acceptance/test_outages.py",  # waits for the tool's own patience
    "cluster/test_faults.py", "crash/test_kill.py", "cluster/test_copy.py", "cluster/test_large.py",
    "cases/test_way_back.py", "bench/test_campaign.py", "database/test_flip.py", "acceptance/test_interrupted.py",
    "cluster/test_secrets.py", "acceptance/test_lists.py", "database/test_flip_trouble.py", "demo/test_check.py",
    "acceptance/test_way_back.py", "scale/test_scale.py", "database/test_flip_at_work.py", "bench/test_cost.py",
    "acceptance/test_bad_checkpoint.py", "crash/test_flip_kill.py", "database/test_flip_killed.py",
    "corruption/test_guards.py", "crash/test_term.py", "crash/test_large.py", "database/test_flip_replicas.py",
    "cases/test_integrity.py", "cases/test_faults.py", "contract/test_s3_objects.py", "operations/test_copy_history.py",
)  # fmt: skip
"""From the longest down, as `--durations=0` shows them."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by file, stable: within a file, and among the files not named, nothing changes its place."""
    rank = {f"tests/{path}": number for number, path in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.nodeid.partition("::")[0], len(rank)))
