"""kill -9 at any moment, in every command: nothing is lost, nothing sent twice, no row flipped without proof."""

from __future__ import annotations

import signal
from pathlib import Path
from random import Random

import pytest

from tests.acceptance.forks import Forks
from tests.campaigns import Teller
from tests.cloud.control import Cloud
from tests.crash.company import BY_AZURE, Company
from tests.crash.journey import Journey
from tests.crash.moments import Moments


@pytest.mark.rounds("kill")
def test_whatever_is_killed_goes_on_as_if_nothing_had_happened(
    seed: int, cloud: Cloud, forks: Forks, moments: Moments, tmp_path: Path, tell: Teller
) -> None:
    chance = Random(seed)
    company = Company.found(cloud, tmp_path, forks, chance)
    if seed % 3 == 0:
        company.route = BY_AZURE
    journey = Journey(company, chance, moments, signal.SIGKILL)
    try:
        journey.travel()
    finally:
        tell(f"kill --seed {seed}: {' '.join((*company.route, *journey.log))}")
