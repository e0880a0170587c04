"""What `doctor` finds in each kind of database, with the rights of the operator and with fewer."""

from __future__ import annotations

import pytest

from blobmove.core.diagnosis import Finding, Level
from blobmove.core.errors import BlobmoveError
from blobmove.operations.doctor_rails import NEWEST, examine
from tests.database.application import Application, Operator


def findings(application: Application, *services: str) -> dict[str, Finding]:
    return {finding.check: finding for finding in examine(application.database, services)}


def test_a_table_that_can_be_flipped_is_well_in_every_respect(operator: Operator) -> None:
    application = operator.application
    application.add_many([1, 2])
    application.add(3, "mirrored", "mirror")
    before = application.table()
    found = findings(application, "amazon", "mirror")
    assert {check: finding.level for check, finding in found.items()} == dict.fromkeys(
        ("table", "services", "rights", "attachments"), Level.OK)
    assert found["services"].figures == {"amazon": 2, "mirror": 1}
    assert "secret" not in found["table"].text
    assert application.table() == before


def test_only_the_newest_rows_are_counted(operator: Operator) -> None:
    operator.application.add_many(range(1, NEWEST + 1))
    operator.application.add(NEWEST + 1, "new", "azure")
    found = findings(operator.application, "amazon")["services"]
    assert found.figures == {"amazon": NEWEST - 1, "azure": 1}


def test_an_empty_table_is_worth_a_word(operator: Operator) -> None:
    found = findings(operator.application)
    assert found["services"].level is Level.WARNING
    assert found["rights"].level is Level.OK


def test_a_table_that_is_not_there_is_an_error_of_the_look(operator: Operator) -> None:
    application = operator.application
    application.execute("DROP TABLE active_storage_attachments")
    application.execute("DROP TABLE active_storage_blobs")
    with pytest.raises(BlobmoveError) as raised:
        findings(application)
    assert raised.value.code == "E404-TABLE"


@pytest.mark.parametrize("server", [pytest.param(kind, marks=pytest.mark.database)
                                    for kind in ("mariadb", "postgresql")], indirect=True)
@pytest.mark.parametrize("rows", [0, 1])
def test_a_user_who_may_only_read_is_told_what_it_is_enough_for(operator: Operator, rows: int) -> None:
    application = operator.application
    application.add_many(range(1, rows + 1))
    postgresql = application.server.kind == "postgresql"
    application.execute("DROP USER IF EXISTS looker")
    application.execute("CREATE USER looker PASSWORD 'secret'" if postgresql
                        else "CREATE USER looker IDENTIFIED BY 'secret'")
    application.execute("GRANT SELECT ON active_storage_blobs TO looker")
    login, place = application.url.split("@", 1)
    application.url = f"{login.split('://', 1)[0]}://looker:secret@{place}"
    try:
        found = findings(application)
        assert (found["table"].level, found["rights"].level) == (Level.OK, Level.WARNING)
        assert "UPDATE (service_name)" in found["rights"].hint
        if rows:
            assert found["attachments"].level is Level.WARNING
        application.execute("GRANT UPDATE (service_name) ON active_storage_blobs TO looker")
        assert findings(application)["rights"].level is Level.OK
    finally:
        application.execute("REVOKE ALL ON active_storage_blobs FROM looker")
        application.execute("DROP USER looker")
