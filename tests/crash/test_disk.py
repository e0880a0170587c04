"""The checkpoint's disk is full in mid-run: the command says so and stops, and goes on once there is room."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from random import Random
from typing import Final

import pytest

from tests.acceptance.forks import Forks
from tests.campaigns import Teller
from tests.cloud.control import Cloud
from tests.crash.company import FLIP, VERIFY, Company
from tests.crash.promises import Promises

HANDICAP: Final = Path(__file__).parents[1] / "acceptance" / "handicap.py"
ENOUGH: Final = {"plan": 110_000, "copy": 60_000, "verify": 36_000, "flip": 200_000}
"""About the bytes with which a command gets to its end."""


@pytest.mark.rounds("disk")
def test_a_full_disk_stops_a_command_and_loses_nothing(
    seed: int, cloud: Cloud, forks: Forks, tmp_path: Path, tell: Teller
) -> None:
    chance = Random(seed)
    company = Company.found(cloud, tmp_path, forks, chance)
    promises = Promises(company)
    journey = {"plan": company.plan_words, "copy": company.copy_words, "verify": VERIFY, "flip": FLIP}
    narrow = chance.choices(list(journey), (1, 4, 1, 2))[0]
    log = []
    try:
        for name, words in journey.items():
            expect = 0 if name in ("plan", "verify") else 1
            for _ in range(2 if name == narrow else 0):
                room = chance.randrange(8_000, ENOUGH[name])
                log.append(f"{name}<{room}" + "!" * in_little_room(company, words, room, expect))
                promises.after_a_crash()
            company.terminal.run(*words, expect=expect)
    finally:
        tell(f"disk --seed {seed}: {' '.join(log)}")
    promises.copied_once()
    promises.journal_is_the_table()


def in_little_room(company: Company, words: tuple[str, ...], most: int, expect: int) -> bool:
    """Run where no file may grow beyond `most` bytes; whether that was too little, and was said so."""
    run = company.terminal.run(*words, expect=None, launcher=(sys.executable, str(HANDICAP), str(most)))
    if run.code == expect:
        return False
    assert run.code == 2, f"{run.code}\n{run.out[-2000:]}\n{run.err[-2000:]}"
    error = json.loads(run.out.splitlines()[-1])
    assert error["code"] == "E507-DISK", error
    return True
