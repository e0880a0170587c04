"""The statements name exactly the rows that are meant, and read exactly what is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest

from blobmove.core.flipping import Candidate
from blobmove.stores.rails import database
from blobmove.stores.rails.database import RailsDatabase
from blobmove.stores.rails.statements import among_numbers, end_of_page, page_in_one_value, read_one_value
from tests.database.application import Operator, RowId, fill
from tests.database.conftest import MakeOperator
from tests.database.test_flip_trouble import around, at_call, loses_the_connection


def test_conditions_name_exactly_the_ids_and_ranges_only_where_no_number_is_left_out() -> None:
    assert among_numbers([3, 1, 2]) == "id IN (1, 2, 3)"
    assert among_numbers([*range(10, 30), 40]) == "id BETWEEN 10 AND 29 OR id IN (40)"
    assert among_numbers([*range(10, 30), *range(31, 40)]) == "id BETWEEN 10 AND 29 OR id BETWEEN 31 AND 39"
    scattered = [one for one in range(2000) if one % 10]
    assert "BETWEEN" not in among_numbers(scattered)
    assert among_numbers([]) == "1 = 0"


def test_a_row_between_the_chosen_ones_is_never_changed(operator: Operator) -> None:
    """Also one that appears between reading and changing: ids are no proof of age."""
    application = operator.application
    fill(operator, 20)
    application.purge(10)
    wrap = around("flip", before=at_call(1, lambda: application.add(10, "born in the gap")))
    assert operator.flips(wrap=wrap).flipped == 19
    assert application.names()[10] == "amazon"


@pytest.mark.parametrize(
    ("row", "services", "why"),
    [
        ((1, 20, "1\x003\x00s\x00\x01\x00ke"), ["s", "t"], "cut by the server"),
        ((1, 1000, "1\x003\x00s\x00\x01\x00k\x00x\x00"), ["s", "t"], "zero bytes in the key"),
        ((1, 20, "1\x003\x00\x01\x00ke"), ["s"], "cut by the server"),
        ((1, 1000, "1\x003\x00\x01\x00k\x00x"), ["s"], "a zero byte in the key"),
    ],
)
def test_a_page_in_one_value_that_does_not_add_up_is_read_again_row_by_row(
    row: tuple[int, int, str], services: list[str], why: str
) -> None:
    assert read_one_value(row, numbers=True, services=services) is None, why


def test_the_name_of_a_page_that_has_one_only_is_known_without_being_told() -> None:
    told = read_one_value((1, 1000, "1\x003\x00s\x00\x01\x00k"), numbers=True, services=["s", "t"])
    assert read_one_value((1, 1000, "1\x003\x00\x01\x00k"), numbers=True, services=["s"]) == told
    assert told is not None
    assert [*told] == [Candidate(1, "k", "s", 3, None)]


@pytest.mark.database
@pytest.mark.parametrize("server", ["mariadb"], indirect=True)
def test_keys_with_zero_bytes_and_a_server_that_cuts_long_values_change_nothing_in_what_is_read(
    operator: Operator,
) -> None:
    application = operator.application
    keys = ["a\x00b", "7Dq", "😀", "x" * 250]
    for number, key in enumerate(keys, start=1):
        application.add(number, key, checksum=None if number == 2 else "GsHvAelsrxvg0ykzGk/CqA==")
    with application.database() as table:
        plain = table.candidates(None, 10, ["amazon"])
        assert [row.key for row in plain] == keys
        assert [row.checksum is None for row in plain] == [False, True, False, False]
        application.purge(1)
        packed = table.candidates(None, 10, ["amazon"])
        with table._transaction() as connection:
            connection.exec_driver_sql("SET SESSION group_concat_max_len = 100")
        assert table.candidates(None, 10, ["amazon"]) == packed
        assert [*packed] == [*plain[1:]]


@pytest.mark.database
@pytest.mark.parametrize("server", ["mariadb"], indirect=True)
@pytest.mark.parametrize(("size", "gone"), [(1, [3]), (2, [3, 4])])
def test_a_page_that_is_emptied_while_it_is_read_is_not_taken_for_the_end(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, size: int, gone: list[int]
) -> None:
    """It is read with two statements: where it ends, and what it holds."""
    fill(operator, 8)

    def purged_meanwhile(name: str, ends: Any, *values: Any, **named: Any) -> Any:  # noqa: ANN401
        if ends[0] == 2:
            for number in gone:
                operator.application.purge(number)
        return page_in_one_value(name, ends, *values, **named)

    monkeypatch.setattr(database, "page_in_one_value", purged_meanwhile)
    result = operator.flips(batch_size=size)
    assert (result.flipped, result.remaining) == (8 - len(gone), 0)
    assert set(operator.application.names().values()) == {"azure"}


def test_a_row_without_a_size_is_left_alone_however_it_is_read(operator: Operator, tmp_path: Path) -> None:
    """Rails does not allow it, tables do."""
    application = operator.application
    table = "ALTER TABLE active_storage_blobs"
    for change in {
        "sqlite": [f"{table} DROP COLUMN byte_size", f"{table} ADD COLUMN byte_size bigint"],
        "postgresql": [f"{table} ALTER COLUMN byte_size DROP NOT NULL"],
    }.get(application.server.kind, [f"{table} MODIFY byte_size bigint NULL"]):
        application.execute(change)
    fill(operator, 1)
    application.add(2, "sizeless", byte_size=None)
    operator.book.enter("sizeless", size=None)
    ids = tmp_path / "ids"
    ids.write_text(f"{application.id(2)}\n")

    def row_by_row(table: RailsDatabase) -> RailsDatabase:
        if application.server.kind not in ("sqlite", "postgresql"):
            with table._transaction() as connection:
                connection.exec_driver_sql("SET SESSION group_concat_max_len = 4")
        return table

    assert operator.flips(ids=ids).refused == {"size-differs": 1}
    assert operator.flips(dry_run=True, wrap=row_by_row).refused == {"size-differs": 1}
    result = operator.flips()
    assert (result.flipped, result.refused) == (1, {"size-differs": 1})


@pytest.mark.parametrize("key_type", ["bigint", "uuid"])
def test_rows_read_by_id_are_those_read_by_page_to_the_last_field(make_operator: MakeOperator, key_type: str) -> None:
    """After a lost connection they are compared: what looks different is not flipped."""
    operator = make_operator(key_type=key_type)
    fill(operator, 3)
    operator.application.add(4, "größe/😀", checksum=None)
    with operator.application.database() as table:
        page = table.candidates(None, 10, ["amazon"])
        assert [row.key for row in page] == ["file-1", "file-2", "file-3", "größe/😀"]
        assert [*table.rows(page.ids)] == [*page]
    operator.book.enter("größe/😀")
    result = operator.flips(batch_size=2, wrap=around("flip", before=at_call(1, loses_the_connection)))
    assert result.flipped == 4


class TestWhereAPageEnds:
    """On MySQL it is guessed from the page before, and asked for where there is no guess or nothing was found."""

    pytestmark: ClassVar = [pytest.mark.database, pytest.mark.parametrize("server", ["mariadb"], indirect=True)]

    @pytest.fixture
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> list[RowId | None]:
        """Behind which ids the end of a page was asked for."""
        behind: list[RowId | None] = []

        def told(name: str, after: RowId | None, *values: Any) -> Any:  # noqa: ANN401
            behind.append(after)
            return end_of_page(name, after, *values)

        monkeypatch.setattr(database, "end_of_page", told)
        return behind

    def pages(self, operator: Operator, limit: int) -> list[list[RowId]]:
        """The ids of all pages."""
        found: list[list[RowId]] = []
        with operator.application.database() as table:
            while rows := table.candidates(found[-1][-1] if found else None, limit, ["amazon"]):
                found.append([*rows.ids])
        return found

    def test_dense_ids_are_guessed_and_the_end_of_the_table_is_asked_for(
        self, operator: Operator, asked: list[RowId | None]
    ) -> None:
        operator.application.add_many(range(1, 11))
        assert self.pages(operator, 4) == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10]]
        assert asked == [None, 10]

    def test_a_gap_is_no_end(self, operator: Operator, asked: list[RowId | None]) -> None:
        operator.application.add_many([1, 2, 3, 4, 1001, 1002, 1003, 5000])
        assert self.pages(operator, 4) == [[1, 2, 3, 4], [1001, 1002, 1003, 5000]]
        assert asked == [None, 4, 5000]

    def test_rows_of_another_service_are_gaps(self, operator: Operator, asked: list[RowId | None]) -> None:
        operator.application.add_many(range(1, 25, 2))
        operator.application.add_many(range(2, 25, 2), "azure")
        assert self.pages(operator, 4) == [[1, 3, 5, 7], [9, 11, 13], [15, 17, 19, 21], [23]]
        assert asked == [None, 23]

    def test_a_stretch_that_is_fuller_makes_no_page_longer_than_asked_for(
        self, operator: Operator, asked: list[RowId | None]
    ) -> None:
        operator.application.add_many([3, 6, 9, 12, *range(13, 31)])
        pages = self.pages(operator, 4)
        assert max(map(len, pages)) == 4
        assert [one for page in pages for one in page] == [3, 6, 9, 12, *range(13, 31)]

    def test_few_ids_and_texts_are_not_guessed(
        self, make_operator: MakeOperator, operator: Operator, asked: list[RowId | None]
    ) -> None:
        operator.application.add_many(range(1, 49, 6))
        assert len(self.pages(operator, 4)) == 2
        assert asked == [None, 19, 43]
        asked.clear()
        uuids = make_operator(key_type="uuid")
        uuids.application.add_many(range(1, 9))
        assert len(self.pages(uuids, 4)) == 2
        assert len(asked) == 3
