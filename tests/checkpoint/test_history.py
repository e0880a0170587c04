"""Whatever happens in whatever order: every planned object is in exactly one counted state, and no proof is lost."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from blobmove.checkpoint.planning import PlanStage
from blobmove.checkpoint.reader import CheckpointReader
from blobmove.checkpoint.writer import CheckpointWriter
from blobmove.core.model import PROVEN_STATES, ObjectVersion, Outcome, Proof, State, slot
from tests.checkpoint.plans import E1, E2, E3, adopt, counted, gather

ETAGS = (E1, E2, f"{E3}-2", None)
"""None: a list of bare keys, which says nothing about versions."""

LISTS = st.dictionaries(
    st.sampled_from("abcdefgh"), st.tuples(st.sampled_from(ETAGS), st.sampled_from(("STANDARD", "GLACIER"))),
    min_size=1, max_size=6,
)
ENDS = st.sampled_from((
    State.COPIED, State.COPIED, State.COPIED, State.PRESENT, State.CHANGED, State.GONE, State.CONFLICT, State.FAILED,
))


@dataclass(frozen=True)
class Expected:
    """What the checkpoint should say of one key."""

    state: State
    etag: str | None
    archived: bool = False


def after_a_plan(before: Expected | None, etag: str | None, archived: bool) -> Expected:
    """The rules of adoption in words: same version and proven stays; failures wait; all else is as listed."""
    listed = Expected(State.SKIPPED if archived else State.PENDING, etag, archived)
    if before is None:
        return listed
    same = etag is not None and etag == before.etag  # a bare key cannot tell: it is looked at again
    waits = before.state in (State.FAILED, State.CONFLICT) and listed.state is State.PENDING
    if same and (before.state in PROVEN_STATES or waits):
        return before
    keeps_etag = same and before.state is not State.CHANGED
    return replace(listed, etag=before.etag if keeps_etag else etag)


class Migration(RuleBasedStateMachine):
    """Plans, copies, retries and crashes in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "blobmove.db"
        self.plans = 0
        self.expected: dict[str, Expected] = {}

    def teardown(self) -> None:
        self.folder.cleanup()

    @staticmethod
    def version(key: str, etag: str | None, storage_class: str) -> ObjectVersion:
        size = None if etag is None else ETAGS.index(etag) + 10
        return ObjectVersion(key, size, etag, storage_class=storage_class)

    @initialize(listed=LISTS)
    def first_plan(self, listed: dict[str, tuple[str | None, str]]) -> None:
        self.plan(listed)

    @rule(listed=LISTS)
    def plan(self, listed: dict[str, tuple[str | None, str]]) -> None:
        self.plans += 1
        with CheckpointWriter(self.path, "plan", create=True) as writer, PlanStage(writer) as stage:
            gather(stage, [self.version(key, *told) for key, told in listed.items()])
            adopt(stage, f"plan-{self.plans}")
        for key, (etag, storage_class) in listed.items():
            self.expected[key] = after_a_plan(self.expected.get(key), etag, storage_class == "GLACIER")

    @rule(listed=LISTS)
    def plan_that_crashes(self, listed: dict[str, tuple[str | None, str]]) -> None:
        with CheckpointWriter(self.path, "plan", create=True) as writer:
            stage = PlanStage(writer).__enter__()
            gather(stage, [self.version(key, *told) for key, told in listed.items()])
            # No end of the stage: the file beside the checkpoint stays, as after kill -9.

    def pending(self) -> list[str]:
        return sorted(key for key, told in self.expected.items() if told.state is State.PENDING)

    @precondition(lambda self: self.pending())
    @rule(data=st.data(), end_well=st.booleans())
    def copy(self, data: st.DataObject, end_well: bool) -> None:
        chosen = data.draw(st.lists(st.sampled_from(self.pending()), unique=True, min_size=1))
        with CheckpointWriter(self.path, "copy") as writer:
            writer.begin_run(f"plan-{self.plans}")
            writer.settle([self.outcome(key, data.draw(ENDS)) for key in chosen])
            if end_well:
                writer.end_run(0, {"settled": len(chosen)})

    def outcome(self, key: str, state: State) -> Outcome:
        known = self.expected[key].etag
        if state not in PROVEN_STATES:
            self.expected[key] = replace(self.expected[key], state=state)
            return Outcome(slot(key), state, f"reason-{state}", attempts=2)
        etag = known or E1
        self.expected[key] = replace(self.expected[key], state=state, etag=etag)
        return Outcome(
            slot(key), state, size=ETAGS.index(etag) + 10, proof=Proof.CRC64NVME, md5=b"m" * 16, source_etag=etag,
            blob_etag="0x8D1", notes=("note",),
        )  # fmt: skip

    @rule()
    def retry_failed(self) -> None:
        with CheckpointWriter(self.path, "copy") as writer:
            again = writer.reopen()
        chosen = [
            key for key, told in self.expected.items()
            if told.state in (State.FAILED, State.CONFLICT) or (told.state is State.SKIPPED and told.archived)
        ]
        assert again == len(chosen)
        for key in chosen:
            self.expected[key] = replace(self.expected[key], state=State.PENDING)

    @invariant()
    def every_object_is_where_it_should_be(self) -> None:
        if not self.path.exists():
            return
        with CheckpointReader(self.path) as reader:
            records = {record[0]: record for batch in reader.records() for record in batch}
            totals = reader.totals()
            pending = {transfer.key: transfer.etag for transfer in reader.pending(-1, 100)}
        assert {key: record[3] for key, record in records.items()} == {
            key: told.state.value for key, told in self.expected.items()
        }
        assert totals.planned == len(self.expected) == sum(totals.objects.values())
        assert pending == {key: self.expected[key].etag for key in self.pending()}
        for key, told in self.expected.items():
            assert (records[key][7] is not None) == (told.state in PROVEN_STATES)

    @invariant()
    def the_tally_is_a_recount(self) -> None:
        if self.path.exists():
            kept, anew = counted(self.path)
            assert kept == anew


Migration.TestCase.settings = settings(max_examples=15, stateful_step_count=16, deadline=None)
TestHistory = Migration.TestCase
