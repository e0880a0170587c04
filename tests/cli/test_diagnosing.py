"""The wiring of `doctor`: what it takes from the checkpoint, and that no file system keeps it waiting."""

from __future__ import annotations

import threading
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from blobmove.checkpoint.reader import CheckpointReader
from blobmove.cli import diagnosing
from blobmove.cli.diagnosing import diagnose
from blobmove.core.diagnosis import Diagnosis
from blobmove.core.model import Destination, ObjectVersion, Source
from blobmove.core.plan_settings import DoctorSettings
from blobmove.operations import doctor_source
from blobmove.stores.inventory.report_files import FolderFiles
from tests.checkpoint.plans import E1, plan_into
from tests.stores.inventory.reports import CONFIG, deliver, some_objects

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from blobmove.stores.inventory.report import Report

pytestmark = pytest.mark.anyio

LONG = 20.0
"""So long hangs what hangs here, in seconds; nobody is to wait for it."""


@pytest.fixture
def hang() -> Iterator[Callable[..., Any]]:
    """What a share does whose server is gone."""
    end = threading.Event()

    def hang(*_any: object, **_how: object) -> Any:  # noqa: ANN401
        end.wait(LONG)
        raise OSError

    yield hang
    end.set()


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A plan of s3://acme that was made from an inventory."""
    path = tmp_path / "blobmove.db"
    plan_into(path, [ObjectVersion("a", 10, E1)])
    return path


@pytest.mark.parametrize(("asked", "inventory"), [
    (None, "s3://reports/acme/daily/"), (Source("acme"), "s3://reports/acme/daily/"), (Source("other"), None),
])
def test_the_inventory_of_the_plan_is_that_of_its_own_source(
    asked: Source | None, inventory: str | None, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with CheckpointReader(checkpoint) as reader:
        setup = reader.setup()
    setup.settings["inventory"] = "s3://reports/acme/daily/"
    monkeypatch.setattr(CheckpointReader, "setup", lambda _self: setup)
    known = diagnosing._known(DoctorSettings(checkpoint=checkpoint, source=asked))
    assert known.source == (asked or Source("acme"))
    assert known.inventory == inventory
    given = DoctorSettings(checkpoint=checkpoint, source=asked, inventory="s3://mine/")
    assert diagnosing._known(given).inventory == "s3://mine/"


async def test_a_checkpoint_that_hangs_is_waited_for_no_longer_than_a_look(
    checkpoint: Path, hang: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagnosing, "SECONDS", 0.2)
    monkeypatch.setattr(diagnosing, "CheckpointReader", hang)
    started = time.monotonic()
    known = await diagnose(DoctorSettings(checkpoint=checkpoint))
    assert time.monotonic() - started < LONG / 2
    assert (known.source, known.next) == (None, f"blobmove doctor --checkpoint {checkpoint}")


async def test_nor_for_the_next_step_once_all_is_looked_at(
    checkpoint: Path, hang: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagnosing, "SECONDS", 0.2)
    monkeypatch.setattr(diagnosing, "status", hang)
    monkeypatch.setattr(Diagnosis, "count", lambda _self, _level: 0)
    monkeypatch.setattr(diagnosing, "_source", _no_looks)
    monkeypatch.setattr(diagnosing, "_destination", _no_looks)
    started = time.monotonic()
    known = await diagnose(DoctorSettings(checkpoint=checkpoint))
    assert time.monotonic() - started < LONG / 2
    assert (known.source, known.next) == ("s3://acme", f"blobmove doctor --checkpoint {checkpoint}")


async def _no_looks(*_any: object) -> list[object]:
    return []


async def report_of(folder: Path, stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch) -> Awaitable[Report]:
    """The question for the newest report in `folder`, as the look at the source asks it."""
    ends: list[doctor_source.SourceEnd] = []
    monkeypatch.setattr(doctor_source, "looks_at", ends.append)
    source = Source("src")
    known = diagnosing.Known(source, Destination("https://acme.blob.core.windows.net", "files"), str(folder), {})
    await diagnosing._source(DoctorSettings(), known, stack, lambda _finding: None)
    assert ends[0].report is not None
    return ends[0].report()


async def test_a_report_is_found_in_a_local_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = deliver(tmp_path, some_objects())
    async with AsyncExitStack() as stack:
        report = await (await report_of(tmp_path / CONFIG, stack, monkeypatch))
    assert report.manifest.key == f"{manifest.parent.name}/manifest.json"
    assert manifest.is_file(), "the report stays"


@pytest.mark.parametrize("what", ["locate", "folders", "content"])
async def test_a_folder_of_reports_that_hangs_is_left_when_the_look_is_over(
    what: str, tmp_path: Path, hang: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(tmp_path, some_objects())
    monkeypatch.setattr(diagnosing if what == "locate" else FolderFiles, what, hang)
    started = time.monotonic()
    async with AsyncExitStack() as stack:
        report = await report_of(tmp_path / CONFIG, stack, monkeypatch)
        with anyio.move_on_after(0.5) as scope:
            await report
    assert scope.cancelled_caught
    assert time.monotonic() - started < LONG / 2
