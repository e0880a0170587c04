"""The door to the application's database: what it reads, what it tells apart, and what it says when it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from blobmove.core.errors import AccessError, BlobmoveError, UsageError
from blobmove.stores.rails.database import RailsDatabase
from tests.database.application import Operator
from tests.database.conftest import MakeOperator
from tests.servers.databases import PASSWORD, DatabaseServer

COLLATIONS = ["utf8mb4_general_ci", "utf8mb4_bin", "utf8mb4_unicode_ci", "utf8mb4_unicode_nopad_ci"]


def error_of(url: str) -> BlobmoveError:
    """What opening it says; it never holds the password."""
    with pytest.raises(BlobmoveError) as raised, RailsDatabase.from_text(url):
        pass
    error = raised.value
    assert PASSWORD not in f"{error.message} {error.cause} {error.hint}"
    return error


def test_pages_walk_the_table_by_primary_key_and_tell_what_is_attached(operator: Operator) -> None:
    application = operator.application
    application.add_many(range(1, 8))
    application.add(9, "of another service", "local", checksum=None, content_type=None)
    application.attach(1, 9)
    with application.database() as database:
        first = database.pages(limit=5)
        rest = database.pages(first[-1].id, 5)
        assert [row.id for row in [*first, *rest]] == [1, 2, 3, 4, 5, 6, 7, 9]
        assert first[0].key == "file-1"
        assert first[0].content_type == "application/pdf"
        assert (rest[-1].checksum, rest[-1].content_type, rest[-1].attached) == (None, None, None)
        assert [row.id for row in database.pages(services=["local"])] == [9]
        streamed = [row for page in database.stream(attached=True, page=3) for row in page]
        assert [row.id for row in streamed if row.attached] == [9]
        assert [row.id for row in database.rows([9, 2, 4711])] == [2, 9]
        assert database.current([2, 4711]) == {2: "amazon", 4711: None}


def test_service_names_are_told_apart_byte_by_byte(operator: Operator) -> None:
    application = operator.application
    for number, name in enumerate(["amazon", "Amazon", "amazon ", "ämazon", "amazon"], start=1):
        application.add(number, f"file-{number}", name)
    with application.database() as database:
        assert database.services() == {"amazon": 2, "Amazon": 1, "amazon ": 1, "ämazon": 1}
        assert [row.id for row in database.pages(services=["amazon"])] == [1, 5]
        assert database.flip([1, 2, 3, 4], "amazon", "azure") == 1
    assert list(application.names().values()) == ["azure", "Amazon", "amazon ", "ämazon", "amazon"]


def test_keys_that_differ_by_case_accent_or_trailing_space_flip_independently(make_operator: MakeOperator) -> None:
    operator = make_operator(unique_key=False)
    flip_look_alikes(operator)


@pytest.mark.database
@pytest.mark.parametrize("collation", COLLATIONS)
@pytest.mark.parametrize("server", ["mariadb"], indirect=True)
def test_no_collation_mixes_up_keys_or_services(make_operator: MakeOperator, collation: str) -> None:
    operator = make_operator(unique_key=False)
    operator.application.execute(
        f"ALTER TABLE active_storage_blobs CONVERT TO CHARACTER SET utf8mb4 COLLATE {collation}"
    )
    flip_look_alikes(operator)


def flip_look_alikes(operator: Operator) -> None:
    keys = ["7Dq", "7dq", "7DQ ", "7DQ", "invoice ä", "invoice a", "invoice a\u0308", "😀"]
    for number, key in enumerate(keys, start=1):
        operator.application.add(number, key)
    operator.application.add(20, "7d", "AMAZON")
    operator.book.enter("7dq", "7DQ ", "invoice ä", "😀", "7d")
    result = operator.flips()
    assert (result.flipped, result.refused) == (4, {"not-in-plan": 4})
    flipped = [row for row, name in operator.application.names().items() if name == "azure"]
    assert flipped == [2, 3, 5, 8]
    operator.undoes()
    assert set(operator.application.names().values()) == {"amazon", "AMAZON"}


@pytest.mark.database
@pytest.mark.parametrize("server", ["mariadb"], indirect=True)
@pytest.mark.parametrize("charset", ["latin1", "utf8mb3"])
def test_tables_of_older_character_sets_flip_as_well(make_operator: MakeOperator, charset: str) -> None:
    operator = make_operator()
    operator.application.execute(f"ALTER TABLE active_storage_blobs CONVERT TO CHARACTER SET {charset}")
    operator.application.add(1, "rechnung-ä", "größe")
    operator.book.enter("rechnung-ä", "😀")
    assert operator.flips(from_services=("größe",)).flipped == 1
    assert operator.application.names() == {1: "azure"}


def test_a_server_tells_who_it_is_and_the_same_on_each_connection(operator: Operator) -> None:
    with operator.application.database() as database, operator.application.database() as again:
        facts = database.facts()
        assert facts.identity
        assert facts.identity == again.facts().identity
        assert not facts.read_only
        assert facts.replica is False
        assert (facts.position is not None) == (operator.application.server.kind != "sqlite")


def test_ids_are_read_as_the_table_declares_them(make_operator: MakeOperator) -> None:
    with make_operator().application.database() as database:
        assert database.parse_id("17") == 17
        with pytest.raises(UsageError):
            database.parse_id("seventeen")
    with make_operator(key_type="uuid").application.database() as database:
        assert database.parse_id("00000000-0000-0000-0000-000000000011") == "00000000-0000-0000-0000-000000000011"


def test_a_database_without_the_table_is_named(server: DatabaseServer, tmp_path: Path) -> None:
    error = error_of(server.new_database(tmp_path))
    assert error.code == "E404-TABLE"
    assert "active_storage_blobs" in error.message


def test_rails_before_6_1_is_explained(make_operator: MakeOperator) -> None:
    error = error_of(make_operator(rails="6.0").application.url)
    assert error.code == "E410-SERVICE-NAME"
    assert "before 6.1" in error.message


class TestAddresses:
    """Of servers; a file has none."""

    @pytest.fixture(params=[pytest.param(kind, marks=pytest.mark.database) for kind in ("mariadb", "postgresql")])
    def server(self, request: pytest.FixtureRequest) -> DatabaseServer:
        found: DatabaseServer = request.getfixturevalue(f"{request.param}_server")
        return found

    def test_a_wrong_password_is_an_access_error(self, operator: Operator) -> None:
        scheme, place = operator.application.url.split("://")[0], operator.application.url.split("@", 1)[1]
        error = error_of(f"{scheme}://rails:wrong@{place}")
        assert isinstance(error, AccessError)
        assert error.code == "E401-DATABASE"

    def test_a_locked_account_and_an_expired_password_are_access_errors(self, operator: Operator) -> None:
        """Nobody waits a minute for these to pass, as for a server that is away."""
        application = operator.application
        if application.server.kind == "postgresql":
            pytest.skip("there NOLOGIN is the counterpart, without a code of its own")
        url = f"mysql2://shut:secret@{application.url.split('@', 1)[1]}"
        application.execute("CREATE OR REPLACE USER shut IDENTIFIED BY 'secret'")
        try:
            application.execute("GRANT SELECT ON active_storage_blobs TO shut")
            for how in ("ACCOUNT LOCK", "ACCOUNT UNLOCK PASSWORD EXPIRE"):
                application.execute(f"ALTER USER shut {how}")
                assert error_of(url).code == "E401-DATABASE", how
        finally:
            application.execute("DROP USER shut")

    def test_a_server_without_a_free_connection_says_so_and_is_asked_again_later(self, operator: Operator) -> None:
        application = operator.application
        mysql = application.server.kind != "postgresql"
        application.execute("DROP USER IF EXISTS crowd")
        application.execute(
            "CREATE USER crowd IDENTIFIED BY 'secret' WITH MAX_USER_CONNECTIONS 1" if mysql
            else "CREATE ROLE crowd LOGIN PASSWORD 'secret' CONNECTION LIMIT 1"
        )  # fmt: skip
        application.execute("GRANT SELECT ON active_storage_blobs TO crowd")
        place = application.url.split("@", 1)[1]
        url = f"{application.url.split('://', 1)[0]}://crowd:secret@{place}"
        try:
            with RailsDatabase.from_text(url):
                assert error_of(url).code == "E429-DATABASE"
        finally:
            application.execute("REVOKE ALL ON active_storage_blobs FROM crowd")
            application.execute("DROP USER crowd")

    def test_a_missing_database_and_a_silent_port_are_told_apart(self, operator: Operator) -> None:
        url = operator.application.url
        place = url.split("@", 1)[1]
        assert error_of(url.replace(place.split("/")[1].split("?")[0], "nowhere")).code == "E404-DATABASE"
        assert error_of(url.replace(place.split("/")[0], "127.0.0.1:1")).code == "E000-DATABASE"

    def test_a_certificate_is_verified_against_the_authority_given(self, operator: Operator) -> None:
        url, certificates = operator.application.url, operator.application.server.certificates
        assert certificates is not None
        with RailsDatabase.from_text(f"{url}&sslmode=verify_identity&sslca={certificates.authority}") as database:
            assert database.services() == {}
        assert error_of(f"{url}&sslmode=verify_identity&sslca={certificates.stranger}").code == "E000-DATABASE-TLS"
        assert error_of(f"{url}&sslmode=verify_identity").code == "E000-DATABASE-TLS"
        by_name = url.replace("127.0.0.1", "localhost")
        strict = f"{by_name}&sslmode=verify_identity&sslca={certificates.authority}"
        assert error_of(strict).code == "E000-DATABASE-TLS"
        for lax in ("required", "disabled", "preferred"):
            with RailsDatabase.from_text(f"{url}&sslmode={lax}") as database:
                assert database.services() == {}


def test_a_missing_or_foreign_sqlite_file_is_named_and_not_created(tmp_path: Path) -> None:
    assert error_of(f"sqlite3:{tmp_path}/nothing.sqlite3").code == "E404-DATABASE-FILE"
    assert not (tmp_path / "nothing.sqlite3").exists()
    (tmp_path / "text").write_text("this is no database, though it is long enough to look at " * 20)
    assert error_of(f"sqlite3:{tmp_path}/text").code == "E400-DATABASE-FILE"
