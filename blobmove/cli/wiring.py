"""Where everything is wired together: settings and credentials become open doors, doors go into an operation.

Each command imports what it needs when it is run: `status` and `report` open no door and shall not load one.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from blobmove.core.settings import IfExists
from blobmove.core.units import MIB

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from blobmove.checkpoint.journal import FlipRun
    from blobmove.checkpoint.values import Setup
    from blobmove.cli.doors import Opened
    from blobmove.cluster.coordinator import Crew
    from blobmove.core.diagnosis import Diagnosis
    from blobmove.core.events import Listener
    from blobmove.core.flip_results import BornResult, FlipResult
    from blobmove.core.flip_settings import FlipSettings
    from blobmove.core.plan_results import PlanResult
    from blobmove.core.plan_settings import DoctorSettings, PlanSettings
    from blobmove.core.results import CopySummary, ReverseResult, StatusResult, VerifyResult
    from blobmove.core.settings import CopySettings, ReportSettings, StatusSettings, VerifySettings
    from blobmove.engine.bench import MoveOptions


def run_doctor(settings: DoctorSettings) -> Diagnosis:
    """`doctor`: see cli.diagnosing."""
    from blobmove.cli.diagnosing import diagnose
    from blobmove.cli.doors import in_loop

    return in_loop(lambda: diagnose(settings))


def run_plan(settings: PlanSettings, listener: Listener) -> PlanResult:
    """`plan`: see cli.planning."""
    from blobmove.cli.doors import in_loop
    from blobmove.cli.planning import plan

    return in_loop(lambda: plan(settings, listener))


def body_sizes(settings: CopySettings) -> tuple[int, int]:
    """The whole-object limit and the block size in bytes: several bodies must fit, or they go one at a time.

    Into the memory of the one process that moves them: workers of this machine share what there is.
    """
    most = settings.max_memory // 8
    if settings.workers is not None:
        from blobmove.cli.clustering import sharing

        most = settings.max_memory // sharing(settings.workers) // 8
    return min(settings.whole_object_limit, most), min(settings.block_size, most)


def run_copy(settings: CopySettings, listener: Listener) -> tuple[CopySummary, int]:
    """`copy`: the summary and the exit code. Raises BlobmoveError after Finished when the run had to stop."""
    from blobmove.checkpoint.reader import CheckpointReader
    from blobmove.checkpoint.writer import CheckpointWriter
    from blobmove.cli.doors import in_loop, opened
    from blobmove.core.headers import MetadataNames
    from blobmove.core.transfer import MAX_WHOLE_BYTES
    from blobmove.engine.bench import MoveOptions
    from blobmove.operations.copy import Copy, require_resume

    async def body() -> tuple[CopySummary, int]:
        with CheckpointReader(settings.checkpoint) as reader, CheckpointWriter(settings.checkpoint, "copy") as writer:
            setup = reader.setup()
            require_resume(reader, settings)
            options = MoveOptions(
                *body_sizes(settings), settings.if_exists,
                settings.access_tier.value if settings.access_tier else None,
                MetadataNames(setup.settings.get("metadata_names", "rename")),
                transfer=settings.transfer, content_from=settings.content_from, whole_pull_limit=MAX_WHOLE_BYTES,
            )
            async with (
                opened(setup, listener, options, concurrency=settings.concurrency,
                       max_memory=settings.max_memory, bandwidth=settings.bandwidth) as doors,
                _crew(settings, setup, options, doors, listener) as crew,
            ):
                copy = Copy(settings, reader, writer, doors.bench, listener, doors.probe, doors.stop, crew)
                summary, code, error = await copy.run()
        if error is not None:
            raise error
        return summary, code

    return in_loop(body)


@asynccontextmanager
async def _crew(
    settings: CopySettings | VerifySettings, setup: Setup, options: MoveOptions, doors: Opened, listener: Listener
) -> AsyncIterator[Crew | None]:
    """The workers where any were asked for; else None: this process does it alone, and never loads what they need."""
    if settings.workers is None and settings.scheduler is None:
        yield None
        return
    from blobmove.cli.clustering import Asked, crew

    async with crew(Asked.by(settings), setup, options, doors, listener) as found:
        yield found


def run_reverse(settings: CopySettings, listener: Listener) -> tuple[ReverseResult, int]:
    """`copy --reverse`: see cli.reversing."""
    from blobmove.cli.reversing import reverse

    return reverse(settings, listener)


def look_ahead(settings: CopySettings, listener: Listener) -> CopySummary:
    """`copy --reverse --dry-run`."""
    from blobmove.cli.reversing import look_ahead

    return look_ahead(settings, listener)


def run_verify(settings: VerifySettings, listener: Listener) -> tuple[VerifyResult, int]:
    """`verify`: the result and the exit code."""
    from blobmove.checkpoint.reader import CheckpointReader
    from blobmove.checkpoint.writer import CheckpointWriter
    from blobmove.cli.doors import in_loop, opened
    from blobmove.cli.words import parse_source
    from blobmove.core.headers import MetadataNames
    from blobmove.engine.bench import MoveOptions
    from blobmove.operations.verify import Verify

    async def body() -> tuple[VerifyResult, int]:
        with CheckpointReader(settings.checkpoint) as reader, CheckpointWriter(settings.checkpoint, "verify") as writer:
            setup = reader.setup()
            options = MoveOptions(32 * MIB, 8 * MIB, IfExists.COMPARE, None, MetadataNames.RENAME)
            async with (
                opened(setup, listener, options, concurrency=None, max_memory=384 * MIB) as doors,
                _crew(settings, setup, options, doors, listener) as crew,
            ):
                prefix = parse_source(setup.source).prefix  # not the last plan's: earlier ones may have been wider
                return await Verify(settings, reader, writer, doors.bench, listener, doors.probe, doors.stop, prefix,
                                    crew).run()

    return in_loop(body)


def read_status(settings: StatusSettings) -> StatusResult:
    """`status`: from the checkpoint alone."""
    from blobmove.operations.status import status

    return status(settings.checkpoint, all_failures=settings.failed)


def write_report(settings: ReportSettings) -> int:
    """`report`: the files asked for; the number of records written, 0 where none were."""
    from blobmove.checkpoint.reader import CheckpointReader
    from blobmove.checkpoint.story import story
    from blobmove.operations.status import records

    with CheckpointReader(settings.checkpoint) as reader:
        reader.setup()
        if settings.html is not None:
            from blobmove.views.report_page import write_report_page

            write_report_page(settings.html, story(reader))
        if settings.objects is None:
            return 0
        from blobmove.views.objects import write_objects

        return write_objects(settings.objects, records(reader))


def run_flip(settings: FlipSettings, listener: Listener) -> FlipResult:
    """`flip-service`: see cli.flipping."""
    from blobmove.cli.flipping import flip

    return flip(settings, listener)


def list_born(settings: FlipSettings, file: Path, listener: Listener) -> BornResult:
    """`flip-service --born`."""
    from blobmove.cli.flipping import born

    return born(settings, file, listener)


def list_flip_runs(checkpoint: Path) -> list[FlipRun]:
    """`flip-service --runs`."""
    from blobmove.cli.flipping import runs

    return runs(checkpoint)
