"""A wiring that remembers what it was asked for and answers with the examples, and a hand that types."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from blobmove.core.events import Finished, Note
from blobmove.core.model import State
from blobmove.core.results import Totals
from tests.views.examples import DIAGNOSIS, FLIP, PLAN, RUNS, SAMPLE, STATUS, SUMMARY, VERIFY

if TYPE_CHECKING:
    import io
    from pathlib import Path

    from blobmove.checkpoint.journal import FlipRun
    from blobmove.core.diagnosis import Diagnosis
    from blobmove.core.events import Listener
    from blobmove.core.flip_results import FlipResult
    from blobmove.core.flip_settings import FlipSettings
    from blobmove.core.plan_results import PlanResult
    from blobmove.core.plan_settings import DoctorSettings, PlanSettings
    from blobmove.core.results import CopySummary, StatusResult, VerifyResult
    from blobmove.core.settings import CopySettings, ReportSettings, StatusSettings, VerifySettings

FRESH = Totals({State.PENDING: 10, State.REFUSED: 1}, {State.PENDING: 1000, State.REFUSED: 1})


@dataclass
class FakeWiring:
    """Stands for blobmove.cli.wiring. `totals` are those of the status.

    `error` is raised instead of answering, `late_error` at the end of a copy.
    """

    asked: list[object] = field(default_factory=list)
    error: BaseException | None = None
    totals: Totals = field(default_factory=lambda: FRESH)
    code: int = 0
    late_error: BaseException | None = None
    flip: FlipResult = FLIP
    runs: Sequence[FlipRun] = RUNS
    running: str | None = None

    def _ask(self, settings: object) -> None:
        self.asked.append(settings)
        if self.error is not None:
            raise self.error

    def run_doctor(self, settings: DoctorSettings) -> Diagnosis:
        """Answers with the diagnosis."""
        self._ask(settings)
        return DIAGNOSIS

    def run_plan(self, settings: PlanSettings, listener: Listener) -> PlanResult:
        """Answers with the plan."""
        self._ask(settings)
        listener(Note("Reading the inventory"))
        return PLAN

    def run_copy(self, settings: CopySettings, listener: Listener) -> tuple[CopySummary, int]:
        """Answers with the summary, after a sample and the end."""
        self._ask(settings)
        listener(SAMPLE)
        listener(Finished(SUMMARY))
        if self.late_error is not None:
            raise self.late_error
        return SUMMARY, self.code

    def run_verify(self, settings: VerifySettings, listener: Listener) -> tuple[VerifyResult, int]:
        """Answers with the second look."""
        self._ask(settings)
        return VERIFY, self.code

    def read_status(self, settings: StatusSettings) -> StatusResult:
        """Answers with where things stand."""
        self._ask(settings)
        return replace(STATUS, summary=replace(SUMMARY, totals=self.totals), running=self.running)

    def write_report(self, settings: ReportSettings) -> int:
        """Answers with a number of rows."""
        self._ask(settings)
        return 1200

    def run_flip(self, settings: FlipSettings, listener: Listener) -> FlipResult:
        """Answers with the flip."""
        self._ask(settings)
        return self.flip

    def list_flip_runs(self, checkpoint: Path) -> Sequence[FlipRun]:
        """Answers with two runs."""
        return self.runs


def types_in(terminal: io.StringIO, text: str) -> None:
    """Type a line."""
    terminal.seek(0)
    terminal.truncate()
    terminal.write(text + "\n")
    terminal.seek(0)
