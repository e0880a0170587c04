"""The journey of one company under signals: each command interrupted at drawn moments, then run until it is done."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random

from tests.acceptance.checkpoint_file import rows
from tests.acceptance.commands import Process, Run
from tests.cloud.facts import Counts
from tests.crash.company import CONTAINER, FLIP, SMALL, VERIFY, Company
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
        process = self._start(words)
        moment.wait(process, lambda: progress() - before)
        process.signal(self.number)
        run = process.ended(None)
        self.log.append(f"{name}@{moment}" + ("" if run.code < 0 or run.code == 143 else f"={run.code}"))
        self._ended_as_it_may(process, run, expect)
        self.promises.after_a_crash()

    def _start(self, words: tuple[str, ...]) -> Process:
        """One in eight is typed whole, so that the start-up is interrupted too."""
        terminal = self.company.terminal
        if self.chance.randrange(8):
            return terminal.start(*words)
        return replace(terminal, forks=None).start(*words)

    def _ended_as_it_may(self, process: Process, run: Run, expect: int) -> None:
        """By the signal, or by itself just before it; after SIGTERM also drained."""
        allowed = {-self.number, expect}
        if self.number == signal.SIGTERM:
            allowed.add(143)
        told = f"{' '.join(process.words)} ended with {run.code}\n{run.out[-2000:]}{run.err[-2000:]}"
        assert run.code in allowed, told
        if run.code == 143:
            self._drained(run)

    def _drained(self, run: Run) -> None:
        """Who drains loses nothing: what is at Azure is recorded, no batch is in doubt."""
        blobs = self.company.cloud.blobs(CONTAINER).values()
        assert {blob.name for blob in blobs if blob.committed} == self.promises.recorded()
        assert rows(self.company.checkpoint, "SELECT 1 FROM flip_batch WHERE settled_at IS NULL") == []
        if run.words[0] == "copy":
            told = run.summary
            assert told["stopped"]
            assert told["planned"] == sum(told["outcomes"].values())

    def _progress(self, name: str) -> Callable[[], int]:
        if name in ("flip", "undo"):
            return self.company.flipped if name == "flip" else lambda: -self.company.flipped()
        return lambda: _answers(self.company.cloud.counts())


def _answers(counts: Counts) -> int:
    return sum(times for side in (counts.s3, counts.azure) for one in side.answers.values() for times in one.values())
