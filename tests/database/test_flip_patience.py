"""A question that was begun ahead is answered by the server that is there when the answer is wanted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import pytest

from blobmove.core.flipping import DatabaseTrouble, ServerFacts, Trouble
from blobmove.operations.flip_doors import BlobTable, FlipDoors
from blobmove.operations.flip_patience import Patience
from tests.servers.replicas import until


@dataclass
class Table:
    """A connection that tells which server has answered; `next` is who answers after a loss."""

    server: str = "a"
    next: str = "b"
    lost: bool = False
    asked: int = 0

    def describe(self) -> str:
        return "the database"

    def facts(self) -> ServerFacts:
        return ServerFacts(self.server, False, False, None)

    def reconnect(self) -> None:
        self.server, self.lost = self.next, False

    def page(self) -> str:
        self.asked += 1
        if self.lost:
            raise DatabaseTrouble(Trouble.LOST, "2013", "lost")
        return f"rows of {self.server}"


def patience_with(table: Table) -> Patience:
    nothing: Any = None
    door = cast("BlobTable", table)
    doors = FlipDoors(
        table=door, reader=door, ledger=nothing, journal=nothing, sleep=lambda _seconds: None, clock=lambda: 0.0,
        now=lambda: "", draw=lambda: 0.5,
    )  # fmt: skip
    patience = Patience(replace(doors), writing=False, any_server=True, reading=True)
    patience.meet_again("a")
    return patience


@pytest.mark.parametrize("other", ["b", "a"], ids=["another server", "a server of the same name"])
def test_an_answer_of_before_a_loss_is_asked_for_again(other: str) -> None:
    table = Table(next=other)
    with patience_with(table) as patience:
        begun = patience.begin(table.page)
        until(lambda: table.asked == 1)
        table.lost = True
        assert patience.ask(table.page) == f"rows of {other}"
        before = table.asked
        assert begun.answer() == f"rows of {other}"
        assert table.asked == before + 1


def test_without_a_loss_it_is_asked_once() -> None:
    table = Table()
    with patience_with(table) as patience:
        assert patience.begin(table.page).answer() == "rows of a"
        assert (table.asked, patience.losses) == (1, 0)


def test_a_loss_ahead_is_made_good_where_the_answer_is_wanted() -> None:
    table = Table(lost=True)
    with patience_with(table) as patience:
        assert patience.begin(table.page).answer() == "rows of b"
        assert patience.losses == 1
