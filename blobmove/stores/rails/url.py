"""Reading Rails' `DATABASE_URL`: its own forms, taken apart as ActiveRecord does it.

Source of the forms: ActiveRecord's ConnectionUrlResolver (query options are merged with the parts of the URL;
`sqlite3:` takes a path) and the option names of the gems mysql2, trilogy and pg.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from blobmove.core.errors import UsageError
from blobmove.core.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

Dialect = Literal["mysql", "postgresql", "sqlite"]

_DIALECTS: Final[dict[str, Dialect]] = {
    "mysql2": "mysql",
    "trilogy": "mysql",
    "mysql": "mysql",
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "postgis": "postgresql",
    "sqlite3": "sqlite",
    "sqlite": "sqlite",
}
_PORTS: Final[dict[Dialect, int]] = {"mysql": 3306, "postgresql": 5432, "sqlite": 0}
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1", "ip6-localhost"})
ESCAPES: Final = "in a password % : / @ # ? are written %25 %3A %2F %40 %23 %3F"
_HINT: Final = f"DATABASE_URL=mysql2://USER:PASSWORD@HOST/DATABASE, postgresql://... or sqlite3:PATH; {ESCAPES}"


@frozen
class DatabaseUrl:
    """A database as Rails names it. `database` is a path for SQLite; `socket` a path, None for TCP.

    `options` are the query options that are not part of the address; Rails' own (pool, encoding, ...) are kept
    here and simply never asked for.
    """

    dialect: Dialect
    host: str
    port: int
    database: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    socket: str | None = None
    options: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def local(self) -> bool:
        """Whether the bytes stay on this machine: a socket, a file or a loopback address."""
        return self.dialect == "sqlite" or self.socket is not None or self.host in _LOOPBACK

    def describe(self) -> str:
        """For people: no user, no password, no options."""
        if self.dialect == "sqlite":
            return f"sqlite3:{self.database}"
        if self.socket is not None:
            return f"{self.dialect}://{self.socket}/{self.database}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.dialect] else f":{self.port}"
        return f"{self.dialect}://{host}{port}/{self.database}"

    def option(self, *names: str) -> str | None:
        """The first of these options that is set to something."""
        return next((self.options[name] for name in names if self.options.get(name)), None)


def parse_database_url(text: str) -> DatabaseUrl:
    """Take a Rails database URL apart. Raises UsageError E400-DATABASE-URL, never quoting the URL itself."""
    stripped = text.strip()
    scheme, colon, _rest = stripped.partition(":")
    if not stripped or not colon:
        raise _unusable("the database URL is empty" if not stripped else "this is not a database URL")
    dialect = _DIALECTS.get(scheme.lower())
    if dialect is None:
        raise _unusable(f"the database URL begins with {_shown(scheme)}, which is no adapter known here")
    try:
        parts = urlsplit(stripped)
        port = parts.port
    except ValueError:
        raise _unusable("the database URL cannot be taken apart (host, port or an unescaped character)") from None
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if dialect == "sqlite":
        return _sqlite(parts, options)
    return _server(dialect, parts, port, options)


def _sqlite(parts: SplitResult, options: dict[str, str]) -> DatabaseUrl:
    if parts.netloc not in ("", "localhost"):
        raise _unusable(
            "an SQLite URL has no host: Rails itself would drop the first part of the path",
            hint=f"sqlite3:{parts.netloc}{parts.path} for a relative path, sqlite3:/PATH for an absolute one",
        )
    path = unquote(parts.path)
    if path.endswith(":memory:") or not path.strip("/"):
        raise _unusable("the SQLite URL names no file", hint="sqlite3:storage/production.sqlite3")
    return DatabaseUrl("sqlite", "", 0, path, options=options)


def _server(dialect: Dialect, parts: SplitResult, port: int | None, options: dict[str, str]) -> DatabaseUrl:
    database = unquote(parts.path.removeprefix("/")) or options.pop("database", "")
    if parts.fragment:
        raise _unusable("a # in the database URL must be written %23")
    if not database:
        raise _unusable("the database URL names no database")
    host = unquote(parts.hostname or "") or options.pop("host", "")
    socket = options.pop("socket", None)
    if host.startswith("/"):  # libpq: a directory of sockets in place of a host
        socket, host = host, ""
    option_port = options.pop("port", "")
    if port is None and option_port.isdigit():
        port = int(option_port)
    option_user = options.pop("username", None) or options.pop("user", None)
    option_password = options.pop("password", None)
    return DatabaseUrl(
        dialect=dialect,
        host=host or "localhost",
        port=port or _PORTS[dialect],
        database=database,
        username=unquote(parts.username) if parts.username else option_user,
        password=unquote(parts.password) if parts.password is not None else option_password,
        socket=socket,
        options=options,
    )


def _shown(scheme: str) -> str:
    """A scheme is quoted only when it can be nothing but a scheme: what stands there may be a password."""
    return repr(f"{scheme}:") if scheme.isalnum() and len(scheme) <= 12 else "something"


def _unusable(message: str, hint: str = _HINT) -> UsageError:
    return UsageError("E400-DATABASE-URL", message, hint=hint)
