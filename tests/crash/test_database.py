"""The database dies in mid-flip: the flip waits for it and goes on, and the journal still equals the table."""

from __future__ import annotations

import time
from pathlib import Path
from random import Random

import pytest

from tests.acceptance.commands import Process
from tests.acceptance.forks import Forks
from tests.campaigns import Teller
from tests.cloud.control import Cloud
from tests.crash.company import FLIP, VERIFY, Company
from tests.crash.mariadb import MariaDb
from tests.crash.moments import Moment
from tests.crash.promises import Promises

pytestmark = [pytest.mark.database, pytest.mark.rounds("database")]


def test_a_flip_outlives_its_database(
    seed: int, cloud: Cloud, forks: Forks, server: MariaDb, tmp_path: Path, tell: Teller
) -> None:
    chance, log = Random(seed), []
    server.new_database(tmp_path)
    company = Company.found(cloud, tmp_path, forks, chance, server)
    promises = Promises(company)
    for words, code in ((company.plan_words, 0), (company.copy_words, 1), (VERIFY, 0)):
        company.terminal.run(*words, expect=code)
    try:
        log.append(interrupted(company, server, company.terminal.start(*FLIP, "--batch-size", "1"), chance))
        promises.after_a_crash()
        company.terminal.run(*FLIP, expect=1)
        promises.journal_is_the_table()
        for number, run in enumerate(promises.runs_to_undo()):
            words = company.undo_words(run)
            if number == 0:
                log.append(interrupted(company, server, company.terminal.start(*words, "--batch-size", "1"), chance))
            company.terminal.run(*words)
    finally:
        tell(f"database --seed {seed}: {', '.join(log)}")
    promises.as_if_never_flipped()


def interrupted(company: Company, server: MariaDb, process: Process, chance: Random) -> str:
    """Kill the database when some rows are done, at times the command with it; start it again; what happened."""
    before = company.flipped()
    moment, both = Moment(20.0, chance.randrange(1, 34)), chance.random() < 0.25
    moment.wait(process, lambda: abs(company.flipped() - before))
    server.kill()
    if both:
        process.handle.kill()
    time.sleep(chance.uniform(0.0, 0.5))
    server.start()
    run = process.ended(None)
    assert run.code in (0, 1, -9 if both else 0), f"{run.code}\n{run.out[-2000:]}\n{run.err[-2000:]}"
    name = "undo" if "--undo" in process.words else "flip"
    return f"{name}@{moment}" + " with the command" * both
