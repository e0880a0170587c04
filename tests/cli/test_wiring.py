"""The wiring: what a command finds in its environment and in its plan, and how little it loads for it."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from blobmove.cli.clustering import sharing
from blobmove.cli.doors import in_loop, s3_settings
from blobmove.cli.wiring import body_sizes
from blobmove.core.crew import RANGES_KEPT, kept_bytes
from blobmove.core.settings import CopySettings
from blobmove.core.units import MIB
from tests.acceptance.commands import Run
from tests.cloud.control import Cloud
from tests.cluster.company import Company

AMAZON = "https://files.s3.eu-central-1.amazonaws.com/"
PLAN: dict[str, Any] = {"region": "eu-central-1", "endpoint": None, "base": AMAZON, "addressing": "virtual"}
LOCAL = "http://127.0.0.1:9000"
LOCAL_PLAN = PLAN | {"endpoint": LOCAL, "base": f"{LOCAL}/files/"}


@pytest.mark.parametrize(("plan", "environment", "base"), [
    (PLAN, {}, AMAZON),
    (PLAN, {"AWS_REGION": "us-east-1"}, AMAZON),  # at Amazon's the bucket lives where the plan has found it
    (PLAN, {"AWS_ENDPOINT_URL_S3": LOCAL}, None),
    (PLAN, {"AWS_ENDPOINT_URL": LOCAL}, None),
    (LOCAL_PLAN, {"AWS_ENDPOINT_URL_S3": LOCAL}, f"{LOCAL}/files/"),
    (LOCAL_PLAN, {"AWS_ENDPOINT_URL_S3": LOCAL, "AWS_REGION": "eu-central-1"}, f"{LOCAL}/files/"),
    (LOCAL_PLAN, {"AWS_ENDPOINT_URL_S3": LOCAL, "AWS_REGION": "us-east-1"}, None),
    (LOCAL_PLAN, {"AWS_ENDPOINT_URL_S3": LOCAL, "AWS_DEFAULT_REGION": "us-east-1"}, None),
    (LOCAL_PLAN, {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9001"}, None),
    (LOCAL_PLAN, {}, None),
    ({"region": "eu-central-1"}, {}, None),  # a plan of before it was remembered
    ({}, {"AWS_REGION": "eu-central-1"}, None),
])  # fmt: skip
def test_the_address_of_the_plan_is_used_again_only_for_the_same_region_and_endpoint(
    plan: dict[str, Any], environment: dict[str, str], base: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = s3_settings("files", plan)
    assert found.base == base
    assert found.endpoint == (environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL"))


@pytest.mark.parametrize(("told", "endpoint", "region"), [
    (None, None, "eu-central-1"), ("us-east-1", None, "eu-central-1"),
    (None, LOCAL, "eu-central-1"), ("us-east-1", LOCAL, "us-east-1"),
])  # fmt: skip
def test_at_amazon_s_the_region_of_the_plan_counts_and_elsewhere_that_of_the_shell(
    told: str | None, endpoint: str | None, region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("AWS_REGION", told), ("AWS_ENDPOINT_URL_S3", endpoint)):
        if value is not None:
            monkeypatch.setenv(name, value)
    found = s3_settings("files", PLAN)
    assert (found.region, found.addressing) == (region, "virtual")


@pytest.fixture
def collector() -> Iterator[None]:
    """The garbage collector, as it was before the test."""
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


@pytest.mark.usefixtures("collector")
def test_the_garbage_collector_leaves_alone_what_is_loaded_and_looks_seldom_while_a_command_runs() -> None:
    async def body() -> tuple[int, int]:
        await anyio.lowlevel.checkpoint()
        return gc.get_threshold()[0], gc.get_freeze_count()

    threshold, frozen = in_loop(body)
    assert threshold == 20_000
    assert frozen > 10_000
    assert gc.isenabled(), "what leaves cycles all the same is found"


def loaded(run: Run) -> set[str]:
    """The modules that a command under PYTHONPROFILEIMPORTTIME says it has imported."""
    return {line.rsplit("|", 1)[1].strip() for line in run.err.splitlines() if line.startswith("import time:")}


LEFT_OUT = {
    "botocore", "aiobotocore",  # static keys, and the plan knows the bucket's address
    "xml", "html", "difflib", "logging.handlers", "pickle",
    "blobmove.core.crew", "blobmove.core.diagnosis", "blobmove.core.flipping", "blobmove.core.selection",
    "blobmove.core.forecast", "blobmove.core.plan_results", "blobmove.core.plan_settings",
    "blobmove.core.flip_results", "blobmove.core.flip_settings",
    "blobmove.engine.large", "blobmove.engine.blockpass", "blobmove.engine.server_large", "blobmove.stores.rails",
    "blobmove.stores.inventory", "blobmove.cluster", "blobmove.views.logfile", "blobmove.views.metrics",
}  # fmt: skip
"""What a copy of small objects with static keys never needs. A module costs a start some 2 ms, most for its classes."""

DOORS = {"anyio", "asyncio", "blobmove.engine", "blobmove.stores", "blobmove.cli.doors", "blobmove.checkpoint.writer"}


def within(modules: set[str], roots: set[str]) -> set[str]:
    """Those of the modules that are one of the roots, or lie in one."""
    return {name for name in modules if any(name == root or name.startswith(f"{root}.") for root in roots)}


@pytest.mark.servers
def test_a_copy_loads_only_what_its_plan_needs_and_status_opens_no_door(cloud: Cloud, tmp_path: Path) -> None:
    company = Company.found(cloud, tmp_path, small=5, specs=())
    watched = {"PYTHONPROFILEIMPORTTIME": "1"}
    planning = company.terminal.run("plan", "--source", "s3://src", "--destination", cloud.destination("dst"), "--list",
                                    env=watched)
    assert {"botocore", "aiobotocore"} <= loaded(planning), "the plan has to find the bucket"
    copying = company.terminal.run("copy", "--resume", "--json", env=watched)
    assert company.adds_up(copying.summary)["outcomes"]["copied"] == 5
    assert {"blobmove.stores.s3.control", *DOORS} <= loaded(copying)
    assert within(loaded(copying), LEFT_OUT) == set()
    looking = company.terminal.run("status", env=watched)
    assert "blobmove.operations.status" in loaded(looking)
    assert within(loaded(looking), LEFT_OUT - {"blobmove.core.crew"} | DOORS) == set()


@pytest.mark.parametrize(("memory", "workers", "scheduler", "most"), [
    (384, None, None, 32), (384, 1, None, 32), (384, 2, None, 24), (384, 4, None, 12), (2048, 4, None, 32),
    (4096, 16, None, 32), (384, None, "tcp://here:8786", 32), (64, None, None, 8),
])
def test_bodies_and_blocks_fit_into_the_memory_of_one_worker(
    memory: int, workers: int | None, scheduler: str | None, most: int
) -> None:
    settings = CopySettings(checkpoint=Path("c"), max_memory=memory * MIB, workers=workers, scheduler=scheduler)
    assert body_sizes(settings) == (most * MIB, most * MIB)
    share = memory * MIB // sharing(workers)
    assert most * MIB <= kept_bytes(share) // RANGES_KEPT, "an object of such blocks can be spread"


def test_a_worker_for_each_core_has_its_part_of_the_memory() -> None:
    settings = CopySettings(checkpoint=Path("c"), max_memory=384 * MIB, workers=0)
    assert body_sizes(settings)[1] == min(32 * MIB, 384 * MIB // sharing(0) // 8)
    assert 1 <= sharing(0) <= (os.cpu_count() or 1)
