"""`flip-service`: let the rows whose files are proven on Azure name the new service, in journaled batches.

    rows page by page -> gate (checkpoint) -> journal (synced) -> UPDATE, compare-and-set -> journal (with the next)

The gate is core.gate, the order within a batch flip_journaled.JournalMover, the way back flip_undo.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from blobmove.checkpoint.journal import NewRun
from blobmove.core.errors import BlobmoveError, UsageError
from blobmove.core.events import Note
from blobmove.core.flipping import Pace, choose_sources, name_warnings
from blobmove.core.gate import needs_look, refusals
from blobmove.operations.flip_born import Born, find_born
from blobmove.operations.flip_doors import Approval
from blobmove.operations.flip_journaled import JournalMover
from blobmove.operations.flip_movers import DryMover, Mover, SqlMover
from blobmove.operations.flip_patience import Patience
from blobmove.operations.flip_prepare import look_at_server, make_ready, require_confirmed, require_verified
from blobmove.operations.flip_summary import RunFacts, summarise, summary_record
from blobmove.operations.flip_throttle import Throttle
from blobmove.operations.flip_undo import undo
from blobmove.operations.flip_walk import JudgedPage, Walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from blobmove.core.flip_results import FlipResult
    from blobmove.core.flip_settings import FlipSettings
    from blobmove.core.flipping import Outlook, ServerFacts
    from blobmove.core.rows import Rows
    from blobmove.operations.flip_doors import FlipDoors, RowId
    from blobmove.operations.flip_patience import Begun
    from blobmove.operations.flip_walk import Tally

__all__ = ["plan_flip", "run_flip", "undo"]


def plan_flip(settings: FlipSettings, doors: FlipDoors) -> FlipResult:
    """The dry run, whatever `settings.dry_run` says: SELECTs only, and nothing in the journal."""
    return run_flip(replace(settings, dry_run=True), doors, Approval())


def run_flip(settings: FlipSettings, doors: FlipDoors, approval: Approval) -> FlipResult:
    """Flip, or as `settings` say: a dry run, statements into a file, an undo.

    Raises UsageError E400-TO, E400-FROM, E404-SERVICE, E404-IDS, E400-IDS, E400-LAG, E000-DATABASE; RefusedError
    E412-VERIFY, E412-CONFIRM, E412-READ-ONLY, E412-REPLICA, E412-SERVER; AccessError E403-DATABASE, E403-REPLICA;
    HeldError E409-FLIP.
    """
    if settings.undo:
        return undo(settings, doors, approval)
    return _Flip(settings, doors, approval).run()


class _Flip:
    def __init__(self, settings: FlipSettings, doors: FlipDoors, approval: Approval) -> None:
        self._settings = settings
        self._doors = doors
        self._approval = approval
        self._for_real = not settings.dry_run and settings.sql is None
        self._patience = Patience(doors, writing=self._for_real, any_server=approval.any_server)
        self._reading = Patience(doors, writing=False, any_server=approval.any_server, reading=True)
        self._sources: tuple[str, ...] = ()

    def run(self) -> FlipResult:
        settings, doors = self._settings, self._doors
        began = doors.clock()
        server = self._patience.meet()
        self._reading.meet_again(server.identity)
        before = self._patience.ask(doors.table.services)
        known = doors.journal.services_flipped_before(settings.to_service)
        self._sources = choose_sources(settings.from_services, settings.to_service, before, known)
        for warning in name_warnings(settings.to_service, before):
            doors.listener(Note(warning))
        ids = self._ids()
        throttle = Throttle(settings, doors, self._reading)
        throttle.require_answers()
        self._approve(server)
        total = sum(before.get(name, 0) for name in self._sources)
        with ExitStack() as stack:
            stack.enter_context(self._reading)
            run, mover = self._mover(server, stack)
            walk = Walk(settings, doors, mover, throttle, total)
            tally = self._recorded(run, lambda: walk.run(self._page_source(ids)))
        after = self._patience.ask(lambda: doors.table.services(self._sources)) if self._for_real else before
        facts = RunFacts(
            from_services=self._sources, to_service=settings.to_service, run=run, undo_of=None,
            remaining=self._remaining(after, tally), before=before, seconds=doors.clock() - began,
            outlook=self._outlook(tally), born=self._born(before),
        )  # fmt: skip
        result = summarise(settings, doors.table, facts, tally)
        if run is not None:
            doors.journal.close_run(run, doors.now(), summary_record(result))
        return result

    def _approve(self, server: ServerFacts) -> None:
        settings, doors = self._settings, self._doors
        require_verified(doors, waived=settings.skip_verify, dry_run=settings.dry_run)
        if self._for_real:
            require_confirmed(self._approval, settings.to_service)
            make_ready(doors, server, self._patience, self._approval)
        else:
            look_at_server(doors, server, self._patience, self._approval)

    def _mover(self, server: ServerFacts, stack: ExitStack) -> tuple[int | None, Mover]:
        settings, doors, pace = self._settings, self._doors, Pace(self._settings.batch_size)
        if settings.dry_run:
            return None, DryMover(pace)
        if settings.sql is not None:
            return None, stack.enter_context(SqlMover(pace, doors.table, settings.sql))
        run = doors.journal.open_run(
            NewRun(
                started_at=doors.now(), server=server.identity, database=doors.table.describe(),
                from_services=self._sources, to_service=settings.to_service, host=doors.host,
                operator=doors.operator, position=server.position,
            )
        )  # fmt: skip
        return run, stack.enter_context(JournalMover(doors, self._patience, self._reading, run, pace))

    def _recorded(self, run: int | None, walk: Callable[[], Tally]) -> Tally:
        """A run that fails is closed with the code of its error; one that is killed stays open."""
        try:
            return walk()
        except BlobmoveError as error:
            if run is not None:
                self._doors.journal.close_run(run, self._doors.now(), {"error": error.code})
            raise

    def _remaining(self, after: dict[str, int], tally: Tally) -> int:
        """Rows that name a source and were neither refused nor (in a dry run) counted as flipped."""
        named = sum(after.get(name, 0) for name in self._sources)
        return max(0, named - tally.kept - (0 if self._for_real else tally.flipped))

    def _outlook(self, tally: Tally) -> Outlook | None:
        """A dry run asks the server what it thinks of the statement it would get."""
        sample = tally.sample
        if not self._settings.dry_run or sample is None:
            return None
        ids, old = [row.id for row in sample.rows], sample.rows[0].service_name
        return self._patience.ask(lambda: self._doors.table.outlook(ids, old, sample.new))

    def _born(self, before: dict[str, int]) -> Born:
        if not self._settings.dry_run or not before.get(self._settings.to_service):
            return Born()
        return find_born(self._doors, self._reading, self._settings.to_service)

    def _page_source(self, ids: Sequence[RowId] | None) -> Callable[[Callable[[], int]], Iterator[JudgedPage]]:
        if not self._sources:
            return lambda _size: iter(())
        return self._table_pages if ids is None else lambda size: self._id_pages(ids, size)

    def _table_pages(self, size: Callable[[], int]) -> Iterator[JudgedPage]:
        """By primary key, the next page read while one is judged. A uuid table has no newest end: a row born behind
        us is found by the next run."""
        table = self._doors.reading

        def page(after: RowId | None) -> Begun[Rows]:
            limit = size()
            return self._reading.begin(lambda: table.candidates(after, limit, self._sources))

        under_way = page(None)
        while rows := under_way.answer():
            under_way = page(rows.ids[-1])
            yield self._judged(self._mine(rows))

    def _id_pages(self, ids: Sequence[RowId], size: Callable[[], int]) -> Iterator[JudgedPage]:
        start, others = 0, 0
        while start < len(ids):
            part = ids[start : start + size()]
            start += len(part)
            rows = self._mine(self._reading.ask(lambda: self._doors.reading.rows(part)))  # noqa: B023
            others += len(part) - len(rows)
            yield self._judged(rows)
        if others:
            names = ", ".join(self._sources)
            self._doors.listener(Note(f"{others:,} of the ids asked for are gone or do not name {names}"))

    def _mine(self, rows: Rows) -> Rows:
        """Those that name a source. The question compares bytes, too; here it is seen that it did, where the answer
        tells the name (MySQL's does not where there is one only: stores.rails.statements)."""
        if set(rows.names) <= set(self._sources):
            return rows
        return rows.pick([at for at, name in enumerate(rows.names) if name in self._sources])

    def _judged(self, rows: Rows) -> JudgedPage:
        """Rows with the reasons to leave some alone. What most say is proven to the letter; the rest is looked at."""
        ledger = self._doors.ledger
        looked = needs_look(rows, ledger.proven_rows(rows.keys))
        reasons = refusals(rows, looked, ledger.proven([rows.keys[at] for at in looked])) if looked else {}
        return JudgedPage(rows, self._settings.to_service, reasons)

    def _ids(self) -> list[RowId] | None:
        path = self._settings.ids
        if path is None:
            return None
        try:
            lines = path.read_text(encoding="utf-8-sig").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError("E404-IDS", f"the file of ids {path} cannot be read", cause=str(error)) from None
        written = [(number, line.strip()) for number, line in enumerate(lines, start=1)]
        ids = [self._id(path, number, one) for number, one in written if one and not one.startswith("#")]
        if not ids:
            raise UsageError("E400-IDS", f"{path} holds no id", hint="one id a line")
        return list(dict.fromkeys(ids))

    def _id(self, path: Path, number: int, written: str) -> RowId:
        """What stands in that line of the file."""
        try:
            return self._doors.table.parse_id(written)
        except UsageError as error:
            raise UsageError(error.code, f"line {number} of {path}: {error.message}", hint=error.hint) from None
