"""How many pieces of work may lose their workers, one after the other, before the run stops."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from blobmove.cluster import coordinator
from blobmove.cluster.calls import BatchLost, Calls
from blobmove.cluster.coordinator import LOST_LIMIT, Crew, Work
from blobmove.cluster.roster import Roster
from blobmove.core.errors import BlobmoveError
from blobmove.core.model import Outcome, State, Transfer
from blobmove.engine.stopping import Stop
from tests.engine.benches import Staging, bench_of

LOST = BatchLost("their workers died (4 times)")
GOOD = Outcome(1, State.COPIED, "")


class Ends:
    """Stands for the mover of spread objects: they end like this, one after the other."""

    def __init__(self, *ends: Outcome | BatchLost) -> None:
        self._ends = list(ends)

    async def move(self, *_: Any) -> Outcome:  # noqa: ANN401 - stands for a function
        end = self._ends.pop(0)
        if isinstance(end, BatchLost):
            raise end
        return end


async def stopped(ends: list[Outcome | BatchLost], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Why a run stops whose objects, all of them spread, end like this."""
    monkeypatch.setattr(coordinator, "move", Ends(*ends).move)
    codes: list[str] = []
    bench = bench_of(Staging())
    size = 100 * bench.options.block_size
    stop = Stop()

    async def pages() -> AsyncIterator[Sequence[Transfer]]:
        yield [Transfer(number, f"k{number}", "b", size, "e", None, None, None, 0, None) for number in range(len(ends))]

    async def nothing() -> AsyncIterator[Sequence[Transfer]]:
        return
        yield

    async def quiet(*_: object) -> None:
        return

    def failed(error: BlobmoveError) -> None:
        codes.append(error.code)

    roster = SimpleNamespace(bench=bench, threads={"a": 1, "b": 1}, watch=quiet, last_words=quiet)
    calls = cast(Calls, SimpleNamespace(again="blobmove copy --resume --workers 2"))
    crew = Crew(calls, cast(Roster, roster), lambda _: None, 384 << 20)
    await crew.run(Work(pages, nothing, quiet, lambda: len(ends), quiet, failed, cast(Any, None), stop))
    return codes


async def test_a_spread_object_that_ends_well_shows_that_workers_live(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await stopped([LOST, LOST, GOOD, LOST, LOST, GOOD, LOST], monkeypatch) == []


async def test_workers_that_die_over_every_object_stop_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await stopped([GOOD, *[LOST] * LOST_LIMIT], monkeypatch) == ["E500-WORKER"]
