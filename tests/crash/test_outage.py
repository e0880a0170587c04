"""The clouds' front doors die in mid-copy and come back: the copy waits, goes on by itself, and nothing has failed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.acceptance.forks import Forks
from tests.campaigns import Teller
from tests.cloud.control import ACCOUNT, Cloud
from tests.crash.company import CONTAINER, Company
from tests.crash.moments import Moment
from tests.crash.promises import Promises
from tests.crash.relay import Relay


@pytest.fixture
def doors(cloud: Cloud) -> Iterator[dict[str, Relay]]:
    """A relay in front of each side."""
    relays = {"s3": Relay(cloud.s3_port), "azure": Relay(cloud.azure_port)}
    for relay in relays.values():
        relay.start()
    yield relays
    for relay in relays.values():
        relay.kill()


def behind(company: Company, doors: dict[str, Relay]) -> None:
    """The company reaches its clouds through the doors only."""
    environment = company.terminal.environment
    environment["AWS_ENDPOINT_URL_S3"] = f"http://127.0.0.1:{doors['s3'].ports[0]}"


def plan_words(company: Company, doors: dict[str, Relay]) -> tuple[str, ...]:
    destination = f"http://127.0.0.1:{doors['azure'].ports[0]}/{ACCOUNT}/{CONTAINER}"
    words = list(company.plan_words)
    words[words.index("--destination") + 1] = destination
    return tuple(words)


@pytest.mark.rounds("outage")
def test_a_copy_outlives_an_outage_of_either_cloud(
    seed: int, cloud: Cloud, doors: dict[str, Relay], forks: Forks, tmp_path: Path, tell: Teller
) -> None:
    chance = Random(seed)
    company = Company.found(cloud, tmp_path, forks, chance)
    behind(company, doors)
    company.terminal.run(*plan_words(company, doors))
    promises = Promises(company)
    log = []
    process = company.terminal.start(*company.copy_words)
    try:
        for _ in range(chance.randint(1, 2)):
            sides = chance.choice((["s3"], ["azure"], ["s3", "azure"]))
            moment, pause = Moment(20.0, chance.randrange(250)), chance.uniform(0.0, 0.8)
            moment.wait(process, lambda: cloud.counts().s3.total + cloud.counts().azure.total)
            for side in sides:
                doors[side].kill()
            log.append(f"{'+'.join(sides)}@{moment} for {pause:.1f}s")
            time.sleep(pause)
            for side in sides:
                doors[side].start()
        told = process.ended(1).summary
    finally:
        tell(f"outage --seed {seed}: {', '.join(log)}")
    assert told["outcomes"]["failed"] == told["outcomes"]["pending"] == told["outcomes"]["conflict"] == 0, told
    promises.after_a_crash()
    promises.copied_once(wires_held=False)
