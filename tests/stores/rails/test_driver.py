"""What the drivers are told: TLS is verified unless the URL says otherwise, and nothing waits for ever."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from blobmove.core.errors import UsageError
from blobmove.stores.rails import driver
from blobmove.stores.rails.driver import build_engine, mysql_arguments, postgresql_arguments
from blobmove.stores.rails.url import parse_database_url


def context_of(url: str) -> ssl.SSLContext:
    context = mysql_arguments(parse_database_url(url))["ssl"]
    assert isinstance(context, ssl.SSLContext)
    return context


@pytest.mark.parametrize("options", ["", "?ssl_mode=verify_identity", "?sslmode=verify-full", "?encoding=utf8"])
def test_a_remote_mysql_is_verified_certificate_and_name(options: str) -> None:
    context = context_of(f"mysql2://u:p@db.internal/acme{options}")
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_less_verification_is_given_only_to_those_who_ask_for_it() -> None:
    by_authority = context_of("mysql2://u@db.internal/acme?ssl_mode=verify_ca")
    assert (by_authority.verify_mode, by_authority.check_hostname) == (ssl.CERT_REQUIRED, False)
    encrypted = context_of("trilogy://u@db.internal/acme?ssl_mode=SSL_MODE_REQUIRED")
    assert (encrypted.verify_mode, encrypted.check_hostname) == (ssl.CERT_NONE, False)
    arguments = mysql_arguments(parse_database_url("mysql2://u@db.internal/acme?ssl_mode=disabled"))
    assert arguments["ssl_disabled"] is True
    assert "ssl" not in arguments


@pytest.mark.parametrize("url", ["mysql2://u@127.0.0.1/acme", "mysql2:///acme?socket=/run/m.sock"])
def test_on_this_machine_no_certificate_is_asked_for(url: str) -> None:
    assert "ssl" not in mysql_arguments(parse_database_url(url))


def test_every_wait_has_an_end() -> None:
    mysql = mysql_arguments(parse_database_url("mysql2://u@db/acme"))
    assert all(mysql[name] > 0 for name in ("connect_timeout", "read_timeout", "write_timeout"))
    assert mysql["charset"] == "utf8mb4"
    postgresql = postgresql_arguments(parse_database_url("postgresql://u@db/acme"))
    assert postgresql["connect_timeout"] > 0
    assert postgresql["tcp_user_timeout"] > 0


@pytest.mark.parametrize(
    ("url", "mode", "authority"),
    [
        ("postgresql://u@db.internal/acme?sslrootcert=/ca.pem", "verify-full", "/ca.pem"),
        ("postgresql://u@db.internal/acme?sslmode=require", "require", None),
        ("postgresql://u@db.internal/acme?sslmode=disable", "disable", None),
        ("postgresql://u@127.0.0.1/acme", "prefer", None),
        ("postgresql:///acme?host=/run/postgresql", "prefer", None),
    ],
)
def test_postgresql_is_verified_by_the_same_rule(url: str, mode: str, authority: str | None) -> None:
    arguments = postgresql_arguments(parse_database_url(url))
    assert (arguments["sslmode"], arguments.get("sslrootcert")) == (mode, authority)


def test_postgresql_finds_the_authorities_of_the_system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    url = parse_database_url("postgresql://u@db.internal/acme")
    (tmp_path / "bundle.pem").touch()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "bundle.pem"))
    arguments = postgresql_arguments(url)
    assert (arguments["sslmode"], arguments["sslrootcert"]) == ("verify-full", str(tmp_path / "bundle.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setattr(driver, "_BUNDLES", ())
    assert postgresql_arguments(url)["sslrootcert"] == "system"


@pytest.mark.parametrize("scheme", ["mysql2", "postgresql"])
def test_an_unknown_mode_is_refused_rather_than_guessed(scheme: str) -> None:
    with pytest.raises(UsageError, match="unknown ssl_mode 'verfy'"):
        build_engine(parse_database_url(f"{scheme}://u@db.internal/acme?sslmode=verfy"))


def test_a_certificate_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        mysql_arguments(parse_database_url(f"mysql2://u@db.internal/acme?sslca={tmp_path}/none.pem"))
    assert raised.value.code == "E400-DATABASE-TLS"


def test_without_the_postgresql_driver_the_line_to_type_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "find_spec", lambda _name: None)
    with pytest.raises(UsageError) as raised:
        build_engine(parse_database_url("postgresql://u@db/acme"))
    assert raised.value.hint == "pip install 'blobmove[postgres]'"
