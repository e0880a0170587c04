"""How long the tests by chance shall go on, which chance they take, and how to repeat what they found.

    scripts/test tests/crash -k kill --count 200        two hundred rounds of one kind
    scripts/test tests/crash -k kill --seed 4711 --count 1
    scripts/test tests/corruption --flips 10000
    scripts/test tests/crash -m heavy                   the ones that move a GiB

Used as a plugin by tests/conftest.py. A test that asks for `seed` and is marked `rounds(KIND)` runs once a round;
every round tells its seed at the end of the report.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from random import SystemRandom
from typing import Any, Final
from zlib import crc32

import pytest

ROUNDS: Final = {"kill": 5, "term": 5, "outage": 5, "disk": 5, "database": 5, "flip": 4, "cluster": 2}
ROUNDS_IN_CI: Final = {"kill": 25, "term": 3, "outage": 2, "disk": 2, "database": 2, "flip": 1, "cluster": 2}
"""Rounds of each kind; 37 in all."""

_BASE: Final = pytest.StashKey[int]()
_TOLD: Final = "told at the end"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("campaigns")
    group.addoption("--count", type=int, default=None, metavar="N",
                    help="rounds of each kind of crash test (default: 5; with CI=true 25 of -k kill and 12 others)")
    group.addoption("--seed", type=int, default=None, metavar="S",
                    help="the first round's seed; each further round takes the next number (default: by chance)")
    group.addoption("--flips", type=int, default=300, metavar="N",
                    help="at least so many single-bit corruptions in the campaign of tests/corruption (default: 300)")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "rounds(kind): runs once a round; --count says how often")
    config.addinivalue_line("markers", "heavy: large or long; only with -m heavy")
    told = config.getoption("--seed")
    config.stash[_BASE] = _base_by_chance() if told is None else told


def _base_by_chance() -> int:
    """Another one in every run, but the same in all workers of a run: they must collect the same rounds."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    return SystemRandom().randrange(1_000_000) if run is None else crc32(run.encode()) % 1_000_000


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the heavy tests unless they are asked for by their mark."""
    if "heavy" in (config.option.markexpr or ""):
        return
    heavy = [item for item in items if item.get_closest_marker("heavy")]
    if heavy:
        config.hook.pytest_deselected(items=heavy)
        items[:] = [item for item in items if item not in heavy]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    mark = metafunc.definition.get_closest_marker("rounds")
    if mark is None or "seed" not in metafunc.fixturenames:
        return
    base = metafunc.config.stash[_BASE]
    seeds = [base + number for number in range(rounds_of(metafunc.config, mark.args[0]))]
    metafunc.parametrize("seed", seeds, ids=[f"seed{seed}" for seed in seeds])


def rounds_of(config: pytest.Config, kind: str) -> int:
    """How many rounds of this kind are asked for."""
    asked: int | None = config.getoption("--count")
    if asked is not None:
        return asked
    return (ROUNDS_IN_CI if os.environ.get("CI") == "true" else ROUNDS)[kind]


@pytest.fixture
def campaign_seed(request: pytest.FixtureRequest) -> int:
    """The seed of a test that is no round by itself: that of --seed, or by chance."""
    return request.config.stash[_BASE]


class Teller:
    """Keeps a line for the end of the report, whether the test passes or not."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._properties = request.node.user_properties

    def __call__(self, line: str) -> None:
        self._properties.append((_TOLD, line))  # goes with the report, also out of a worker


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Teller:
    """Say something about this round that shall stand at the end of the report."""
    return Teller(request)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    seed = getattr(item, "callspec", None) and item.callspec.params.get("seed")  # type: ignore[attr-defined]
    if report.failed and seed is not None:
        path, _, name = item.nodeid.partition("::")
        command = f"scripts/test {path} -k {name.partition('[')[0]} --count 1 --seed {seed}"
        report.sections.append(("to repeat this round (the same choices; the machine's timing is its own)", command))
    return report


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:  # noqa: ANN401
    reports = [report for group in terminalreporter.stats.values() for report in group]
    told = [pair for report in reports for pair in getattr(report, "user_properties", ())]
    lines = list(dict.fromkeys(line for name, line in told if name == _TOLD))
    if lines:
        terminalreporter.section("rounds")
        for line in lines:
            terminalreporter.write_line(line)
