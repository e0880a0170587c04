"""What must hold after every crash, and at the end: told by the cloud and the files, not by the tool alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.acceptance.checkpoint_file import rows
from tests.checkpoint.plans import counted
from tests.cloud.facts import StoredBlob
from tests.crash.company import BUCKET, CONTAINER, LARGE, Company

PROVEN = ("copied", "present")


@dataclass(slots=True)
class Promises:
    """Looks at one company. `unrecorded` counts the blobs, written whole, that were at Azure and not in the checkpoint
    when it looked after a crash: only these may be sent once more, in vain."""

    company: Company
    unrecorded: int = 0
    _before: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._before = self.company.database.dump()

    # After each crash.

    def after_a_crash(self) -> None:
        """Every planned object is in one counted state, what is recorded is there, what is flipped is proven."""
        self._numbers_add_up()
        self.company.until_quiet()
        blobs = self.company.cloud.blobs(CONTAINER)
        recorded = self.recorded()
        self._no_blob_is_wrong_or_written_twice(blobs)
        committed = self.company.committed()
        assert recorded <= committed, f"recorded and not there: {sorted(recorded - committed)}"
        self._no_row_is_flipped_without_proof(recorded)
        whole = "" if self.company.route else "small/"  # what Azure pulls it pulls whole, large objects too
        self.unrecorded += sum(name.startswith(whole) for name in committed - recorded)

    def _numbers_add_up(self) -> None:
        company = self.company
        status = company.terminal.run("status", "--json", expect=None)
        if not self._planned():
            assert status.code == 2, status.err
            return
        assert status.code == 0, status.err
        told = status.document
        assert told["planned"] == sum(told["outcomes"].values()) == len(company.objects) + 2, told
        assert told["running"] is None, told
        kept, anew = counted(company.checkpoint)
        assert kept == anew

    def _planned(self) -> bool:
        path = self.company.checkpoint
        if not path.exists() or not rows(path, "SELECT 1 FROM sqlite_schema"):
            return False
        return bool(rows(path, "SELECT 1 FROM setup"))

    def recorded(self) -> set[str]:
        """Names of the blobs that the checkpoint says are proven."""
        if not self._planned():
            return set()
        found = rows(self.company.checkpoint, "SELECT coalesce(blob_name, key) FROM object"
                                              " WHERE state IN ('copied', 'present')")
        return {str(name) for (name,) in found}

    def _no_blob_is_wrong_or_written_twice(self, blobs: dict[str, StoredBlob]) -> None:
        compared = self.company.cloud.compare(BUCKET, CONTAINER)
        assert compared.different == [], compared.different
        assert compared.wrong_md5 == [], compared.wrong_md5
        twice = [name for name, blob in blobs.items() if blob.writes > 1]
        assert twice == [], twice

    def _no_row_is_flipped_without_proof(self, proven: set[str]) -> None:
        rows_now = self.company.services()
        flipped = {key for key, name in rows_now.values() if name == "azure"}
        assert flipped <= proven, f"flipped and not proven: {sorted(flipped - proven)}"
        assert not flipped & {"archived", "uploaded but never arrived"}
        if self._planned():
            truth = {row for row, (_key, name) in rows_now.items() if name == "azure"}
            assert truth <= self.journaled(maybe=True)

    def journaled(self, *, maybe: bool = False) -> set[Any]:
        """Rows that the journal says are flipped and not put back (with `maybe`: or may be)."""
        undone = "SELECT u.id FROM flip_row u JOIN flip_run v ON v.id = u.run WHERE v.undo_of = r.id AND u.flipped = 1"
        unknown = " OR f.flipped IS NULL" if maybe else ""
        found = rows(self.company.checkpoint, "SELECT f.id FROM flip_row f JOIN flip_run r ON r.id = f.run"
                                              f" WHERE r.undo_of IS NULL AND (f.flipped = 1{unknown})"
                                              f" AND f.id NOT IN ({undone})")
        return {row_id for (row_id,) in found}

    # At the end.

    def copied_once(self, *, wires_held: bool = True) -> None:
        """Every byte equal, and written once; sent once, too, but for what was not yet recorded at a crash.

        With `wires_held` False answers were lost on the way, and what they answered may be sent again.
        """
        company = self.company
        compared = company.cloud.compare(BUCKET, CONTAINER)
        assert (compared.identical, compared.different, compared.wrong_md5, compared.extra) == (
            len(company.objects), [], [], [])
        assert self.recorded() == set(company.objects)
        answers = company.cloud.counts().azure.answers
        whole = Counter(answers.get("PutBlob", {})) + Counter(answers.get("PutBlobFromURL", {}))
        assert whole["201"] + answers["PutBlockList"]["201"] == len(company.objects), answers
        if not company.route:
            assert answers["PutBlockList"]["201"] == len(LARGE), answers
        if wires_held:
            blocks = sum(len(blob.blocks) for blob in company.cloud.blobs(CONTAINER).values())
            assert answers["PutBlock"] == {"201": blocks}, answers
            assert whole.keys() <= {"201", "409"}
            assert whole["409"] <= self.unrecorded, answers

    def journal_is_the_table(self) -> None:
        """No batch is left in doubt, and the journal names exactly the rows that name the new service."""
        assert rows(self.company.checkpoint, "SELECT 1 FROM flip_batch WHERE settled_at IS NULL") == []
        truth = {row for row, (_key, name) in self.company.services().items() if name == "azure"}
        assert self.journaled() == truth

    def as_if_never_flipped(self) -> None:
        """Every column of every row is what it was."""
        self.journal_is_the_table()
        assert self.company.database.dump() == self._before

    def runs_to_undo(self) -> list[int]:
        """Flips that have rows left to put back, the newest first."""
        found = rows(self.company.checkpoint, "SELECT id FROM flip_run WHERE undo_of IS NULL ORDER BY id DESC")
        return [int(str(number)) for (number,) in found]

