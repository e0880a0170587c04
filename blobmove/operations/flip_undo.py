"""The way back: exactly the rows that a run flipped, as far as they still name the new service.

Never "all rows that name azure": rows born on Azure have no file on S3.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from blobmove.checkpoint.journal import NewRun
from blobmove.core.errors import BlobmoveError, UsageError
from blobmove.core.flipping import UNKNOWN_SIZE, Candidate, Pace
from blobmove.core.rows import Rows
from blobmove.operations.flip_journaled import JournalMover
from blobmove.operations.flip_movers import DryMover, Mover
from blobmove.operations.flip_patience import Patience
from blobmove.operations.flip_prepare import look_at_server, make_ready, require_confirmed, require_same_server
from blobmove.operations.flip_summary import RunFacts, summarise, summary_record
from blobmove.operations.flip_throttle import Throttle
from blobmove.operations.flip_walk import JudgedPage, Walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from blobmove.checkpoint.journal import BatchToUndo, FlipRun
    from blobmove.core.flip_results import FlipResult
    from blobmove.core.flip_settings import FlipSettings
    from blobmove.core.flipping import ServerFacts
    from blobmove.operations.flip_doors import Approval, FlipDoors, RowId
    from blobmove.operations.flip_patience import Begun


def undo(settings: FlipSettings, doors: FlipDoors, approval: Approval) -> FlipResult:
    """Put back what the run `settings.undo` ("last" or its number) flipped. Idempotent; journaled as a run itself.

    Raises UsageError E404-RUN, E400-UNDO, RefusedError E412-CONFIRM and what make_ready raises.
    """
    return _Undo(settings, doors, approval).go()


class _Undo:
    def __init__(self, settings: FlipSettings, doors: FlipDoors, approval: Approval) -> None:
        if settings.sql is not None:
            raise UsageError("E400-UNDO", "--undo writes no SQL", hint="--sql FILE writes FILE.undo.sql beside it")
        if settings.ids is not None:
            raise UsageError("E400-UNDO", "--undo takes back a whole run, not a file of ids", hint="--undo RUN")
        self._settings = settings
        self._doors = doors
        self._approval = approval
        self._patience = Patience(doors, writing=not settings.dry_run, any_server=approval.any_server)
        self._reading = Patience(doors, writing=False, any_server=approval.any_server, reading=True)
        self._already = 0

    def go(self) -> FlipResult:
        settings, doors = self._settings, self._doors
        began = doors.clock()
        server = self._patience.meet()
        self._reading.meet_again(server.identity)
        throttle = Throttle(settings, doors, self._reading)
        throttle.require_answers()
        if settings.dry_run:
            look_at_server(doors, server, self._patience, self._approval)
        else:
            require_confirmed(self._approval, settings.to_service or "NAME")
            make_ready(doors, server, self._patience, self._approval)  # settles what a crash left: only then choose
        run = self._chosen()
        require_same_server(doors, run.server, server.identity, self._approval)
        before = self._patience.ask(doors.table.services)
        total = doors.journal.count_to_undo(run.id)
        with ExitStack() as stack:
            stack.enter_context(self._reading)
            number, mover = self._mover(run, server, stack)
            walk = Walk(settings, doors, mover, throttle, total)
            try:
                tally = walk.run(lambda size: self._pages(run, size))
            except BlobmoveError as error:
                if number is not None:
                    doors.journal.close_run(number, doors.now(), {"error": error.code})
                raise
        facts = RunFacts(
            from_services=(run.to_service,), to_service=", ".join(run.from_services), run=number, undo_of=run.id,
            remaining=max(0, total - self._already - tally.flipped - tally.refusals), before=before,
            seconds=doors.clock() - began,
        )  # fmt: skip
        result = summarise(settings, doors.table, facts, tally)
        if number is not None:
            doors.journal.close_run(number, doors.now(), summary_record(result))
        return result

    def _chosen(self) -> FlipRun:
        """The run to take back."""
        asked, journal = self._settings.undo, self._doors.journal
        hint = "blobmove flip-service --runs"
        if asked == "last":
            last = journal.last_undoable()
            if last is None:
                raise UsageError("E404-RUN", "the journal holds no flip that could be undone", hint=hint)
            return last
        if not asked.isdecimal():
            raise UsageError("E400-UNDO", f"{asked!r} is not the number of a run", hint=hint)
        run = journal.run(int(asked))
        if run is None:
            raise UsageError("E404-RUN", f"the journal holds no run {asked}", hint=hint)
        if run.undo_of is not None:
            raise UsageError("E400-UNDO", f"run {asked} is itself an undo (of run {run.undo_of})", hint=hint)
        return run

    def _mover(self, run: FlipRun, server: ServerFacts, stack: ExitStack) -> tuple[int | None, Mover]:
        doors, pace = self._doors, Pace(self._settings.batch_size)
        if self._settings.dry_run:
            return None, DryMover(pace)
        number = doors.journal.open_run(
            NewRun(
                started_at=doors.now(), server=server.identity, database=doors.table.describe(),
                from_services=(run.to_service,), to_service=", ".join(run.from_services), host=doors.host,
                operator=doors.operator, position=server.position, undo_of=run.id,
            )
        )  # fmt: skip
        return number, stack.enter_context(JournalMover(doors, self._patience, self._reading, number, pace))

    def _pages(self, run: FlipRun, size: Callable[[], int]) -> Iterator[JudgedPage]:
        """What the rows of the next page name is asked while one is judged."""
        reading = self._doors.reading
        before: tuple[BatchToUndo, Sequence[RowId], Begun[dict[RowId, str | None]]] | None = None
        for batch, ids in self._parts(run, size):
            done = None if before is None else (before[0], before[1], before[2].answer())
            before = batch, ids, self._reading.begin(partial(reading.current, ids))
            if done is not None:
                yield self._judged(*done)
        if before is not None:
            yield self._judged(before[0], before[1], before[2].answer())

    def _parts(self, run: FlipRun, size: Callable[[], int]) -> Iterator[tuple[BatchToUndo, Sequence[RowId]]]:
        for batch in self._doors.journal.batches_to_undo(run.id):
            start = 0
            while start < len(batch.ids):
                part = batch.ids[start : start + size()]
                start += len(part)
                yield batch, part

    def _judged(
        self, batch: BatchToUndo, ids: Sequence[RowId], current: dict[RowId, str | None]
    ) -> JudgedPage:
        """A row that names its old service again is done already and not counted."""
        open_ids = [one for one in ids if current[one] != batch.old]
        self._already += len(ids) - len(open_ids)
        rows = Rows.of(Candidate(one, "", batch.new, UNKNOWN_SIZE, None) for one in open_ids)
        reasons = {
            at: "purged" if current[one] is None else "changed-meanwhile"
            for at, one in enumerate(open_ids) if current[one] != batch.new
        }  # fmt: skip
        return JudgedPage(rows, batch.old, reasons, batch.number)
