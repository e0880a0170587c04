"""The statements name exactly the rows that are meant, and read exactly what is there."""

from __future__ import annotations

import pytest

from blobmove.stores.rails.statements import among_numbers, read_one_value
from tests.database.application import Operator, fill
from tests.database.test_flip_trouble import around, at_call


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
    ("row", "why"),
    [
        ((1, 20, "1\x003\x00s\x00\x01\x00ke"), "cut by the server"),
        ((1, 12, "1\x003\x00s\x00\x01\x00k\x00x\x00"), "zero bytes in the key"),
    ],
)
def test_a_page_in_one_value_that_does_not_add_up_is_read_again_row_by_row(
    row: tuple[int, int, str], why: str
) -> None:
    assert read_one_value(row, numbers=True) is None, why


@pytest.mark.database
@pytest.mark.parametrize("server", ["mariadb"], indirect=True)
def test_keys_with_zero_bytes_and_a_server_that_cuts_long_values_change_nothing_in_what_is_read(
    operator: Operator,
) -> None:
    application = operator.application
    keys = ["a\x00b", "7Dq", "😀", "x" * 250]
    for number, key in enumerate(keys, start=1):
        application.add(number, key, checksum=None if number == 2 else "GsHvAelsrxvg0ykzGk/CqA==")
    with application.database() as database:
        plain = database.candidates(None, 10, ["amazon"])
        assert [row.key for row in plain] == keys
        assert [row.checksum is None for row in plain] == [False, True, False, False]
        application.purge(1)
        packed = database.candidates(None, 10, ["amazon"])
        with database._transaction() as connection:
            connection.exec_driver_sql("SET SESSION group_concat_max_len = 100")
        assert database.candidates(None, 10, ["amazon"]) == packed == plain[1:]
