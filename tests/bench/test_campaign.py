"""The campaign on the real simulated cloud, with a handful of objects."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench import contestants
from tests.bench.__main__ import entries, main, parser
from tests.bench.campaign import Cores, Entry, measure, one_run
from tests.bench.cases import GIB, MIB, Case
from tests.bench.contestants import Contestant, Went
from tests.bench.measure import Spent
from tests.bench.stage import Network, Stage, staged

FEW = Case("4k", "a few", (4096, 0, 70_000, 1))
EACH_CLIENT = ("rclone", "blobmove", "bare", "bare-pyreqwest")
"""One of each kind of client: what TLS is to them it is to the others of their kind."""


def _does_nothing(stage: Stage, folder: Path, cpus: frozenset[int]) -> Went:
    return Went(Spent(0, 0.1, 0.1, 1))


def test_each_runs_once_before_any_runs_twice() -> None:
    order: list[str] = []

    def note(name: str) -> Contestant:
        def go(stage: Stage, folder: Path, cpus: frozenset[int]) -> Went:
            order.append(name)
            return _does_nothing(stage, folder, cpus)

        return Contestant(name, name, go)

    measure([Entry(FEW, Network(), 2)], [note("a"), note("b")], Cores(), lambda line: None)

    assert order == ["a", "b", "a", "b"]


def test_a_tool_that_says_all_is_well_but_moved_nothing_does_not_count(tmp_path: Path) -> None:
    with staged(FEW, Network(), tmp_path) as stage:
        run = one_run(stage, Contestant("idle", "idle", _does_nothing), Cores())

    assert not run.complete
    assert run.note == "not everything arrived"


def test_a_contestant_that_cannot_take_part_is_left_out_and_named() -> None:
    said: list[str] = []
    absent = Contestant("absent", "absent", _does_nothing, lambda: "it is not installed")

    results = measure([Entry(FEW, Network(), 1)], [absent], Cores(), said.append)

    assert results.lanes == []
    assert "  absent: left out, it is not installed" in said


@pytest.fixture(scope="module")
def near(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A few objects, without latency."""
    with staged(FEW, Network(tls=request.param), tmp_path_factory.mktemp("near")) as stage:
        yield stage


@pytest.mark.parametrize(("near", "name"), [
    *(pytest.param(False, name, id=f"http-{name}") for name in contestants.BY_NAME),
    *(pytest.param(True, name, id=f"tls-{name}", marks=() if name in EACH_CLIENT else pytest.mark.heavy)
      for name in contestants.BY_NAME),
], indirect=["near"])  # fmt: skip
def test_every_contestant_moves_everything(near: Stage, name: str) -> None:
    contestant = contestants.BY_NAME[name]
    if reason := contestant.lacks():
        pytest.skip(reason)
    run = one_run(near, contestant, Cores())

    assert run.complete, run.note
    assert run.cpu > 0
    assert sum(run.requests.values()) >= FEW.objects


def test_the_bare_path_moves_large_objects_too(tmp_path: Path) -> None:
    with staged(Case("64m", "two", (40 * MIB, 101 * MIB)), Network(), tmp_path) as stage:
        for name in (one for one in contestants.BY_NAME if one.startswith("bare")):
            run = one_run(stage, contestants.BY_NAME[name], Cores())
            assert run.complete, run.note


def test_latency_lies_on_every_request_of_a_stage(tmp_path: Path) -> None:
    with staged(FEW, Network(latency_ms=50), tmp_path) as stage:
        run = one_run(stage, contestants.BY_NAME["bare"], Cores())

    assert run.complete, run.note
    assert run.wall > 0.1  # a GET and a PUT


def test_the_command_writes_what_it_was_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {name: tmp_path / name for name in ("json", "markdown", "svg")}
    words = [word for name, file in files.items() for word in (f"--{name}", str(file))]

    assert main(["--case", "4k", "--objects", "3", "--rounds", "2", "--only", "bare", "--pin", "none", *words]) == 0

    told = json.loads(files["json"].read_text(encoding="utf-8"))
    assert [len(lane["runs"]) for lane in told["lanes"]] == [2]
    assert "Shortened to 3 objects." in files["markdown"].read_text(encoding="utf-8")
    assert files["markdown"].read_text(encoding="utf-8") in capsys.readouterr().out
    assert files["svg"].read_text(encoding="utf-8").startswith("<svg")


@pytest.mark.parametrize(
    ("words", "first", "stages", "rounds"),
    [
        ([], ("start", 10, Network()), 13, 3),
        (["--quick"], ("4k", 200, Network()), 4, 1),
        (["--case", "1g", "--tls", "--quick"], ("1g", 1, Network(tls=True)), 1, 1),
        (["--latency-ms", "20", "--rounds", "5"], ("4k", 20_000, Network(latency_ms=20)), 6, 5),
    ],
)
def test_the_words_choose_stages_and_rounds(
    words: list[str], first: tuple[str, int, Network], stages: int, rounds: int
) -> None:
    chosen = entries(parser().parse_args(words))

    assert (chosen[0].case.name, chosen[0].case.objects, chosen[0].network) == first
    assert len(chosen) == stages
    assert {one.rounds for one in chosen} == {rounds}


def test_earlier_results_are_shown_without_measuring(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "earlier.json"
    file.write_text(json.dumps({"format": 1, "conditions": {"when": "once"}, "lanes": [{
        "case": "1g", "tls": True, "latency_ms": 20.0, "contestant": "bare", "objects": 2, "bytes": 2 * GIB,
        "runs": [{"wall": 4.0, "cpu": 2.0, "rss": 1 << 20, "complete": True}],
    }]}), encoding="utf-8")

    assert main(["--from", str(file)]) == 0

    assert "### 2 x 1 GiB, TLS, 20 ms" in capsys.readouterr().out


def test_the_script_shows_every_word_before_anything_is_set_up() -> None:
    script = contestants.ROOT / "scripts" / "bench"
    path = {"PATH": "/usr/bin:/bin"}
    shown = subprocess.run([script, "--help"], capture_output=True, text=True, check=True, env=path)

    known = {flag for action in parser()._actions for flag in action.option_strings if flag.startswith("--")}
    assert {flag for flag in known if flag not in shown.stdout} == {"--help"}
    assert {name for name in contestants.BY_NAME if name not in shown.stdout} == set()
