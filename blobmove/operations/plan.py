"""`plan`: read the list of objects, decide for each, check it against Rails, adopt it all at once, and size it."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from anyio import to_thread

from blobmove.checkpoint.folders import FOLDER_REASONS
from blobmove.checkpoint.planning import Listed, Planned, PlanStage
from blobmove.checkpoint.writer import CheckpointWriter
from blobmove.core.events import Listener, Note
from blobmove.core.forecast import PRICES, Sizing
from blobmove.core.frozen import frozen
from blobmove.core.model import BlobRow, ObjectVersion, State
from blobmove.core.names import MAX_FOLDERS, refusal
from blobmove.core.plan_results import InventoryFacts, PlanChange, PlanResult, RailsCheck
from blobmove.core.proof import expected, readings
from blobmove.core.rails import rails_facts
from blobmove.core.selection import Selection, decide
from blobmove.core.units import MIB

SAMPLES: Final = 5
EXAMPLES: Final = 5
"""Keys named for each reason why an object is left out or does not fit its row."""
WHOLE_LIMIT: Final = 32 * MIB
BLOCK_SIZE: Final = 32 * MIB

_PRESENT_ROW: Final = "l.id IS NOT NULL AND l.reason IS NOT 'delete-marker'"
_JOIN: Final = "FROM incoming.rails r LEFT JOIN incoming.listed l ON l.id = r.slot"
_CLEAR_ETAG: Final = (
    "typeof(l.etag) = 'blob' AND (l.encryption IS NULL OR (l.encryption NOT LIKE '%KMS%' AND l.encryption <> 'SSE-C'))"
)
_MISFITS: Final = {
    "missing_attached": f"NOT ({_PRESENT_ROW}) AND r.attached IS NOT 0",
    "missing_unattached": f"NOT ({_PRESENT_ROW}) AND r.attached IS 0",
    "size_differs": f"{_PRESENT_ROW} AND l.size IS NOT NULL AND l.size <> r.size",
    "checksum_differs": f"{_PRESENT_ROW} AND {_CLEAR_ETAG} AND r.md5 IS NOT NULL AND l.etag <> r.md5",
}
"""Rows that do not fit the list, by the field of RailsCheck that counts them, in its order."""


@frozen
class ObjectList:
    """Where the objects come from: batches of rows, and what is known of the list as a whole."""

    batches: AsyncIterator[Sequence[ObjectVersion]]
    format: str
    created: str | None
    files: int


@frozen
class Ask:
    """What a plan is made for. `rails` yields the blob rows, None where no database was named.

    `settings` is remembered in the checkpoint for the commands that follow; `services` limits the rows that count.
    """

    plan: str
    source: str
    destination: str
    planned_at: str
    selection: Selection
    settings: dict[str, Any]
    services: frozenset[str] = frozenset()
    prices: Mapping[str, float] = dataclasses.field(default_factory=lambda: PRICES)


@dataclass(slots=True)
class Plan:
    """One run of `plan`."""

    ask: Ask
    objects: ObjectList
    rails: Iterator[list[BlobRow]] | None
    writer: CheckpointWriter
    listener: Listener
    _rows: int = 0
    _outside: int = 0
    _nested: int = 0
    _doubtful: int = 0
    _services: Counter[str] = dataclasses.field(default_factory=Counter)
    _aside: dict[str, list[str]] = dataclasses.field(default_factory=dict)

    async def run(self) -> PlanResult:
        """Read everything, then adopt it in one transaction: on any error the checkpoint stays as it was."""
        with PlanStage(self.writer, hierarchical=bool(self.ask.selection.hierarchical)) as stage:
            if self.rails is not None:
                self._read_rails(stage, self.rails)
            await self._read_objects(stage)
            listed = await to_thread.run_sync(stage.close_list)
            await self._tell_of_folders(stage, listed)
            sizing = await to_thread.run_sync(self._size, stage)
            check = self._check_rails(stage) if self.rails is not None else None
            result = self._result(stage, listed, sizing, check)
            change = await to_thread.run_sync(self._adopt, stage, result)
            return dataclasses.replace(result, change=change, settled=stage.settled())

    def _read_rails(self, stage: PlanStage, rails: Iterator[list[BlobRow]]) -> None:
        for batch in rails:
            chosen = [row for row in batch if self._counts(row)]
            self._services.update(row.service_name for row in chosen)
            stage.add_rails([(row.key, rails_facts(row), row.attached) for row in chosen])
        self.listener(Note(f"Read active_storage_blobs: {self._services.total():,} rows"))

    def _counts(self, row: BlobRow) -> bool:
        wanted = not self.ask.services or row.service_name in self.ask.services
        return wanted and row.key.startswith(self.ask.selection.prefix)

    async def _read_objects(self, stage: PlanStage) -> None:
        async for batch in self.objects.batches:
            self._rows += len(batch)
            inside = [version for version in batch if version.key.startswith(self.ask.selection.prefix)]
            self._outside += len(batch) - len(inside)
            await to_thread.run_sync(self._gather, stage, inside)

    def _gather(self, stage: PlanStage, batch: Sequence[ObjectVersion]) -> None:
        asked = self.rails is not None
        rails = stage.rails_of([version.key for version in batch]) if asked else {}
        stage.add([self._planned(version, rails.get(version.key), asked) for version in batch])

    def _planned(self, version: ObjectVersion, facts: Any, asked: bool) -> Planned:  # noqa: ANN401
        referenced = facts is not None
        decision = decide(version, self.ask.selection, referenced if asked else None)
        if decision.reason and len(examples := self._aside.setdefault(decision.reason, [])) < EXAMPLES:
            examples.append(version.key)
        if self.ask.selection.hierarchical is None and decision.state is State.PENDING:
            self._doubt(decision.blob_name or version.key)
        proof = expected(version, facts) if decision.state is State.PENDING else None
        return Planned(version, decision, proof, referenced)

    def _doubt(self, name: str) -> None:
        """Count what depends on the kind of account, where nobody may ask for it."""
        if "/" in name:
            self._nested += 1
            self._doubtful += refusal(name, hierarchical=True) is not None

    async def _tell_of_folders(self, stage: PlanStage, listed: Listed) -> None:
        """Where folders are real, which objects cannot be beside others; where nobody may ask, what depends on it."""
        for reason in FOLDER_REASONS:
            if listed.refused.get(reason):
                self._aside[reason] = await to_thread.run_sync(stage.keys_of, reason, EXAMPLES)
        if self._nested:
            doubtful = (f"rename or refuse {self._doubtful:,} of the names (`//`, a slash at an end, over"
                        f" {MAX_FOLDERS} segments), and " if self._doubtful else "")
            self.listener(Note("Whether the account has a hierarchical namespace is not told to these credentials. With"
                               f" one, it would {doubtful}hold only one of two names like `a` and `a/b`, which were not"
                               " looked for. Ask: az storage account show --name ACCOUNT --query isHnsEnabled"))

    def _size(self, stage: PlanStage) -> Sizing:
        sizing = Sizing(WHOLE_LIMIT, BLOCK_SIZE)
        for size, storage_class, proof in stage.sizes():
            sizing.add(size, storage_class, readings=readings(proof))
        return sizing

    def _check_rails(self, stage: PlanStage) -> RailsCheck:
        """The three-way look: rows against the list, the list against rows."""
        counted = ", ".join(f"sum({one}), min(iif({one}, r.key, NULL)), max(iif({one}, r.key, NULL))"
                            for one in _MISFITS.values())
        ((rows, matched, *told),) = stage.query(f"SELECT count(*), sum({_PRESENT_ROW}), {counted} {_JOIN}")
        counts = {name: told[3 * place] or 0 for place, name in enumerate(_MISFITS)}
        for place, name in enumerate(_MISFITS):
            if counts[name]:
                self._aside[name] = list(dict.fromkeys(told[3 * place + 1:3 * place + 3]))
        ((alone,),) = stage.query("SELECT count(*) FROM incoming.listed WHERE state = 'pending' AND NOT referenced")
        return RailsCheck(
            rows=rows, by_service=dict(self._services.most_common()), matched=matched or 0, **counts,
            objects_without_row=alone,
        )

    def _result(self, stage: PlanStage, listed: Listed, sizing: Sizing, check: RailsCheck | None) -> PlanResult:
        facts = InventoryFacts(
            self.objects.format, self.objects.created, self.objects.files, self._rows, self._outside, listed.twice
        )
        return PlanResult(
            plan=self.ask.plan, source=self.ask.source, destination=self.ask.destination,
            checkpoint=str(self.writer.path), inventory=facts, listed=listed.listed, to_copy=sizing.objects,
            to_copy_bytes=sizing.bytes, unknown_sizes=sizing.unknown, settled=0, skipped=listed.skipped,
            refused=listed.refused, sizes=sizing.buckets(), storage_classes=listed.classes, proofs=listed.proofs,
            rails=check, forecast=sizing.forecast(self.ask.prices), samples=stage.samples(SAMPLES),
            examples={reason: tuple(dict.fromkeys(keys)) for reason, keys in self._aside.items()},
        )

    def _adopt(self, stage: PlanStage, result: PlanResult) -> PlanChange | None:
        return stage.adopt(
            plan=self.ask.plan, source=self.ask.source, destination=self.ask.destination,
            planned_at=self.ask.planned_at, settings=self.ask.settings, sizing=dataclasses.asdict(result),
            rails=self.rails is not None,
        )
