"""From a database URL to a SQLAlchemy engine: drivers, TLS, time limits.

TLS is verified, certificate and host name, for every host that is not this machine, unless the URL says otherwise
in its own words (`ssl_mode=disabled|preferred|required|verify_ca`, `sslmode=...`). PyMySQL's `ssl_ca` alone
verifies nothing (tried with 1.2.4), therefore an SSLContext.
"""

from __future__ import annotations

import sqlite3
import ssl
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from sqlalchemy import URL, create_engine
from sqlalchemy.pool import NullPool

from blobmove.core.errors import UsageError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from blobmove.stores.rails.url import DatabaseUrl

CONNECT_SECONDS: Final = 10
ANSWER_SECONDS: Final = 120
"""The longest single answer: counting the services is a full scan of the table."""
SQLITE_BUSY_SECONDS: Final = 5.0

_BUNDLES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",    # Red Hat
    "/etc/ssl/cert.pem",                   # macOS, BSD
)

_LIBPQ_WORDS: Final = {
    "disable": "disabled",
    "allow": "preferred",
    "prefer": "preferred",
    "require": "required",
    "verify_full": "verify_identity",
}
_LIBPQ_MODES: Final = {
    "disabled": "disable",
    "preferred": "prefer",
    "required": "require",
    "verify_ca": "verify-ca",
    "verify_identity": "verify-full",
}


def build_engine(url: DatabaseUrl, *, entra: bool = False) -> Engine:
    """An engine without a pool: one connection at a time, and each new one is really new; with `entra` by token.

    Raises UsageError E000-POSTGRES-DRIVER, E404-DATABASE-FILE, E400-DATABASE-TLS; RefusedError E412-DATABASE-TLS.
    """
    engine = _build(url)
    if entra and url.dialect != "sqlite":
        from blobmove.stores.rails.entra import log_in_with_tokens

        log_in_with_tokens(engine, url, tls_mode(url))
    return engine


def _build(url: DatabaseUrl) -> Engine:
    if url.dialect == "sqlite":
        return create_engine("sqlite://", creator=lambda: _open_file(url), poolclass=NullPool)
    if url.dialect == "mysql":
        return _engine(url, "mysql+pymysql", mysql_arguments(url))
    if find_spec("psycopg") is None:
        raise UsageError(
            "E000-POSTGRES-DRIVER", "the PostgreSQL driver is not installed", hint="pip install 'blobmove[postgres]'"
        )
    return _engine(url, "postgresql+psycopg", postgresql_arguments(url))


def _engine(url: DatabaseUrl, driver: str, arguments: dict[str, Any]) -> Engine:
    address = URL.create(
        driver,
        username=url.username,
        password=url.password,
        host=None if url.socket else url.host,
        port=None if url.socket else url.port,
        database=url.database,
    )
    engine = create_engine(
        address, connect_args=arguments, poolclass=NullPool, hide_parameters=True, isolation_level="AUTOCOMMIT"
    )
    engine.dialect.do_commit = _nothing_to_commit  # type: ignore[method-assign,assignment]
    return engine


def _nothing_to_commit(connection: object) -> None:
    """Each statement of ours is a transaction by itself, over when its answer comes: row locks do not outlast it by
    a way to the server and back. PyMySQL would send a COMMIT all the same. A ROLLBACK after a fault is still sent."""


def mysql_arguments(url: DatabaseUrl) -> dict[str, Any]:
    """What PyMySQL is to be told. Always utf8mb4: a key may hold any character, whatever `encoding` Rails uses."""
    arguments: dict[str, Any] = {
        "charset": "utf8mb4",
        "connect_timeout": CONNECT_SECONDS,
        "read_timeout": ANSWER_SECONDS,
        "write_timeout": ANSWER_SECONDS,
    }
    if url.socket is not None:
        arguments["unix_socket"] = url.socket
    mode = tls_mode(url)
    if mode == "disabled":
        arguments["ssl_disabled"] = True
    elif mode != "preferred":  # preferred is what PyMySQL does by itself
        arguments["ssl"] = _context(url, mode)
    return arguments


def tls_mode(url: DatabaseUrl) -> str:
    """One of disabled, preferred, required, verify_ca, verify_identity: the URL's word, else by where the host is."""
    said = url.option("ssl_mode", "sslmode", "ssl-mode")
    if said is None:
        return "preferred" if url.local and not url.option("sslca", "ssl_ca", "sslrootcert") else "verify_identity"
    mode = said.lower().removeprefix("ssl_mode_").replace("-", "_")
    mode = _LIBPQ_WORDS.get(mode, mode)
    if mode not in _LIBPQ_MODES:
        raise UsageError("E400-DATABASE-TLS", f"unknown ssl_mode {said!r}", hint=f"one of {', '.join(_LIBPQ_MODES)}")
    return mode


def _context(url: DatabaseUrl, mode: str) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(
            cafile=url.option("sslca", "ssl_ca", "sslrootcert"), capath=url.option("sslcapath", "ssl_capath")
        )
        certificate = url.option("sslcert", "ssl_cert")
        if certificate is not None:
            context.load_cert_chain(certificate, url.option("sslkey", "ssl_key"))
    except (OSError, ssl.SSLError) as error:
        raise UsageError(
            "E400-DATABASE-TLS",
            "a certificate file named by the database URL cannot be used",
            cause=str(error),
            hint="check sslca, sslcert and sslkey",
        ) from None
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # company authorities often lack the extensions it asks for
    context.check_hostname = mode == "verify_identity"
    context.verify_mode = ssl.CERT_NONE if mode == "required" else ssl.CERT_REQUIRED
    return context


def postgresql_arguments(url: DatabaseUrl) -> dict[str, Any]:
    """What libpq is to be told; its own `ssl...` options of the URL pass through."""
    arguments: dict[str, Any] = {
        "connect_timeout": CONNECT_SECONDS,
        "tcp_user_timeout": ANSWER_SECONDS * 1000,
        "client_encoding": "utf8",
        "application_name": "blobmove",
        "prepare_threshold": None,  # PgBouncer in transaction mode has no prepared statements
    }
    if url.socket is not None:
        arguments |= {"host": url.socket, "port": url.port}
    arguments["sslmode"] = _LIBPQ_MODES[tls_mode(url)]
    authority = url.option("sslrootcert", "sslca")
    if authority is None and arguments["sslmode"] == "verify-full":
        authority = _system_authorities()
    named = {"sslrootcert": authority, "sslcert": url.option("sslcert"), "sslkey": url.option("sslkey")}
    return arguments | {name: value for name, value in named.items() if value is not None}


def _system_authorities() -> str:
    """The system's authorities as one file: the OpenSSL inside psycopg's wheels does not know where they are."""
    known = (ssl.get_default_verify_paths().cafile, *_BUNDLES)
    return next((path for path in known if path and Path(path).is_file()), "system")


def _open_file(url: DatabaseUrl) -> sqlite3.Connection:
    """Never creates the file: a misspelt path must not become an empty database."""
    path = Path(url.database)
    if not path.is_file():
        raise UsageError(
            "E404-DATABASE-FILE",
            f"there is no SQLite database {url.database}",
            cause=f"looked for {path.absolute()}",
            hint="a relative path counts from here, not from Rails' root: give the absolute one, sqlite3:/srv/...",
        )
    return sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=rw", uri=True,
                           timeout=SQLITE_BUSY_SECONDS, check_same_thread=False)  # one at a time, not always the same
