"""Rails' database URLs, taken apart as Rails does it."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blobmove.core.errors import UsageError
from blobmove.stores.rails.url import parse_database_url


@pytest.mark.parametrize(
    ("text", "dialect", "host", "port", "database"),
    [
        ("mysql2://u:p@db.internal/acme", "mysql", "db.internal", 3306, "acme"),
        ("mysql2://u:p@db.internal:3307/acme?encoding=utf8mb4&pool=5", "mysql", "db.internal", 3307, "acme"),
        ("trilogy://u@db/acme", "mysql", "db", 3306, "acme"),
        ("mysql://u@db/acme", "mysql", "db", 3306, "acme"),
        ("postgres://u:p@db/acme", "postgresql", "db", 5432, "acme"),
        ("postgresql://db/acme_production", "postgresql", "db", 5432, "acme_production"),
        ("postgis://db/acme", "postgresql", "db", 5432, "acme"),
        ("postgresql:///acme?host=/var/run/postgresql", "postgresql", "localhost", 5432, "acme"),
        ("postgresql:///acme?host=db&port=6432", "postgresql", "db", 6432, "acme"),
        ("mysql2://[2001:db8::1]:3307/acme", "mysql", "2001:db8::1", 3307, "acme"),
        ("  mysql2://u:p@db/acme\n", "mysql", "db", 3306, "acme"),
        ("sqlite3:storage/production.sqlite3", "sqlite", "", 0, "storage/production.sqlite3"),
        ("sqlite3:/srv/app/db.sqlite3?timeout=5000", "sqlite", "", 0, "/srv/app/db.sqlite3"),
        ("sqlite3:///srv/app/db.sqlite3", "sqlite", "", 0, "/srv/app/db.sqlite3"),
        ("sqlite3://localhost/srv/my%20app.sqlite3", "sqlite", "", 0, "/srv/my app.sqlite3"),
    ],
)
def test_every_form_that_rails_takes_is_understood(
    text: str, dialect: str, host: str, port: int, database: str
) -> None:
    url = parse_database_url(text)
    assert (url.dialect, url.host, url.port, url.database) == (dialect, host, port, database)


def test_sockets_and_logins_may_stand_in_the_options() -> None:
    url = parse_database_url("mysql2:///acme?socket=/run/mysqld/mysqld.sock&username=rails&password=a+b")
    assert (url.socket, url.username, url.password) == ("/run/mysqld/mysqld.sock", "rails", "a b")
    assert parse_database_url("postgresql:///acme?host=/run/pg").socket == "/run/pg"
    assert parse_database_url("postgresql:///acme?host=/run/pg").local


@given(st.text(min_size=1), st.text(min_size=1))
def test_percent_encoded_logins_come_back_as_they_were(user: str, password: str) -> None:
    encoded = [quote(text.encode("utf-8", "replace"), safe="") for text in (user, password)]
    url = parse_database_url(f"mysql2://{encoded[0]}:{encoded[1]}@db/acme")
    assert (url.username, url.password) == tuple(
        text.encode("utf-8", "replace").decode() for text in (user, password)
    )


def test_what_people_see_holds_neither_user_nor_password() -> None:
    url = parse_database_url("mysql2://admin:s3cr3t@db.internal:3307/acme?sslkey=/k")
    assert url.describe() == "mysql://db.internal:3307/acme"
    assert "s3cr3t" not in repr(url)
    assert parse_database_url("sqlite3:db/x.sqlite3").describe() == "sqlite3:db/x.sqlite3"
    assert parse_database_url("postgresql://[::1]/acme").describe() == "postgresql://[::1]/acme"


@pytest.mark.parametrize(
    "text",
    [
        "", "   ", "acme_production", "oracle://u:s3cr3t@db/acme", "mysql2://u:s3cr3t@db", "mysql2://u:s3cr3t@db:x/acme",
        "mysql2://u:s3cr3t#1@db/acme", "mysql2://u:s3c[r3t@db/acme", "sqlite3:", "sqlite3::memory:",
        "sqlite3://db/production.sqlite3", "s3cr3t-pass.word:x@db/acme",
    ],
)  # fmt: skip
def test_what_is_no_database_url_is_refused_without_quoting_it(text: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_database_url(text)
    assert raised.value.code == "E400-DATABASE-URL"
    assert "s3cr3t" not in f"{raised.value.message} {raised.value.cause} {raised.value.hint}"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_only_this_machine_is_local(host: str) -> None:
    assert parse_database_url(f"mysql2://{host}/acme").local
    assert not parse_database_url("mysql2://db.internal/acme").local
    assert not parse_database_url("mysql2://127.0.0.1.example.com/acme").local
