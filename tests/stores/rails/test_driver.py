"""What the drivers are told: TLS is verified unless the URL says otherwise, and nothing waits for ever."""

from __future__ import annotations

import importlib.util
import socket
import ssl
import struct
import threading
from pathlib import Path

import pymysql
import pytest
import sqlalchemy.exc

from blobmove.core.errors import RefusedError, UsageError
from blobmove.stores.rails import driver
from blobmove.stores.rails.driver import build_engine, mysql_arguments, postgresql_arguments
from blobmove.stores.rails.entra import log_in_with_tokens
from blobmove.stores.rails.faults import translate_connect
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


class TestEntra:
    """Tokens instead of passwords."""

    def test_each_connection_gets_a_token_of_its_own(self) -> None:
        url = parse_database_url("mysql2://app@acme.mysql.database.azure.com/acme")
        engine = build_engine(url)
        tokens = iter(["first", "second"])
        log_in_with_tokens(engine, url, "verify_identity", lambda: next(tokens))
        seen: list[dict[str, object]] = []

        def connects(*_words: object, **arguments: object) -> None:
            seen.append(arguments)
            raise pymysql.err.OperationalError(2003, "nobody there")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(engine.dialect, "connect", connects)
            for _ in range(2):
                with pytest.raises(sqlalchemy.exc.DBAPIError):
                    engine.connect()
        assert [arguments["password"] for arguments in seen] == ["first", "second"]
        assert all(isinstance(arguments["ssl"], ssl.SSLContext) for arguments in seen)

    @pytest.mark.parametrize(
        "url",
        [
            "mysql2://app@127.0.0.1/acme",
            "mysql2://app@db.acme.net/acme?ssl_mode=required",
            "mysql2://app@db.acme.net/acme?ssl_mode=disabled",
            "postgresql://app@db.acme.net/acme?sslmode=require",
        ],
    )
    def test_a_token_is_not_given_to_a_server_that_is_not_verified(self, url: str) -> None:
        with pytest.raises(RefusedError) as raised:
            build_engine(parse_database_url(url), entra=True)
        assert raised.value.code == "E412-DATABASE-TLS"

    @pytest.mark.parametrize("mode", ["", "?ssl_mode=verify_ca", "?ssl_mode=verify_identity"])
    def test_a_remote_host_is_verified_by_default_and_gets_one(self, mode: str) -> None:
        build_engine(parse_database_url(f"mysql2://app@db.acme.net/acme{mode}"), entra=True)


class StrippedServer(threading.Thread):
    """Says hello as a MySQL that offers caching_sha2_password and, unlike the real one, no TLS; keeps what it hears."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.heard = b""

    def run(self) -> None:
        connection, _ = self._listener.accept()
        with self._listener, connection:
            capabilities = 0xFFFFFFFF & ~0x800  # all but CLIENT_SSL
            hello = b"\x0a8.4.0\0" + struct.pack("<I", 1) + b"12345678\0" + struct.pack("<H", capabilities & 0xFFFF)
            hello += b"\xff\x02\x00" + struct.pack("<H", capabilities >> 16) + b"\x15" + bytes(10)
            hello += b"123456789012\0caching_sha2_password\0"
            connection.sendall(struct.pack("<I", len(hello))[:3] + b"\0" + hello)
            connection.settimeout(5)
            self.heard = connection.recv(4096)


def test_a_server_that_suddenly_offers_no_tls_hears_neither_user_nor_token() -> None:
    server = StrippedServer()
    server.start()
    url = parse_database_url(f"mysql2://app@127.0.0.1:{server.port}/acme?ssl_mode=verify_identity")
    engine = build_engine(url)
    log_in_with_tokens(engine, url, "verify_identity", lambda: "the-token")
    with pytest.raises(sqlalchemy.exc.DBAPIError, match="SSL is required"):
        engine.connect()
    server.join(10)
    assert server.heard == b""


def test_caching_sha2_password_needs_no_further_package() -> None:
    """Without TLS the password is encrypted with the server's RSA key: PyMySQL leaves that to `cryptography`."""
    assert importlib.util.find_spec("cryptography") is not None


def test_every_wait_of_a_driver_has_an_end() -> None:
    mysql = mysql_arguments(parse_database_url("mysql2://app@db.acme.net/acme"))
    assert min(mysql["connect_timeout"], mysql["read_timeout"], mysql["write_timeout"]) > 0
    postgresql = postgresql_arguments(parse_database_url("postgresql://app@db.acme.net/acme"))
    assert min(postgresql["connect_timeout"], postgresql["tcp_user_timeout"]) > 0


def test_a_server_that_insists_on_tls_says_which_word_of_the_url_is_in_the_way() -> None:
    """MySQL's 3159; MariaDB says no more than that the login is refused."""
    fault = pymysql.err.OperationalError(3159, "Connections using insecure transport are prohibited")
    url = parse_database_url("mysql2://u:p@db.internal/acme?ssl_mode=disabled")
    error = translate_connect(sqlalchemy.exc.OperationalError("", {}, fault), url)
    assert (error.code, "ssl_mode=verify_identity" in str(error.hint)) == ("E000-DATABASE-TLS", True)
