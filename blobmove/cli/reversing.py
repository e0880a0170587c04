"""Wiring of `copy --reverse`: which blobs are wanted back, the ledger, and doors that also write to S3."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice

from blobmove.checkpoint.journal import FlipJournal
from blobmove.checkpoint.reader import CheckpointReader
from blobmove.checkpoint.returns import ReturnLedger
from blobmove.checkpoint.writer import CheckpointWriter
from blobmove.cli.doors import in_loop, opened
from blobmove.cli.flipping import born_on
from blobmove.cli.wiring import body_sizes
from blobmove.cli.words import parse_source
from blobmove.core.errors import UsageError
from blobmove.core.events import Listener
from blobmove.core.flip_settings import FlipSettings
from blobmove.core.flipping import UNKNOWN_SIZE, Candidate
from blobmove.core.headers import MetadataNames
from blobmove.core.model import BlobRow
from blobmove.core.rails import rails_facts
from blobmove.core.results import CopySummary, ReverseResult
from blobmove.core.reverse import Wanted
from blobmove.core.settings import CopySettings, IfExists
from blobmove.engine.bench import MoveOptions
from blobmove.operations.reverse import Reverse, outlook, take_up
from blobmove.stores.inventory.keyfile import key_batches

_BATCH = 5000
COMMAND = "copy --reverse"
"""How the run is named in the checkpoint: `status` and `flip-service` look for a `copy`, which this is not."""


def look_ahead(settings: CopySettings, listener: Listener) -> CopySummary:
    """What `copy --reverse` would be asked for; nothing is changed."""
    with CheckpointReader(settings.checkpoint) as reader:
        setup = reader.setup()
        with _wanted(settings, parse_source(setup.source).bucket, listener) as batches:
            return outlook(setup, settings, batches)


def reverse(settings: CopySettings, listener: Listener) -> tuple[ReverseResult, int]:
    """The result and the exit code. Raises BlobmoveError after Finished when the run had to stop."""
    with CheckpointReader(settings.checkpoint) as reader, CheckpointWriter(settings.checkpoint, COMMAND) as writer:
        setup = reader.setup()
        source = parse_source(setup.source)
        ledger = ReturnLedger(writer)
        with _wanted(settings, source.bucket, listener) as batches:
            writer.begin_run(setup.plan)
            take_up(ledger, batches)

        async def body() -> tuple[ReverseResult, int]:
            options = MoveOptions(*body_sizes(settings), IfExists.COMPARE, None, MetadataNames.RENAME)
            async with opened(setup, listener, options, concurrency=settings.concurrency,
                              max_memory=settings.max_memory, bandwidth=settings.bandwidth) as doors:
                run = Reverse(settings, setup, source.prefix, ledger, writer, doors.bench, listener, doors.probe,
                              doors.stop)
                result, code, error = await run.run()
            if error is not None:
                raise error
            return result, code

        return in_loop(body)


@contextmanager
def _wanted(settings: CopySettings, bucket: str, listener: Listener) -> Iterator[Iterator[Sequence[Wanted]]]:
    """The list that was asked for, in batches."""
    if not settings.from_rails:
        yield ([Wanted(one.key, one.size) for one in batch] for batch in key_batches(settings.keys, bucket))
        return
    asked = FlipSettings(
        checkpoint=settings.checkpoint, to_service=settings.to_service or _service_of_flips(settings),
        database_url_file=settings.database_url_file, database_auth=settings.database_auth,
    )  # fmt: skip
    with born_on(asked, listener) as rows:
        yield _in_batches(rows)


def _in_batches(rows: Iterable[Candidate]) -> Iterator[Sequence[Wanted]]:
    rows = iter(rows)
    while page := list(islice(rows, _BATCH)):
        yield [
            Wanted(row.key, None if row.byte_size == UNKNOWN_SIZE else row.byte_size, rails_facts(BlobRow(*row)))
            for row in page
        ]


def _service_of_flips(settings: CopySettings) -> str:
    """The one service that the journal's flips have given. Raises UsageError where there is none, or several."""
    with CheckpointReader(settings.checkpoint) as reader:
        names = sorted({run.to_service for run in FlipJournal(reader.db).runs() if run.undo_of is None})
    if len(names) == 1:
        return names[0]
    told = f"the journal names {', '.join(names)}" if names else "the journal has no flip that would name it"
    raise UsageError("E400-USAGE", "--from-rails needs --to, the service whose files are on Azure", cause=told,
                     hint="blobmove copy --reverse --from-rails --to azure --dry-run")
