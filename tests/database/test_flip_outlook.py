"""What a dry run tells: the server's plan and grants, rows born on the new service, names that look alike."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blobmove.core.errors import UsageError
from blobmove.core.events import Note
from blobmove.operations.flip_born import write_born
from blobmove.operations.flip_doors import Approval
from tests.database.application import Operator, fill


def test_a_dry_run_tells_what_the_server_says_and_asks_nothing_to_change(operator: Operator) -> None:
    fill(operator, 9)
    before = operator.application.table()
    result = operator.flips(Approval(), dry_run=True, batch_size=4)
    assert operator.application.table() == before
    assert (result.batches, result.first_id, result.last_id, result.sample_key) == (3, "1", "9", "file-1")
    assert result.outlook is not None
    assert any("active_storage_blobs" in step for step in result.outlook.explain)
    assert result.outlook.missing == ()
    kind = operator.application.server.kind
    session = dict(result.outlook.session)
    if kind == "mariadb":
        assert "READ-COMMITTED" in (session.get("tx_isolation"), session.get("transaction_isolation"))
        assert session["innodb_lock_wait_timeout"] == "1"
        assert result.log_bytes == 9 * 370
    if kind == "postgresql":
        assert (session["transaction_isolation"], session["lock_timeout"]) == ("read committed", "1s")
        assert any(grant.startswith("UPDATE (") and "service_name" in grant for grant in result.outlook.grants)
    assert not any("identified" in grant.lower() for grant in result.outlook.grants)


def test_rows_born_on_the_new_service_are_listed_and_those_of_the_journal_are_not(
    operator: Operator, tmp_path: Path
) -> None:
    fill(operator, 3)
    operator.flips(limit=2)
    operator.application.add(7, "born here", "azure")
    operator.application.add(8, "also\nborn", "azure")
    result = operator.flips(Approval(), dry_run=True)
    assert (result.born, result.born_examples) == (2, ("7 born here", "8 also\nborn"))
    with operator.application.database() as database:
        doors = operator.doors(database)
        told = write_born(doors, "azure", tmp_path / "born.jsonl")
        assert (told.rows, told.bytes) == (2, 18)
        with pytest.raises(UsageError, match="line break"):
            write_born(doors, "azure", tmp_path / "born.txt")
    lines = (tmp_path / "born.jsonl").read_text().splitlines()
    assert [json.loads(line)["key"] for line in lines] == ["born here", "also\nborn"]


def test_rows_an_undo_has_put_back_and_someone_has_moved_again_count_as_journaled(operator: Operator) -> None:
    fill(operator, 2)
    operator.flips()
    operator.undoes()
    operator.application.set_service(1, "azure")
    assert operator.flips(Approval(), dry_run=True).born == 0


def test_a_target_that_differs_by_case_from_a_name_of_the_table_is_pointed_out(operator: Operator) -> None:
    fill(operator, 1)
    operator.application.add(9, "x", "Azure")
    operator.flips(Approval(), dry_run=True)
    assert any(isinstance(event, Note) and "'Azure' is named" in event.text for event in operator.events)


@pytest.mark.database
@pytest.mark.parametrize("server", ["mariadb"], indirect=True)
def test_a_user_with_exactly_the_two_rights_flips_without_positions(operator: Operator) -> None:
    application = operator.application
    fill(operator, 4)
    application.execute("CREATE OR REPLACE USER flipper IDENTIFIED BY 'secret'")
    application.execute("GRANT SELECT, UPDATE (service_name) ON active_storage_blobs TO flipper")
    place = application.url.split("@", 1)[1]
    application.url = f"mysql2://flipper:secret@{place}"
    try:
        dry = operator.flips(Approval(), dry_run=True)
        assert dry.outlook is not None
        assert dry.outlook.missing == ()
        assert any("SELECT, UPDATE (`service_name`)" in grant for grant in dry.outlook.grants)
        assert not any("IDENTIFIED" in grant for grant in dry.outlook.grants)
        operator.ahead = True
        assert operator.flips(batch_size=2, max_threads_running=1000).flipped == 4
        assert operator.undoes().flipped == 4
        assert operator.checkpoint.execute("SELECT DISTINCT position FROM flip_batch").fetchall() == [(None,)]
    finally:
        application.execute("DROP USER flipper")
