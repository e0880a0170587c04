"""SIGTERM, as Kubernetes sends it: what is in flight is finished and recorded, and the next run goes on."""

from __future__ import annotations

import signal
from pathlib import Path
from random import Random

import pytest

from tests.acceptance.forks import Forks
from tests.campaigns import Teller
from tests.cloud.control import Cloud
from tests.crash.company import Company
from tests.crash.journey import Journey
from tests.crash.moments import Moments


@pytest.mark.rounds("term")
def test_whatever_is_terminated_drains_and_goes_on(
    seed: int, cloud: Cloud, forks: Forks, moments: Moments, tmp_path: Path, tell: Teller
) -> None:
    chance = Random(seed)
    company = Company.found(cloud, tmp_path, forks, chance)
    journey = Journey(company, chance, moments, signal.SIGTERM)
    try:
        journey.travel()
    finally:
        tell(f"term --seed {seed}: {' '.join(journey.log)}")
