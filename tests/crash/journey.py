"""The journey of one company under signals: each command interrupted at drawn moments, then run until it is done."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random

from tests.acceptance.checkpoint_file import rows
from tests.acceptance.commands import Process, Run
from tests.crash.company import FLIP, SMALL, VERIFY, Company
from tests.crash.moments import Moments
from tests.crash.promises import Promises


@dataclass(slots=True)
class Journey:
    """One round. `log` tells what was interrupted and when, for the report."""

    company: Company
    chance: Random
    moments: Moments
    number: signal.Signals
    promises: Promises = field(init=False)
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.promises = Promises(self.company)

    def travel(self) -> None:
        """plan, copy, verify, flip-service, undo; then everything is as it must be."""
        company = self.company
        self.until_done("plan", company.plan_words, self._times(2, 1))
        self.until_done("copy", company.copy_words, self._times(1, 3, 2, 1), expect=1)
        self.promises.copied_once()
        self.until_done("verify", VERIFY, self._times(2, 1))
        self.until_done("flip", FLIP, self._times(1, 2, 1), expect=1)
        self.promises.journal_is_the_table()
        assert company.flipped() > SMALL // 2
        for run in self.promises.runs_to_undo():
            self.until_done("undo", company.undo_words(run), self._times(2, 1))
        self.promises.as_if_never_flipped()

    def _times(self, *weights: int) -> int:
        """How often to interrupt: 0 times with the first weight, once with the second, and so on."""
        return self.chance.choices(range(len(weights)), weights)[0]

    def until_done(self, name: str, words: tuple[str, ...], times: int, expect: int = 0) -> Run:
        """Interrupt the command so many times, then let it end by itself with the code `expect`."""
        for _ in range(times):
            self._interrupted(name, words, expect)
            if name == "copy" and self.chance.random() < 0.15:
                self.company.plan()  # somebody may plan again between two attempts
        started, before = time.monotonic(), self._progress(name)()
        run = self.company.terminal.run(*words, expect=expect)
        self.moments.learn(name, time.monotonic() - started, self._progress(name)() - before)
        return run

    def _interrupted(self, name: str, words: tuple[str, ...], expect: int) -> None:
        moment = self.moments.draw(self.chance, name)
        progress, before = self._progress(name), self._progress(name)()
        already = self.company.committed()
        process = self._start(words)
        moment.wait(process, lambda: progress() - before)
        process.signal(self.number)
        impatient = self.number == signal.SIGTERM and self.chance.random() < 0.2
        if impatient:
            process.signal(self.number)
        run = process.ended(None)
        self.log.append(f"{name}@{moment}" + "!" * impatient + ("" if run.code in (-9, -15, 143) else f"={run.code}"))
        self._ended_as_it_may(run, expect, impatient)
        if run.code == 143 and not impatient:
            self._drained(run, already)
        self.promises.after_a_crash()

    def _start(self, words: tuple[str, ...]) -> Process:
        """One in eight is typed whole, so that the start-up is interrupted too."""
        terminal = self.company.terminal
        if self.chance.randrange(8):
            return terminal.start(*words)
        return replace(terminal, forks=None).start(*words)

    def _ended_as_it_may(self, run: Run, expect: int, impatient: bool) -> None:
        """By the signal, or by itself just before it; after one SIGTERM also drained, after two aborted."""
        allowed = {-self.number, expect}
        if self.number == signal.SIGTERM:
            allowed |= {143, 130} if impatient else {143}
        told = f"{' '.join(run.words)} ended with {run.code}\n{run.out[-2000:]}{run.err[-2000:]}"
        assert run.code in allowed, told

    def _drained(self, run: Run, already: set[str]) -> None:
        """Who drains loses nothing: what it has brought to Azure is recorded, no batch is in doubt."""
        assert self.company.committed() - already <= self.promises.recorded()
        assert rows(self.company.checkpoint, "SELECT 1 FROM flip_batch WHERE settled_at IS NULL") == []
        if run.words[0] == "copy":
            told = run.summary
            assert told["stopped"]
            assert told["planned"] == sum(told["outcomes"].values())

    def _progress(self, name: str) -> Callable[[], int]:
        if name in ("flip", "undo"):
            return self.company.flipped if name == "flip" else lambda: -self.company.flipped()
        return self.company.answers
